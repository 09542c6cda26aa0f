//! Taking back what was written after the last checkpoint.
//!
//! Runs before anything else touches an archive, for every output that has an undo log, also for those that the
//! configuration no longer has. Doing it twice does no harm, so a crash in the middle of it does none either.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Stat};
use super::undo_log::{Undo, UndoLogError, read_undo_log, undo_path};

/// How much of a tail is copied at once.
const COPY_LENGTH: usize = 1024 * 1024;

/// What recovery found in the files of one output.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Recovered {
    /// Files that are again what they were at the checkpoint.
    pub(super) undone: u64,
    /// Files that somebody else had moved, cut or removed: left alone.
    pub(super) surprises: Vec<(PathBuf, &'static str)>,
}

/// Archive files can't be brought back to their last checkpoint. The operator must act; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error("cannot recover the archive file {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot read the undo log {}: {reason}", path.display())]
    UndoLog { path: PathBuf, reason: String },
    #[error(transparent)]
    Cursor(#[from] crate::journal::CursorError),
}

/// Brings the files of one output back to the checkpoint of this generation.
pub(super) fn recover(
    disk: &dyn Disk,
    undo_folder: &Path,
    generation: u64,
    undone_folder: &Path,
) -> Result<Recovered, RecoverError> {
    let path = undo_path(undo_folder, generation);
    let records = read_undo_log(&path, generation).map_err(|error| RecoverError::UndoLog {
        path: path.clone(),
        reason: match error {
            UndoLogError::Io(error) => error.to_string(),
            error @ UndoLogError::Version(_) => error.to_string(),
        },
    })?;
    let mut recovered = Recovered::default();
    let known: HashSet<&Path> =
        records.iter().filter(|record| !matches!(record, Undo::Absent { .. })).map(Undo::path).collect();
    let mut seen: HashSet<&Path> = HashSet::new();
    for (number, record) in records.iter().enumerate() {
        // The first record of a file is what it was at the checkpoint.
        let is_first = !seen.contains(record.path());
        let undone = undone_folder.join(format!("{generation}-{number}{}", ending(record.path())));
        let outcome = match record {
            Undo::Existing { path, stat } if is_first => {
                seen.insert(path);
                cut_back(disk, path, stat, &undone)
            }
            Undo::Created { path, stat } if is_first => {
                seen.insert(path);
                take_away(disk, path, stat, &undone)
            }
            Undo::Absent { path } if is_first && !known.contains(path.as_path()) => {
                seen.insert(path);
                remove_empty(disk, path)
            }
            _ => Ok(Outcome::Nothing),
        };
        let outcome =
            outcome.map_err(|source| RecoverError::File { path: record.path().to_owned(), source })?;
        match outcome {
            Outcome::Nothing => {}
            Outcome::Undone => recovered.undone += 1,
            Outcome::Surprise(what) => recovered.surprises.push((record.path().to_owned(), what)),
        }
    }
    remove_logs(disk, undo_folder)?;
    Ok(recovered)
}

