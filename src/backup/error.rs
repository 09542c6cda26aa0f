//! Why there is no backup.

use std::io;
use std::path::{Path, PathBuf};

use crate::journal::CursorError;
use crate::journal::inspect::InspectError;
use crate::output::file::ReadUndoLogError;

/// A backup could not be made. What is in its folder is none.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is not empty: name a folder that is new, so that no two backups are mixed", target.display())]
    NotEmpty { target: PathBuf },
    #[error(
        "{} lies in {}, which is to be copied: name a folder outside of it",
        target.display(), folder.display()
    )]
    Inside { target: PathBuf, folder: PathBuf },
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Cursor(#[from] CursorError),
    #[error(transparent)]
    Inspect(#[from] InspectError),
    #[error("cannot read the undo log {}: {source}", path.display())]
    UndoLog { path: PathBuf, source: ReadUndoLogError },
    #[error(
        "in each of {passes} passes an output saved its cursor while files were copied, so that they are of no one moment. \
         Try again when there is less to do, make `checkpoint_interval` longer, or take the backup while the server is \
         stopped"
    )]
    NoRest { passes: u32 },
}

impl BackupError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }
}
