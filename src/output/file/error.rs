//! What can go wrong with archive files, and who has to do something about it.

use std::io;
use std::path::PathBuf;

/// Why a cursor could not be saved, told by whoever saves it.
#[derive(Debug, thiserror::Error)]
pub enum SaveCursorError {
    /// What is on disk is the old cursor, for certain: the new one was not yet put in its place.
    #[error("the old cursor is kept: {0}")]
    Unchanged(io::Error),
    /// It may be the old cursor or the new one, now or after a power failure.
    #[error("it is uncertain which cursor is on disk: {0}")]
    Uncertain(io::Error),
}

/// An archive could not write or save.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Files could not be written. Their lines stay in memory, all others are written: flush again.
    #[error(
        "cannot {action} the archive file {} ({files} files in all): {source}. Its lines are kept and tried again; check \
         free space, permissions and the disk",
        path.display()
    )]
    File {
        action: &'static str,
        /// The first of them.
        path: PathBuf,
        /// How many.
        files: usize,
        source: io::Error,
    },
    /// The undo log could not be written, so no file may be. Flush again.
    #[error(
        "cannot write the undo log {}: {source}. Nothing is written to archive files until it can be; check free space \
         and permissions of the data folder",
        path.display()
    )]
    UndoLog { path: PathBuf, source: io::Error },
    /// The files are fine, the cursor is the old one. Take the checkpoint again.
    #[error(
        "cannot save the cursor, so the journal can't be released: {0}. Check free space in the data folder"
    )]
    Cursor(io::Error),
    /// A checkpoint was asked for while some files are further than others. Flush first.
    #[error("no checkpoint can be taken before the flush that failed has been finished")]
    Unfinished,
    /// What is on disk is uncertain, and every further call fails. Recovery can find out: drop the archive, recover,
    /// and read again from the cursor.
    #[error(
        "it is uncertain what is on disk after a failure of {}: {reason}. Check free space and the disk; the files go back \
         to their last checkpoint, and the lines since then are written again",
        path.display()
    )]
    NeedsRecovery { path: PathBuf, reason: String },
}

impl ArchiveError {
    /// Whether this archive is finished, and only recovery helps; otherwise the same call may be repeated.
    pub fn needs_recovery(&self) -> bool {
        matches!(self, Self::NeedsRecovery { .. })
    }
}
