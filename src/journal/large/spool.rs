//! A large message on its way to the journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::durable::{ReplaceError, create_folder, sync_folder_of};
use super::super::format::reference::{BLOCK_LENGTH, Reference};
use super::super::segment_file::allocate;
use super::pieces::piece_length;
use super::space::{SpaceWait, SpaceWaits};
use crate::planted::{Bug, is_planted};
use crate::storage::{Open, Storage, StorageFile, disk, is_for_want_of_space, read_full_at, write_all_at};

/// Blocks that are allocated at once, so that a full disk is known before it is written to; and written back at once,
/// so that the last sync has little to do and nobody else's sync waits behind it.
const BLOCKS_OF_STEP: u64 = 8;

/// The folder of the spools of a server.
#[derive(Debug, Clone)]
pub struct SpoolFolder {
    storage: Arc<dyn Storage>,
    path: Arc<Path>,
    /// Bytes of the files that one checksum vouches for.
    block_length: u32,
    next: Arc<AtomicU64>,
    waits: SpaceWaits,
    /// Whether nobody is to wait for space.
    refuses: bool,
}

impl SpoolFolder {
    /// The spools below a data folder.
    pub fn new(data_dir: &Path) -> Self {
        Self::on(disk(), data_dir)
    }

    /// Those of a data folder on this storage.
    pub(in crate::journal) fn on(storage: Arc<dyn Storage>, data_dir: &Path) -> Self {
        Self {
            storage,
            path: data_dir.join("spool").into(),
            block_length: BLOCK_LENGTH,
            next: Arc::default(),
            waits: SpaceWaits::default(),
            refuses: false,
        }
    }

    /// The same folder, with blocks of so many bytes for the files from now on, so that small ones have several.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn with_blocks_of(&self, block_length: u32) -> Self {
        Self { block_length, ..self.clone() }
    }

    /// The same folder; whether whoever finds no space on the disk is to be refused at once.
    #[must_use]
    pub fn refusing(self, refuses: bool) -> Self {
        Self { refuses, ..self }
    }

    /// Whether whoever finds no space on the disk is to be refused at once, and not to wait for it.
    pub fn refuses(&self) -> bool {
        self.refuses
    }

    /// Tells that somebody waits for space, until the answer is dropped.
    pub fn wait_for_space(&self) -> SpaceWait {
        self.waits.begin()
    }

    /// How many wait for space.
    pub fn waiting(&self) -> usize {
        self.waits.count()
    }

    /// Makes the folder where it is missing, and removes what a crash left in it. Under the lock of the data folder.
    pub fn prepare(&self) -> io::Result<()> {
        create_folder(self.storage.as_ref(), &self.path)?;
        let (mut files, mut bytes) = (0u64, 0u64);
        for listed in self.storage.list(&self.path)? {
            self.storage.remove(&listed.path)?;
            bytes += listed.length;
            files += 1;
        }
        if files > 0 {
            tracing::info!(
                folder = %self.path.display(), files, bytes,
                "removed large messages that were cut off: none of them was acknowledged, and senders send them again"
            );
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a file. Blocks.
    pub fn create(&self) -> io::Result<Spool> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{number}.spool"));
        let file = self.storage.open(&path, Open::Private)?;
        Ok(Spool {
            file,
            path: OwnedPath { storage: Arc::clone(&self.storage), path },
            full_block: self.block_length,
            length: 0,
            allocated: 0,
            synced: 0,
            must_rewrite: false,
            checksums: Vec::new(),
            block: crc32fast::Hasher::new(),
            block_length: 0,
        })
    }
}

/// Entries of a large message, as far as they came. Removed when dropped.
#[derive(Debug)]
pub struct Spool {
    file: Box<dyn StorageFile>,
    path: OwnedPath,
    /// Bytes of a block.
    full_block: u32,
    length: u64,
    allocated: u64,
    /// Up to where it was written back.
    synced: u64,
    /// Whether the last sync failed, so that what it was to write may be nowhere but in the page cache.
    must_rewrite: bool,
    checksums: Vec<u32>,
    /// Of the block that is not full yet.
    block: crc32fast::Hasher,
    block_length: usize,
}

