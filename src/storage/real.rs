//! The disks of this machine.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, IoSlice};
use std::num::NonZeroU64;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use rustix::fs::{Advice, FallocateFlags, OFlags, fadvise, fallocate, fcntl_getfl, fcntl_setfl};
use rustix::io::pwritev;

use super::{Identity, Listed, Open, Stat, Storage, StorageFile};

/// Journals and archives hold what customers' logs hold: for the owner and the group.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// Nobody but the server reads what is half there.
const PRIVATE_MODE: u32 = 0o600;

/// Linux holds files in pages of up to so many bytes, and lets go of whole ones only: one that began before a range was not
/// let go of with what lies before it, and would stay.
const LARGEST_PAGES: u64 = 2 * 1024 * 1024;

/// Linux takes so many parts in one write (`IOV_MAX`).
const MAX_PARTS: usize = 1024;

/// The real thing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Storage for Disk {
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        match std::fs::metadata(path) {
            // Below a file there is nothing.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            metadata => Ok(Some(stat(&metadata?))),
        }
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StorageFile>> {
        let mut options = OpenOptions::new();
        options.read(true).mode(FILE_MODE);
        match how {
            Open::Reading => &mut options,
            Open::Writing => options.write(true),
            Open::Appending => options.append(true),
            Open::New => options.append(true).create_new(true),
            Open::Emptied => options.write(true).create(true).truncate(true),
            Open::Private => options.write(true).create_new(true).mode(PRIVATE_MODE),
        };
        Ok(Box::new(options.open(path)?))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(FOLDER_MODE).create(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        std::fs::hard_link(file, name)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut listed = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let metadata = match std::fs::symlink_metadata(&path) {
                // Removed while we look.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            let (modified, length) = (metadata.modified()?, metadata.len());
            listed.push(Listed { modified, path, length, is_folder: metadata.is_dir() });
        }
        Ok(listed)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn draw(&self) -> u128 {
        let mut bytes = [0; 16];
        aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
        u128::from_le_bytes(bytes)
    }
}

impl StorageFile for File {
    fn stat(&self) -> io::Result<Stat> {
        Ok(stat(&self.metadata()?))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn write_parts_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        Ok(pwritev(self, &parts[..parts.len().min(MAX_PARTS)], offset)?)
    }

    fn write_blocks_at(&self, blocks: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        past_the_page_cache(self, || self.write_parts_at(blocks, offset))
    }

    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut file = self;
        io::Write::write(&mut file, bytes)
    }

    fn append_blocks(&self, blocks: &[u8]) -> io::Result<usize> {
        past_the_page_cache(self, || self.append(blocks))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        File::set_len(self, length)
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        Ok(fallocate(self, FallocateFlags::empty(), offset, length)?)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn let_go(&self, offset: u64, length: u64) {
        let start = offset - offset % LARGEST_PAGES;
        // Where a file system can't, it keeps more in memory than it need.
        let _ = fadvise(self, start, NonZeroU64::new(length + (offset - start)), Advice::DontNeed);
    }

    fn read_no_further(&self) {
        // Where a file system can't, it reads more than it need.
        let _ = fadvise(self, 0, None, Advice::Random);
    }

    fn read_ahead(&self, offset: u64, length: u64) {
        // Where a file system can't, the reader waits for its disk.
        let _ = fadvise(self, offset, NonZeroU64::new(length), Advice::WillNeed);
    }

    fn sync_filesystem(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(self)?)
    }
}

/// Writes without the page cache, or with it where it can't be done without. Nobody else may write through this file meanwhile.
fn past_the_page_cache(file: &File, write: impl Fn() -> io::Result<usize>) -> io::Result<usize> {
    let flags = fcntl_getfl(file)?;
    // What goes past the page cache takes effect on it as well: whoever reads the file sees no difference.
    let written = fcntl_setfl(file, flags | OFlags::DIRECT).map_err(io::Error::from).and_then(|()| write());
    fcntl_setfl(file, flags)?;
    match written {
        // Not on this file system, or not with blocks of this size, or not of what a short write left over.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => write(),
        written => written,
    }
}

fn stat(metadata: &Metadata) -> Stat {
    let birth = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Stat {
        identity: Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            birth: birth.and_then(|birth| u64::try_from(birth.as_nanos()).ok()).unwrap_or(0),
        },
        length: metadata.len(),
        names: metadata.nlink(),
        is_regular: metadata.is_file(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::storage::{read_full_at, write_all_blocks_at};

    #[test]
    fn files_and_folders_are_for_owner_and_group_only() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("customer");
        Disk.create_folder(&folder).unwrap();
        Disk.open(&folder.join("10.log"), Open::New).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        // The process's own mask may take away more.
        assert_eq!(mode(&folder) | 0o050, 0o750);
        assert_eq!(mode(&folder.join("10.log")) | 0o040, 0o640);
    }

    #[test]
    fn a_file_keeps_its_identity_under_another_name_and_a_removed_one_has_no_name() {
        let root = tempfile::tempdir().unwrap();
        let (here, there) = (root.path().join("here"), root.path().join("there"));
        let file = Disk.open(&here, Open::New).unwrap();
        let before = Disk.stat(&here).unwrap().unwrap();
        Disk.rename(&here, &there).unwrap();
        assert_eq!(Disk.stat(&here).unwrap(), None);
        assert!(Disk.stat(&there).unwrap().unwrap().identity.is_same_file(&before.identity));
        Disk.remove(&there).unwrap();
        assert_eq!(file.stat().unwrap().names, 0);
    }

    #[test]
    fn what_is_appended_goes_behind_what_others_appended() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("10.log");
        let file = Disk.open(&path, Open::New).unwrap();
        file.append(b"ours\n").unwrap();
        std::fs::write(&path, "ours\ntheirs\n").unwrap();
        file.append(b"ours\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "ours\ntheirs\nours\n");
    }

    #[test]
    fn blocks_read_back_at_once_wherever_they_are_in_memory_and_other_writes_go_on() {
        const BLOCK: usize = 4096;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("blocks");
        let file = Disk.open(&path, Open::Emptied).unwrap();
        let other = Disk.open(&path, Open::Reading).unwrap();
        file.write_at(&[1; 100], 0).unwrap();
        let memories = [vec![2; 3 * BLOCK], vec![3; 3 * BLOCK]];
        // The second can't go past the page cache.
        for shift in [0, 1] {
            let [first, second] = memories.each_ref().map(|memory| {
                let start = memory.as_ptr().align_offset(BLOCK) + shift;
                &memory[start..start + BLOCK]
            });
            let mut parts = [first, &[], second].map(IoSlice::new);
            let mut read = vec![0; 3 * BLOCK];
            assert_eq!(read_full_at(other.as_ref(), &mut read, 0).unwrap() % BLOCK, 100 % BLOCK);
            write_all_blocks_at(file.as_ref(), &mut parts, BLOCK as u64).unwrap();
            file.write_at(b"no block", BLOCK as u64 - 8).unwrap();
            file.sync().unwrap();
            assert_eq!(read_full_at(other.as_ref(), &mut read, 0).unwrap(), 3 * BLOCK);
            assert!(read[..100] == [1; 100] && read[BLOCK - 8..BLOCK] == *b"no block");
            assert!(read[BLOCK..] == [first, second].concat());
            file.set_len(100).unwrap();
        }
    }
}
