//! The disks of this machine.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::identity::{Identity, Stat};
use super::storage::{Listed, Storage};

/// Archives hold what customers' logs hold: for the owner and the group.
const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// The real thing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Storage for Disk {
    type File = File;

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            metadata => Ok(Some(stat(&metadata?))),
        }
    }

    fn stat_open(&self, file: &File) -> io::Result<Stat> {
        Ok(stat(&file.metadata()?))
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).open(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).create_new(true).mode(FILE_MODE).open(path)
    }

    fn append(&self, mut file: &File, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut file, bytes)
    }

    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_at(buffer, offset)
    }

    fn set_len(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn sync_filesystem(&self, file: &File) -> io::Result<()> {
        Ok(rustix::fs::syncfs(file)?)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(FOLDER_MODE).create(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let entries = match std::fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                let modified = metadata.modified()?;
                files.push(Listed { modified, path: entry.path(), length: metadata.len() });
            }
        }
        Ok(files)
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

    #[test]
    fn files_and_folders_are_for_owner_and_group_only() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("customer");
        Disk.create_folder(&folder).unwrap();
        Disk.create(&folder.join("10.log")).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        // The process's own mask may take away more.
        assert_eq!(mode(&folder) | 0o050, 0o750);
        assert_eq!(mode(&folder.join("10.log")) | 0o040, 0o640);
    }

    #[test]
    fn a_file_keeps_its_identity_under_another_name_and_a_removed_one_has_no_name() {
        let root = tempfile::tempdir().unwrap();
        let (here, there) = (root.path().join("here"), root.path().join("there"));
        let file = Disk.create(&here).unwrap();
        let before = Disk.stat(&here).unwrap().unwrap();
        std::fs::rename(&here, &there).unwrap();
        assert_eq!(Disk.stat(&here).unwrap(), None);
        assert!(Disk.stat(&there).unwrap().unwrap().identity.is_same_file(&before.identity));
        Disk.remove(&there).unwrap();
        assert_eq!(Disk.stat_open(&file).unwrap().names, 0);
    }

    #[test]
    fn what_is_appended_goes_behind_what_others_appended() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("10.log");
        let file = Disk.create(&path).unwrap();
        Disk.append(&file, b"ours\n").unwrap();
        std::fs::write(&path, "ours\ntheirs\n").unwrap();
        Disk.append(&file, b"ours\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "ours\ntheirs\nours\n");
    }
}
