//! A large message on its way to the journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::durable::{ReplaceError, create_folder, sync_folder_of};
use super::super::format::reference::{BLOCK_LENGTH, Reference};
use super::super::segment_file::allocate;
use super::pieces::piece_length;
use crate::planted::{Bug, is_planted};
use crate::storage::{Open, Storage, StorageFile, disk, read_full_at, write_all_at};

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
}

impl SpoolFolder {
    /// The spools below a data folder.
    pub fn new(data_dir: &Path) -> Self {
        Self::on(disk(), data_dir)
    }

    /// Those of a data folder on this storage.
    pub(in crate::journal) fn on(storage: Arc<dyn Storage>, data_dir: &Path) -> Self {
        let path = data_dir.join("spool").into();
        Self { storage, path, block_length: BLOCK_LENGTH, next: Arc::default() }
    }

    /// The same folder, with blocks of so many bytes for the files from now on, so that small ones have several.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn with_blocks_of(&self, block_length: u32) -> Self {
        Self { block_length, ..self.clone() }
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
    checksums: Vec<u32>,
    /// Of the block that is not full yet.
    block: crc32fast::Hasher,
    block_length: usize,
}

impl Spool {
    /// Appends. Blocks.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let end = self.length + bytes.len() as u64;
        if end > self.allocated {
            let allocated = end.next_multiple_of(self.step());
            allocate(self.file.as_ref(), self.allocated, allocated)?;
            self.allocated = allocated;
        }
        write_all_at(self.file.as_ref(), bytes, self.length)?;
        self.length = end;
        self.check(bytes);
        if end - self.synced >= self.step() {
            self.file.sync()?;
            self.synced = end;
        }
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

    /// Makes it durable. After an error nothing can be said of the file, and it is removed. Blocks.
    pub fn finish(mut self) -> io::Result<LargeEntries> {
        self.file.set_len(self.length)?;
        if !is_planted(Bug::UnsyncedLargeFile) {
            self.file.sync()?;
        }
        if self.block_length > 0 {
            self.checksums.push(self.block.finalize());
        }
        let reference =
            Reference { length: self.length, block_length: self.full_block, checksums: self.checksums };
        Ok(LargeEntries { path: self.path, reference })
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
        storage.rename(path, to).map_err(ReplaceError::Unchanged)?;
        *path = PathBuf::new();
        if is_planted(Bug::UnsyncedLargeName) {
            return Ok(());
        }
        sync_folder_of(storage.as_ref(), to).map_err(ReplaceError::Uncertain)
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