enum Outcome {
    Nothing,
    Undone,
    Surprise(&'static str),
}

/// A file that was there: its tail goes aside, and it is cut to what it was.
fn cut_back(disk: &dyn Disk, path: &Path, before: &Stat, undone: &Path) -> io::Result<Outcome> {
    let Some(file) = disk.open(path)? else { return Ok(Outcome::Surprise("removed")) };
    let now = disk.stat_open(&file)?;
    if !now.is_same_file(before) {
        return Ok(Outcome::Surprise("moved"));
    }
    if now.length < before.length {
        return Ok(Outcome::Surprise("cut"));
    }
    if now.length == before.length {
        return Ok(Outcome::Nothing);
    }
    set_aside(disk, &file, before.length, now.length, undone)?;
    disk.cut(&file, before.length)?;
    disk.sync(&file)?;
    Ok(Outcome::Undone)
}

/// A file that was made since: all of it goes aside.
fn take_away(disk: &dyn Disk, path: &Path, created: &Stat, undone: &Path) -> io::Result<Outcome> {
    // Its name may never have reached the disk, or an earlier recovery took it away: either way nothing is left.
    let Some(file) = disk.open(path)? else { return Ok(Outcome::Nothing) };
    let now = disk.stat_open(&file)?;
    if !now.is_same_file(created) {
        return Ok(Outcome::Surprise("moved"));
    }
    if now.length > 0 {
        set_aside(disk, &file, 0, now.length, undone)?;
    }
    disk.remove(path)?;
    sync_folder_of(disk, path)?;
    Ok(Outcome::Undone)
}

/// A file that was about to be made: nothing was written into it. An empty one may be ours, and holds nothing.
fn remove_empty(disk: &dyn Disk, path: &Path) -> io::Result<Outcome> {
    match disk.stat(path)? {
        Some(stat) if stat.length == 0 => {
            disk.remove(path)?;
            sync_folder_of(disk, path)?;
            Ok(Outcome::Undone)
        }
        Some(_) => Ok(Outcome::Surprise("moved")),
        None => Ok(Outcome::Nothing),
    }
}

/// Copies a tail, durably, before it is cut off: should somebody else have written into the file, nothing is lost.
fn set_aside(disk: &dyn Disk, file: &File, from: u64, to: u64, undone: &Path) -> io::Result<()> {
    if let Some(folder) = undone.parent() {
        disk.create_folders(folder)?;
    }
    let copy = match disk.create(undone)? {
        Some(copy) => copy,
        // From a recovery that did not come to its end.
        None => disk.open(undone)?.ok_or(io::ErrorKind::NotFound)?,
    };
    let mut buffer = vec![0; COPY_LENGTH];
    let mut at = from;
    while at < to {
        let wanted = usize::try_from(to - at).unwrap_or(COPY_LENGTH).min(COPY_LENGTH);
        let count = file.read_at(&mut buffer[..wanted], at)?;
        if count == 0 {
            break;
        }
        disk.write(&copy, at - from, &buffer[..count])?;
        at += count as u64;
    }
    disk.sync(&copy)?;
    sync_folder_of(disk, undone)
}

/// Every log is done with: this generation's is undone, and older ones were void.
fn remove_logs(disk: &dyn Disk, undo_folder: &Path) -> Result<(), RecoverError> {
    let failed = |source| RecoverError::File { path: undo_folder.to_owned(), source };
    let entries = match std::fs::read_dir(undo_folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("undo-")) {
            disk.remove(&path).map_err(failed)?;
        }
    }
    disk.sync_folder(undo_folder).map_err(failed)
}

/// Removes the oldest tails until the rest is within the limit.
pub(super) fn limit_undone(undone_folder: &Path, max_size: u64) -> io::Result<()> {
    let mut files = Vec::new();
    let entries = match std::fs::read_dir(undone_folder) {
        // Nothing of what was undone held anything.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let metadata = entry.metadata()?;
        files.push((metadata.modified()?, entry.path(), metadata.len()));
    }
    files.sort();
    let mut size: u64 = files.iter().map(|(_, _, length)| length).sum();
    for (_, path, length) in files {
        if size <= max_size {
            break;
        }
        std::fs::remove_file(path)?;
        size -= length;
    }
    Ok(())
}

fn ending(path: &Path) -> &'static str {
    if path.extension().is_some_and(|extension| extension == "gz") { ".gz" } else { "" }
}

fn sync_folder_of(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    disk.sync_folder(path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_tails_go_first_and_what_fits_stays() {
        let folder = tempfile::tempdir().unwrap();
        for (age, name) in ["old", "middle", "new"].iter().rev().enumerate() {
            let path = folder.path().join(name);
            std::fs::write(&path, [0; 10]).unwrap();
            let modified = std::time::SystemTime::now() - std::time::Duration::from_secs(age as u64 * 60);
            File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        }
        limit_undone(folder.path(), 30).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        limit_undone(folder.path(), 29).unwrap();
        assert!(!folder.path().join("old").exists());
        limit_undone(folder.path(), 10).unwrap();
        assert!(folder.path().join("new").exists());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        limit_undone(&folder.path().join("never was"), 0).unwrap();
    }
}
