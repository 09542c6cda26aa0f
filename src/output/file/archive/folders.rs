//! The folders in which names may have been made since the last checkpoint.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::storage::{Storage, folder_of};

/// Folders that the next checkpoint makes durable.
///
/// For each file that was opened or made, that is its folder and every one above it: a folder that was there when we
/// came may have been made a moment before by another output, or by a process that was killed before its checkpoint.
#[derive(Debug, Default)]
pub(super) struct UnsyncedFolders {
    folders: BTreeSet<PathBuf>,
}

impl UnsyncedFolders {
    /// Takes up the folders of a file.
    pub(super) fn add(&mut self, path: &Path) {
        let mut folder = folder_of(path);
        while self.folders.insert(folder.to_owned()) {
            if folder.parent().is_none() || folder == Path::new(".") {
                break;
            }
            folder = folder_of(folder);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.folders.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(PathBuf::as_path)
    }

    pub(super) fn clear(&mut self) {
        self.folders.clear();
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
        folders.add(Path::new(path));
        folders.iter().map(|folder| folder.display().to_string()).collect()
    }

    #[test]
    fn every_folder_up_to_the_root_is_taken_up() {
        assert_eq!(folders_of("/var/log/a.log"), ["/", "/var", "/var/log"]);
        assert_eq!(folders_of("data/archive/a.log"), [".", "data", "data/archive"]);
        assert_eq!(folders_of("a.log"), ["."]);
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