impl Spool {
    /// Appends. After an error nothing of it is taken, and it may be tried again. Blocks.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.length - self.synced >= self.step() {
            self.write_back()?;
        }
        let end = self.length + bytes.len() as u64;
        if end > self.allocated {
            let allocated = end.next_multiple_of(self.step());
            if let Err(error) = allocate(self.file.as_ref(), self.allocated, allocated) {
                // A part of it would hold space that others need; the error itself is what counts.
                let _ = self.file.set_len(self.length);
                self.allocated = self.length;
                return Err(error);
            }
            self.allocated = allocated;
        }
        write_all_at(self.file.as_ref(), bytes, self.length)?;
        self.length = end;
        self.check(bytes);
        Ok(())
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Reads what was written; fewer bytes at the end. Blocks.
    pub fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let out_length = out.len().min(left);
        read_full_at(self.file.as_ref(), &mut out[..out_length], offset)
    }

    /// Makes it durable. After an error it may be tried again. Blocks.
    pub fn finish(&mut self) -> io::Result<LargeEntries> {
        self.file.set_len(self.length)?;
        self.allocated = self.length;
        self.write_back()?;
        let mut checksums = std::mem::take(&mut self.checksums);
        if std::mem::take(&mut self.block_length) > 0 {
            checksums.push(std::mem::take(&mut self.block).finalize());
        }
        let reference = Reference { length: self.length, block_length: self.full_block, checksums };
        let storage = Arc::clone(&self.path.storage);
        let path = OwnedPath { storage, path: std::mem::take(&mut self.path.path) };
        Ok(LargeEntries { path, reference })
    }

    /// Makes durable what was written.
    fn write_back(&mut self) -> io::Result<()> {
        if self.must_rewrite {
            self.rewrite()?;
        }
        let synced = if is_planted(Bug::UnsyncedLargeFile) { Ok(()) } else { self.file.sync() };
        self.must_rewrite = synced.is_err();
        synced?;
        self.synced = self.length;
        Ok(())
    }

    /// Writes once more what a sync may have dropped, as far as it reads as it was.
    fn rewrite(&self) -> io::Result<()> {
        let block_length = u64::from(self.full_block);
        let mut block = vec![0; self.full_block as usize];
        for number in self.synced / block_length..self.length.div_ceil(block_length) {
            let offset = number * block_length;
            let count = self.read_at(&mut block, offset)?;
            let full = usize::try_from(number).ok().and_then(|number| self.checksums.get(number).copied());
            if crc32fast::hash(&block[..count]) != full.unwrap_or_else(|| self.block.clone().finalize()) {
                return Err(io::Error::other(
                    "what was written no longer reads as it was, after a sync that failed",
                ));
            }
            write_all_at(self.file.as_ref(), &block[..count], offset)?;
        }
        Ok(())
    }

    /// Bytes that are allocated at once.
    fn step(&self) -> u64 {
        BLOCKS_OF_STEP * u64::from(self.full_block)
    }

    fn check(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(self.full_block as usize - self.block_length));
            self.block.update(part);
            self.block_length += part.len();
            if self.block_length == self.full_block as usize {
                self.checksums.push(std::mem::take(&mut self.block).finalize());
                self.block_length = 0;
            }
            bytes = rest;
        }
    }
}

/// Entries of a large message, durable in a spool. Removed when dropped, unless the journal took them.
#[derive(Debug)]
pub struct LargeEntries {
    path: OwnedPath,
    reference: Reference,
}

impl LargeEntries {
    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.reference.length
    }

    /// How many pieces it is read in, where it is of a refused message and not looked into.
    pub fn refused_pieces(&self) -> u32 {
        let piece = piece_length(self.reference.block_length) as u64;
        u32::try_from(self.length().div_ceil(piece)).unwrap_or(u32::MAX)
    }

    /// What the file is, for its frame.
    pub(in crate::journal) fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path.path
    }

    /// Gives the file another name, durably. It is nobody's any more then.
    pub(in crate::journal) fn rename(&mut self, to: &Path) -> Result<(), ReplaceError> {
        let OwnedPath { storage, path } = &mut self.path;
        // It may have the name already, since the last time.
        if path != to {
            storage.rename(path, to).map_err(ReplaceError::Unchanged)?;
        }
        *path = PathBuf::new();
        if is_planted(Bug::UnsyncedLargeName) {
            return Ok(());
        }
        sync_folder_of(storage.as_ref(), to).map_err(|error| {
            if is_for_want_of_space(&error) {
                // It is tried again, perhaps under another name.
                *path = to.to_owned();
            }
            ReplaceError::Uncertain(error)
        })
    }
}

