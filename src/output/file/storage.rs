//! The system calls that archive files are made of, behind a seam: tests fail each of them in turn, or stop there.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::identity::Stat;

/// What the archive does to a disk. Each method is one system call, or comes out as one.
pub trait Storage: Send + std::fmt::Debug {
    /// An open file.
    type File: Send + std::fmt::Debug;

    /// What lies at a path, behind symbolic links; `None` where there is nothing.
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;
    /// What an open file is now.
    fn stat_open(&self, file: &Self::File) -> io::Result<Stat>;
    /// Opens a file for reading and appending; it must be there.
    fn open(&self, path: &Path) -> io::Result<Self::File>;
    /// Makes a file that only owner and group can read (0640); an error of kind `AlreadyExists` where something has the name.
    fn create(&self, path: &Path) -> io::Result<Self::File>;
    /// Appends at the end, wherever it is by now; gives how many bytes were written, which may be fewer.
    fn append(&self, file: &Self::File, bytes: &[u8]) -> io::Result<usize>;
    /// Reads; 0 at the end.
    fn read_at(&self, file: &Self::File, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Cuts a file off.
    fn set_len(&self, file: &Self::File, length: u64) -> io::Result<()>;
    /// Makes content and length of a file durable.
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Makes everything durable on the file system that a file is on. Before Linux 5.8 this does not report errors of
    /// files that it had to write.
    fn sync_filesystem(&self, file: &Self::File) -> io::Result<()>;
    /// Makes one folder (0750), in a folder that must be there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The files in a folder, without folders; empty where there is no such folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>>;
}

/// A file in a folder. The order is by age, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    pub modified: SystemTime,
    pub path: PathBuf,
    /// Bytes.
    pub length: u64,
}

/// Appends all of it, in as many calls as it takes.
pub(super) fn append_all<S: Storage>(storage: &S, file: &S::File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match storage.append(file, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The folder that holds a path.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
