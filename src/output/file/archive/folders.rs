//! The folders in which names may have been made since the last checkpoint.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::file_key::FileKey;
use crate::storage::{Storage, folder_of};

/// Folders that the next checkpoint makes durable.
///
/// For each file that was opened or made, that is its folder and every one above it: a folder that was there when we
/// came may have been made a moment before by another output, or by a process that was killed before its checkpoint.
#[derive(Debug, Default)]
pub(super) struct UnsyncedFolders {
    /// The files: with many of them their folders would take several times as much memory.
    of: HashSet<FileKey>,
}

impl UnsyncedFolders {
    /// Takes up the folders of a file.
    pub(super) fn add(&mut self, path: &Arc<Path>) {
        self.of.insert(FileKey(Arc::clone(path)));
    }

    /// All of them, each after the one that it lies in, and in an order that is the same each time.
    pub(super) fn all(&self) -> Vec<&Path> {
        let mut folders: HashSet<&OsStr> = HashSet::new();
        for FileKey(path) in &self.of {
            let mut folder = folder_of(path);
            // What lies above a folder that is there is there as well.
            while folders.insert(folder.as_os_str()) {
                if folder.parent().is_none() || folder == Path::new(".") {
                    break;
                }
                folder = folder_of(folder);
            }
        }
        let mut all: Vec<_> = folders.into_iter().collect();
        all.sort_unstable();
        all.into_iter().map(Path::new).collect()
    }

    pub(super) fn clear(&mut self) {
        self.of = HashSet::new();
    }
}

/// Makes a folder and those above it that are missing.
pub(super) fn make_folders(storage: &dyn Storage, folder: &Path) -> io::Result<()> {
    let mut missing = vec![folder];
    while let Some(folder) = missing.last() {
        match storage.create_folder(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match folder.parent() {
                Some(above) if !above.as_os_str().is_empty() => missing.push(above),
                _ => return Err(error),
            },
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => drop(missing.pop()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Disk;

    fn folders_of(path: &str) -> Vec<String> {
        let mut folders = UnsyncedFolders::default();
        folders.add(&Path::new(path).into());
        folders.all().into_iter().map(|folder| folder.display().to_string()).collect()
    }

    #[test]
    fn every_folder_up_to_the_root_is_taken_up() {
        assert_eq!(folders_of("/var/log/a.log"), ["/", "/var", "/var/log"]);
        assert_eq!(folders_of("data/archive/a.log"), [".", "data", "data/archive"]);
        assert_eq!(folders_of("a.log"), ["."]);
    }

    #[test]
    fn a_folder_is_there_once_for_all_files_below_it() {
        let mut folders = UnsyncedFolders::default();
        for path in ["/b/d/2.log", "/a/1.log", "/b/c/1.log", "/b/d/1.log"] {
            folders.add(&Path::new(path).into());
        }
        assert_eq!(folders.all(), ["/", "/a", "/b", "/b/c", "/b/d"].map(Path::new));
        folders.clear();
        assert!(folders.all().is_empty());
    }

    #[test]
    fn missing_folders_are_made_from_the_top_and_those_that_are_there_stay() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b/c");
        for _ in 0..2 {
            make_folders(&Disk, &folder).unwrap();
            assert!(folder.is_dir());
        }
        make_folders(&Disk, &root.path().join("a/b/d")).unwrap();
    }

    #[test]
    fn a_file_in_the_way_of_a_folder_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("a"), "").unwrap();
        make_folders(&Disk, &root.path().join("a/b/c")).unwrap_err();
    }
}