/// The name of a file that is removed when this is dropped. Empty: of none.
#[derive(Debug)]
struct OwnedPath {
    storage: Arc<dyn Storage>,
    path: PathBuf,
}

impl Drop for OwnedPath {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty()
            && let Err(error) = self.storage.remove(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a large message; the next start does");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, SpoolFolder) {
        let data_dir = tempfile::tempdir().unwrap();
        let folder = SpoolFolder::new(data_dir.path());
        folder.prepare().unwrap();
        (data_dir, folder)
    }

    fn files(folder: &SpoolFolder) -> usize {
        std::fs::read_dir(folder.path()).unwrap().count()
    }

    #[test]
    fn blocks_are_checked_wherever_the_bytes_are_cut() {
        let (_data_dir, folder) = folder();
        let bytes: Vec<u8> = (0..2 * BLOCK_LENGTH + 77).map(|number| (number % 251) as u8).collect();
        let expected: Vec<u32> = bytes.chunks(BLOCK_LENGTH as usize).map(crc32fast::hash).collect();
        for part in [1_000_003, BLOCK_LENGTH as usize, bytes.len()] {
            let mut spool = folder.create().unwrap();
            bytes.chunks(part).for_each(|part| spool.write(part).unwrap());
            let entries = spool.finish().unwrap();
            assert_eq!(entries.reference().checksums, expected);
            assert_eq!(std::fs::read(entries.path()).unwrap(), bytes);
        }
    }

    #[test]
    fn after_a_sync_that_failed_what_was_not_durable_is_written_again_unless_it_was_lost() {
        let (_data_dir, folder) = folder();
        for length in [77, BLOCK_LENGTH as usize, 2 * BLOCK_LENGTH as usize + 77] {
            let bytes: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
            let mut spool = folder.create().unwrap();
            spool.write(&bytes).unwrap();
            spool.must_rewrite = true;
            let entries = spool.finish().unwrap();
            assert_eq!(std::fs::read(entries.path()).unwrap(), bytes);

            let mut spool = folder.create().unwrap();
            spool.write(&bytes).unwrap();
            spool.must_rewrite = true;
            // As if the kernel had dropped the last page.
            write_all_at(spool.file.as_ref(), &[0], length as u64 - 2).unwrap();
            let error = spool.finish().unwrap_err();
            assert!(error.to_string().contains("no longer reads"), "{error}");
        }
        assert_eq!(files(&folder), 0);
    }

    #[test]
    fn who_waits_for_space_is_counted_over_all_clones() {
        let (_data_dir, folder) = folder();
        let waits = [folder.wait_for_space(), folder.clone().wait_for_space()];
        assert_eq!(folder.waiting(), 2);
        drop(waits);
        assert_eq!(folder.waiting(), 0);
        assert!(!folder.refuses() && folder.refusing(true).refuses());
    }

    #[test]
    fn a_spool_goes_with_its_owner_and_what_a_crash_left_at_start() {
        let (_data_dir, folder) = folder();
        let mut spool = folder.create().unwrap();
        spool.write(b"half").unwrap();
        assert_eq!(files(&folder), 1);
        drop(spool);
        drop(folder.create().unwrap().finish().unwrap());
        assert_eq!(files(&folder), 0);
        std::mem::forget(folder.create().unwrap());
        folder.prepare().unwrap();
        assert_eq!(files(&folder), 0);
    }

    #[test]
    fn only_the_server_may_read_it_and_what_was_allocated_too_much_is_given_back() {
        use std::os::unix::fs::MetadataExt;
        let (_data_dir, folder) = folder();
        let mut spool = folder.create().unwrap();
        spool.write(&[7; 10_000]).unwrap();
        let metadata = |path: &Path| std::fs::metadata(path).unwrap();
        assert_eq!(metadata(&spool.path.path).mode() & 0o777, 0o600);
        assert!(metadata(&spool.path.path).blocks() * 512 >= spool.step());
        let step = spool.step();
        let mut read = [0; 20_000];
        assert_eq!(spool.read_at(&mut read, 4_000).unwrap(), 6_000);
        let entries = spool.finish().unwrap();
        assert!(metadata(entries.path()).blocks() * 512 < step);
        assert_eq!(entries.length(), 10_000);
    }
}
