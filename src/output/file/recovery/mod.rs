//! Taking back what was written after the last checkpoint.
//!
//! Runs before anything else touches an archive, for every output that has a folder, also for those that the
//! configuration no longer has. Doing it twice does no harm, so a crash in the middle of it does none either.
//!
//! | the undo log says | at the path lies | then |
//! | --- | --- | --- |
//! | existing | the same file, longer | the tail is kept in `undone/`, the file cut to the recorded length |
//! | | the same file, as long | synced: a recovery that was interrupted may have cut it |
//! | | the same file, shorter | left alone, counted as `cut`; synced, so that it stays like that |
//! | | another file | left alone, counted as `moved`; the folder is synced likewise |
//! | | nothing | counted as `removed`; the folder is synced, so that it stays like that |
//! | created | the same file | its content is kept in `undone/`, the file removed |
//! | | another file | left alone, counted as `moved`; the folder is synced likewise |
//! | | nothing | that is what it was; the folder is synced likewise |
//! | absent only | an empty file | removed |
//! | | anything else | left alone: nothing of ours is in it |
//!
//! A file that is recorded more than once in a generation, because somebody else changed it in between, is cut to the
//! least of its lengths.

mod plan;
mod restored;
mod undo;
mod undone;

use std::io;
use std::path::{Path, PathBuf};

use super::undo::{ReadUndoLogError, generation_of, read_undo_log};
use crate::metrics::OutputMetrics;
use crate::storage::Storage;
use plan::Plan;
pub(crate) use restored::set_undo_logs_aside;
use undone::UndoneFolder;

/// Where the files of an output, and what is known about them, lie.
#[derive(Debug, Clone)]
pub struct RecoveryOptions {
    /// `DATA_DIR/outputs/ID`, with the undo logs.
    pub undo_folder: PathBuf,
    /// That of the saved cursor; 0 where none was ever saved. The cursor must be durable.
    pub generation: u64,
    /// `DATA_DIR/undone/ID`, for what is cut off.
    pub undone_folder: PathBuf,
    /// Bytes that may lie there; the oldest files go first. What is larger by itself is not kept.
    pub undone_max_size: u64,
}

/// What came of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is again what it was at the checkpoint; so many bytes were taken away.
    Undone { bytes: u64 },
    /// Somebody else put another file in its place: left alone.
    Moved,
    /// Somebody else cut it: left alone.
    Cut,
    /// Somebody else removed it.
    Removed,
}

/// What recovery did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Each file that was not as the checkpoint had left it.
    pub files: Vec<(PathBuf, Outcome)>,
}

/// Files can't be brought back to their last checkpoint. Nothing may be written to them until they are. Trying again may
/// help, but for an undo log that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error(
        "cannot take back what was written to the archive file {} since the last checkpoint: {source}. Mend its \
         permissions or its disk; it is tried again until it can be read and written",
        path.display()
    )]
    File { path: PathBuf, source: io::Error },
    #[error(
        "cannot keep what is cut off the archive file {} in {}: {source}. Make room there, or set undone_max_size = 0 to \
         do without",
        path.display(), undone.display()
    )]
    Undone { path: PathBuf, undone: PathBuf, source: io::Error },
    #[error("cannot read the undo log {}: {source}", path.display())]
    UndoLog { path: PathBuf, source: ReadUndoLogError },
    #[error("cannot tidy the folder {} after recovery: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
}

impl RecoveryReport {
    /// Counts what was found.
    pub fn count(&self, metrics: &OutputMetrics) {
        for (_, outcome) in &self.files {
            match outcome {
                Outcome::Undone { .. } => metrics.undone_files.inc(),
                Outcome::Moved => metrics.surprising_file("moved"),
                Outcome::Cut => metrics.surprising_file("cut"),
                Outcome::Removed => metrics.surprising_file("removed"),
            }
        }
    }
}

/// Brings the files of one output back to where its cursor is.
pub fn recover(storage: &dyn Storage, options: &RecoveryOptions) -> Result<RecoveryReport, RecoveryError> {
    let folder = &options.undo_folder;
    let in_folder = |source| RecoveryError::Folder { path: folder.clone(), source };
    let mut logs: Vec<(u64, PathBuf)> = storage
        .list(folder)
        .map_err(in_folder)?
        .into_iter()
        .filter_map(|file| Some((generation_of(&file.path)?, file.path)))
        .collect();
    if logs.is_empty() {
        return Ok(RecoveryReport::default());
    }
    logs.sort_unstable();
    let mut report = RecoveryReport::default();
    // The newest first, should a cursor have been restored from a backup: what came after it is taken back as far as
    // undo logs tell. Those of older generations are void.
    for (generation, path) in logs.iter().rev().filter(|(generation, _)| *generation >= options.generation) {
        if *generation > options.generation {
            tracing::warn!(
                cursor = options.generation, undo_log = %path.display(),
                "the cursor is older than the archive files: lines between the two are delivered twice"
            );
        }
        undo_all(storage, options, path, *generation, &mut report)?;
    }
    for (_, path) in &logs {
        storage.remove(path).map_err(in_folder)?;
    }
    storage.sync_folder(folder).map_err(in_folder)?;
    Ok(report)
}

/// The files that [`recover`] will look at.
pub(crate) fn files_to_recover(
    storage: &dyn Storage,
    options: &RecoveryOptions,
) -> Result<Vec<PathBuf>, RecoveryError> {
    let folder = &options.undo_folder;
    let in_folder = |source| RecoveryError::Folder { path: folder.clone(), source };
    let mut files = Vec::new();
    for listed in storage.list(folder).map_err(in_folder)? {
        let Some(generation) = generation_of(&listed.path) else { continue };
        let log = read_undo_log(storage, &listed.path, generation)
            .map_err(|source| RecoveryError::UndoLog { path: listed.path.clone(), source })?;
        files.extend(log.records.iter().map(|record| record.path().to_owned()));
    }
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

fn undo_all(
    storage: &dyn Storage,
    options: &RecoveryOptions,
    log_path: &Path,
    generation: u64,
    report: &mut RecoveryReport,
) -> Result<(), RecoveryError> {
    let log = read_undo_log(storage, log_path, generation)
        .map_err(|source| RecoveryError::UndoLog { path: log_path.to_owned(), source })?;
    let undone = UndoneFolder::new(options, generation, log.life);
    for (number, step) in Plan::of(&log.records).steps.iter().enumerate() {
        if let Some(outcome) = undo::undo(storage, step, number, &undone)? {
            tracing::warn!(
                path = %step.path.display(), ?outcome,
                "an archive file was not as its last checkpoint left it: what the crash interrupted is written again"
            );
            report.files.push((step.path.to_owned(), outcome));
        }
    }
    Ok(())
}
