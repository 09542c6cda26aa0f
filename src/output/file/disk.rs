//! The system calls that archive files are made of, behind a seam: tests fail each of them in turn.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Archives hold what customers' logs hold: for the owner and the group.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// Which file it is, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) length: u64,
}

impl Stat {
    /// Whether both are the same file, whatever its length.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// What the archive does to a disk.
pub(super) trait Disk: Send + std::fmt::Debug {
    /// Makes a folder and those above it; gives those that were missing, outermost first.
    fn create_folders(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Opens a file for reading and writing; `None` where there is none.
    fn open(&self, path: &Path) -> io::Result<Option<File>>;
    /// Makes a file; `None` where there is one already.
    fn create(&self, path: &Path) -> io::Result<Option<File>>;
    /// What lies at a path; `None` where there is nothing.
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>>;
    /// What an open file is now.
    fn stat_open(&self, file: &File) -> io::Result<Stat>;
    /// Writes all bytes at an offset.
    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file.
    fn cut(&self, file: &File, length: u64) -> io::Result<()>;
    /// Syncs a file's content.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Syncs everything on the file system that a file is on.
    fn sync_file_system(&self, file: &File) -> io::Result<()>;
    /// Syncs the names in a folder.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The disks of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn create_folders(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut missing = Vec::new();
        let mut above = Some(folder);
        while let Some(folder) = above.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            missing.push(folder.to_owned());
            above = folder.parent();
        }
        missing.reverse();
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        Ok(missing)
    }

    fn open(&self, path: &Path) -> io::Result<Option<File>> {
        found(OpenOptions::new().read(true).write(true).open(path))
    }

    fn create(&self, path: &Path) -> io::Result<Option<File>> {
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(FILE_MODE).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            created => created.map(Some),
        }
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        Ok(found(std::fs::metadata(path))?.map(|metadata| stat(&metadata)))
    }

    fn stat_open(&self, file: &File) -> io::Result<Stat> {
        Ok(stat(&file.metadata()?))
    }

    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_file_system(&self, file: &File) -> io::Result<()> {
        Ok(rustix::fs::syncfs(file)?)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}

fn stat(metadata: &std::fs::Metadata) -> Stat {
    Stat { device: metadata.dev(), inode: metadata.ino(), length: metadata.len() }
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}
