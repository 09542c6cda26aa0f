//! Everything that the journal, the cursors and the archive ask of a disk, behind one seam.
//!
//! [`Disk`] is the real thing. Tests put another storage in its place, which fails, loses what was not synced, and tears
//! what was half written: a `kill` can't notice a missing sync.

mod identity;
mod large_writes;
mod real;
#[cfg(feature = "simulation")]
pub mod simulated;

use std::fmt;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub use identity::{Identity, Stat};
pub use large_writes::LargeWrites;
pub(crate) use large_writes::{Parts, align, bytes_until_alike};
pub use real::Disk;

/// How often something is read at once before the disk is taken for damaged there.
const TRIES: u32 = 5;

/// The file systems of a machine. Each method is one system call, or comes out as one.
pub trait Storage: Send + Sync + fmt::Debug {
    /// What lies at a path, behind symbolic links; `None` where there is nothing.
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;
    /// Opens a file.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StorageFile>>;
    /// Makes one folder (0750), in a folder that must be there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, in the place of whatever had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file one more name, which nothing may have yet; an error of kind `AlreadyExists` otherwise.
    fn link(&self, file: &Path, name: &Path) -> io::Result<()>;
    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// What lies in a folder, in no order; empty where there is no such folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// A number that nobody drew before, to name what must never be taken for something else.
    fn draw(&self) -> u128;
    /// How files are appended to in large pieces.
    fn large_writes(&self) -> LargeWrites {
        LargeWrites::default()
    }
}

/// An open file.
pub trait StorageFile: Send + Sync + fmt::Debug {
    /// What it is now.
    fn stat(&self) -> io::Result<Stat>;
    /// Reads; gives how many bytes were read, which may be fewer, and is 0 at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes; gives how many bytes were written, which may be fewer.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// As [`write_at`](Self::write_at), of parts that lie here and there in memory and side by side in the file.
    fn write_parts_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let first = parts.iter().find(|part| !part.is_empty());
        first.map_or(Ok(0), |part| self.write_at(part, offset))
    }
    /// As [`write_parts_at`](Self::write_parts_at), of whole blocks of 4096 bytes, in memory and in the file. Goes past the
    /// page cache where the file system can do that: nobody reads them soon, and copying them into new pages costs more than
    /// the rest of the way to the disk. They are no more durable for that before a [`sync`](Self::sync).
    fn write_blocks_at(&self, blocks: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        self.write_parts_at(blocks, offset)
    }
    /// Writes at the end, wherever it is by now; gives how many bytes were written, which may be fewer.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// As [`append`](Self::append), of whole blocks, to a file that ends with one; goes past the page cache as
    /// [`write_blocks_at`](Self::write_blocks_at) does.
    fn append_blocks(&self, blocks: &[u8]) -> io::Result<usize> {
        self.append(blocks)
    }
    /// Cuts a file off.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// Takes space for so many bytes from an offset on, zeros until they are written, so that writing there can't fail
    /// for want of it.
    fn allocate(&self, offset: u64, length: u64) -> io::Result<()>;
    /// Makes content and length durable. After an error nobody knows what is: the kernel may have dropped what it could
    /// not write, and call the next sync a success.
    fn sync(&self) -> io::Result<()>;
    /// Lets the system use the memory in which it still holds these synced bytes for something else. A hint: it changes
    /// nothing that can be read.
    fn let_go(&self, _offset: u64, _length: u64) {}
    /// Has nothing read from the disk through this file but what is asked for: not what the system would read ahead of
    /// a reader, which can be many mebibytes that whoever else uses the disk then waits for. A hint.
    fn read_no_further(&self) {}
    /// Has these bytes read into memory meanwhile, as they will soon be asked for. A hint.
    fn read_ahead(&self, _offset: u64, _length: u64) {}
    /// Makes everything durable on the file system that this file is on. Before Linux 5.8 this does not report errors of
    /// files that it had to write.
    fn sync_filesystem(&self) -> io::Result<()>;
}

/// How a file is opened. Those that are made are for owner and group only (0640).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// For reading. It must be there, as for the next two.
    Reading,
    /// For reading and writing at offsets.
    Writing,
    /// For reading and appending.
    Appending,
    /// Makes it, for reading and appending; an error of kind `AlreadyExists` where something has the name.
    New,
    /// Makes it or empties it, for reading and writing at offsets.
    Emptied,
    /// Makes it, for reading and writing at offsets, and for nobody but the owner (0600); an error of kind
    /// `AlreadyExists` where something has the name.
    Private,
}

/// Something in a folder. The order is by age, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub modified: SystemTime,
    pub path: PathBuf,
    /// Bytes.
    pub length: u64,
    pub is_folder: bool,
}

