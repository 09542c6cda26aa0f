//! Why a journal can't be opened.

use std::io;
use std::path::PathBuf;

use crate::journal::format::segment_header::SegmentHeaderError;
use crate::journal::{CursorError, SetAsideError};

/// A journal that can't be opened; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot {action} {}: {source}{}", path.display(), advice(source))]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{} is in use by another hikyaku: stop that one first, or give this one a data_dir of its own",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error("{} can't be used: {source}. Move it away to start without it", path.display())]
    Segment { path: PathBuf, source: SegmentHeaderError },
    #[error(
        "{} belongs to another journal than {}: two data folders were mixed. Move one of them away",
        path.display(),
        other.display()
    )]
    Mixed { path: PathBuf, other: PathBuf },
    #[error(transparent)]
    Cursor(#[from] CursorError),
    #[error(transparent)]
    SetAside(#[from] SetAsideError),
}

/// What an operator can do where it is not the disk that fails.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied
        | io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::ReadOnlyFilesystem => {
            "; `data_dir` in [server] must name a folder that the user of this process may make and write to"
        }
        _ => "",
    }
}
