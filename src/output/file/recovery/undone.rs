//! Keeping what recovery cuts off.
//!
//! The journal delivers the same lines again, so nobody needs these files, unless somebody else had written into an
//! archive. They are named `GENERATION-LIFE-NUMBER-PATH`: generation and life of the undo log, number of the file in
//! it, and the path with `_` for `/`. The same recovery, begun again, writes the same files again; no other does.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{RecoveryError, RecoveryOptions};
use crate::storage::{Open, Storage, StorageFile, append_all, folder_of, read_full_at};

/// What is copied at once, in bytes.
const COPY_LENGTH: usize = 256 * 1024;

/// Bytes of a path that a file name keeps, from the end; names have at most 255.
const MAX_NAME_LENGTH: usize = 180;

/// Where the tails of one undo log go.
#[derive(Debug)]
pub(super) struct UndoneFolder<'a> {
    options: &'a RecoveryOptions,
    generation: u64,
    life: u32,
}

impl<'a> UndoneFolder<'a> {
    pub(super) fn new(options: &'a RecoveryOptions, generation: u64, life: u32) -> Self {
        Self { options, generation, life }
    }

    /// Copies a part of a file, durably.
    pub(super) fn keep(
        &self,
        storage: &dyn Storage,
        path: &Path,
        number: usize,
        file: &dyn StorageFile,
        part: Range<u64>,
    ) -> Result<(), RecoveryError> {
        let length = part.end - part.start;
        if length == 0 || length > self.options.undone_max_size {
            return Ok(());
        }
        let undone = self.name(path, number);
        self.make_room(storage, &undone, length)
            .and_then(|()| copy(storage, file, part, &undone))
            .and_then(|()| storage.sync_folder(&self.options.undone_folder))
            .map_err(|source| RecoveryError::Undone { path: path.to_owned(), undone, source })
    }

    fn name(&self, path: &Path, number: usize) -> PathBuf {
        let flat: String = path
            .to_string_lossy()
            .trim_start_matches('/')
            .chars()
            .map(|character| if character == '/' || character.is_control() { '_' } else { character })
            .collect();
        let mut start = flat.len().saturating_sub(MAX_NAME_LENGTH);
        while !flat.is_char_boundary(start) {
            start += 1;
        }
        let name = format!("{}-{:08x}-{number}-{}", self.generation, self.life, &flat[start..]);
        self.options.undone_folder.join(name)
    }

    /// Removes the oldest files until one of this length has room, and what an interrupted recovery left of it.
    fn make_room(&self, storage: &dyn Storage, undone: &Path, length: u64) -> io::Result<()> {
        let folder = &self.options.undone_folder;
        let mut files = storage.list(folder)?;
        files.retain(|file| !file.is_folder);
        files.sort_unstable();
        let mut total: u64 = files.iter().map(|file| file.length).sum();
        for file in files {
            if file.path == undone || total > self.options.undone_max_size - length {
                storage.remove(&file.path)?;
                total -= file.length;
            }
        }
        for folder in folder.parent().into_iter().chain([folder.as_path()]) {
            match storage.create_folder(folder) {
                Ok(()) => storage.sync_folder(folder_of(folder))?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn copy(storage: &dyn Storage, from: &dyn StorageFile, part: Range<u64>, to: &Path) -> io::Result<()> {
    let copy = storage.open(to, Open::New)?;
    let mut buffer = vec![0; COPY_LENGTH];
    let mut at = part.start;
    while at < part.end {
        let wanted = usize::try_from(part.end - at).unwrap_or(COPY_LENGTH).min(COPY_LENGTH);
        let count = read_full_at(from, &mut buffer[..wanted], at)?;
        if count == 0 {
            break;
        }
        append_all(copy.as_ref(), &buffer[..count])?;
        at += count as u64;
    }
    copy.sync()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::storage::Disk;

    fn options(folder: &Path, undone_max_size: u64) -> RecoveryOptions {
        RecoveryOptions {
            undo_folder: folder.to_owned(),
            generation: 3,
            undone_folder: folder.join("undone/archive"),
            undone_max_size,
        }
    }

    fn names(options: &RecoveryOptions) -> Vec<String> {
        let mut files = Disk.list(&options.undone_folder).unwrap();
        files.sort();
        files.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    fn keep(options: &RecoveryOptions, number: usize, part: Range<u64>) {
        let path = options.undo_folder.join("source");
        if !path.exists() {
            std::fs::write(&path, "0123456789").unwrap();
        }
        let file = Disk.open(&path, Open::Reading).unwrap();
        let folder = UndoneFolder::new(options, 3, 0xab);
        folder.keep(&Disk, Path::new("/var/log/a.log"), number, file.as_ref(), part).unwrap();
    }

    #[test]
    fn what_is_cut_off_is_kept_under_a_name_that_tells_where_it_was() {
        let root = tempfile::tempdir().unwrap();
        let options = options(root.path(), 100);
        keep(&options, 0, 4..10);
        assert_eq!(names(&options), ["3-000000ab-0-var_log_a.log"]);
        let kept = options.undone_folder.join("3-000000ab-0-var_log_a.log");
        assert_eq!(std::fs::read(&kept).unwrap(), b"456789");
        // The same recovery, begun again.
        keep(&options, 0, 4..10);
        assert_eq!(std::fs::read(&kept).unwrap(), b"456789");
    }

    #[test]
    fn the_oldest_go_first_and_what_just_fits_stays() {
        let root = tempfile::tempdir().unwrap();
        let options = options(root.path(), 20);
        for (number, age) in [(0, 60), (1, 30)] {
            keep(&options, number, 0..10);
            let path = options.undone_folder.join(format!("3-000000ab-{number}-var_log_a.log"));
            let modified = SystemTime::now() - Duration::from_secs(age);
            std::fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
        }
        assert_eq!(names(&options).len(), 2);
        keep(&options, 2, 0..1);
        assert_eq!(names(&options), ["3-000000ab-1-var_log_a.log", "3-000000ab-2-var_log_a.log"]);
    }

    #[test]
    fn what_is_larger_than_the_limit_is_not_kept_and_displaces_nothing() {
        let root = tempfile::tempdir().unwrap();
        let options = options(root.path(), 9);
        keep(&options, 0, 0..9);
        keep(&options, 1, 0..10);
        keep(&options, 2, 5..5);
        assert_eq!(names(&options), ["3-000000ab-0-var_log_a.log"]);
    }

    #[test]
    fn long_paths_keep_their_end() {
        let root = tempfile::tempdir().unwrap();
        let options = options(root.path(), 9);
        let path = format!("/{}/飛脚/10.log.gz", "x".repeat(400));
        let name = UndoneFolder::new(&options, u64::MAX, u32::MAX).name(Path::new(&path), 65_535);
        let name = name.file_name().unwrap().to_str().unwrap();
        assert!(name.len() <= 255 && name.ends_with("飛脚_10.log.gz"), "{name}");
    }
}