/// The disks of this machine, to be shared.
pub fn disk() -> Arc<dyn Storage> {
    Arc::new(Disk)
}

/// Appends all of it, in as many calls as it takes.
pub(crate) fn append_all(file: &dyn StorageFile, bytes: &[u8]) -> io::Result<()> {
    write_all(bytes, |rest, _| file.append(rest))
}

/// Appends whole blocks, in as many calls as it takes.
pub(crate) fn append_all_blocks(file: &dyn StorageFile, blocks: &[u8]) -> io::Result<()> {
    write_all(blocks, |rest, _| file.append_blocks(rest))
}

/// Writes all of it, in as many calls as it takes.
pub(crate) fn write_all_at(file: &dyn StorageFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    write_all(bytes, |rest, written| file.write_at(rest, offset + written))
}

/// Writes all parts, one behind the other, in as many calls as it takes.
pub(crate) fn write_all_parts_at(
    file: &dyn StorageFile,
    parts: &mut [IoSlice<'_>],
    offset: u64,
) -> io::Result<()> {
    write_parts(parts, |rest, written| file.write_parts_at(rest, offset + written))
}

/// As [`write_all_parts_at`], of whole blocks.
pub(crate) fn write_all_blocks_at(
    file: &dyn StorageFile,
    blocks: &mut [IoSlice<'_>],
    offset: u64,
) -> io::Result<()> {
    write_parts(blocks, |rest, written| file.write_blocks_at(rest, offset + written))
}

/// Fills as much of a buffer as the file has bytes for; gives how many that are.
pub(crate) fn read_full_at(file: &dyn StorageFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads a whole file, which must be a small one; `None` where there is none.
pub(crate) fn read_file(storage: &dyn Storage, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match storage.open(path, Open::Reading) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    // One byte more than it had, to notice if it grows meanwhile.
    let mut bytes = vec![0; usize::try_from(file.stat()?.length).unwrap_or(usize::MAX).saturating_add(1)];
    let mut length = 0;
    loop {
        length += read_full_at(file.as_ref(), &mut bytes[length..], length as u64)?;
        if length < bytes.len() {
            bytes.truncate(length);
            return Ok(Some(bytes));
        }
        bytes.resize(2 * length, 0);
    }
}

/// Whether an error says that there is no space: none on the disk, or none that this user may have.
pub(crate) fn is_for_want_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether an error says that the disk, or the file system on it, can't read what is there. Anything else (no permission, too
/// many open files, no memory) says nothing of what is there.
pub(crate) fn is_for_damage(error: &io::Error) -> bool {
    // EIO, ENODATA (a medium error), EBADMSG and EUCLEAN (checksums of the file system), EILSEQ (of the disk), EREMOTEIO.
    matches!(error.raw_os_error(), Some(5 | 61 | 74 | 84 | 117 | 121))
}

/// Does something that reads, a few times where the disk can't: what is found only then is taken for damage.
pub(crate) fn insist<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..TRIES {
        match read() {
            Err(error) if is_for_damage(&error) => {}
            result => return result,
        }
    }
    read()
}

/// The folder that holds a path.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn write_all(bytes: &[u8], mut write: impl FnMut(&[u8], u64) -> io::Result<usize>) -> io::Result<()> {
    write_parts(&mut [IoSlice::new(bytes)], |rest, written| write(&rest[0], written))
}

fn write_parts(
    mut parts: &mut [IoSlice<'_>],
    mut write: impl FnMut(&[IoSlice<'_>], u64) -> io::Result<usize>,
) -> io::Result<()> {
    let mut written = 0;
    // Those at the beginning that are empty.
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match write(parts, written) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                written += count as u64;
                IoSlice::advance_slices(&mut parts, count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_does_not_read_is_damage_and_what_one_may_not_do_is_none() {
        // EPERM, ENOENT, ENOMEM, EACCES, ENFILE, EMFILE, ENOSPC, EROFS
        for (errno, is) in [5, 61, 74, 84, 117, 121]
            .map(|errno| (errno, true))
            .into_iter()
            .chain([1, 2, 12, 13, 23, 24, 28, 30].map(|errno| (errno, false)))
        {
            assert_eq!(is_for_damage(&io::Error::from_raw_os_error(errno)), is, "errno {errno}");
        }
        assert!(!is_for_damage(&io::Error::other("something")));
    }

    #[test]
    fn a_full_disk_and_an_exhausted_quota_are_for_want_of_space_and_a_broken_disk_is_not() {
        for (errno, is) in [(28, true), (122, true), (5, false), (30, false), (27, false)] {
            assert_eq!(is_for_want_of_space(&io::Error::from_raw_os_error(errno)), is, "errno {errno}");
        }
    }
}
