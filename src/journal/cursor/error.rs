//! Why a cursor can't be used.

use std::io;
use std::path::PathBuf;

use crate::journal::format::FORMAT_VERSION;

/// A cursor file that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    #[error("cannot {action} the cursor {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// Only recovery can tell which cursor is on disk.
    #[error("cannot tell whether the cursor {} was saved: {source}. Check the disk", path.display())]
    Uncertain { path: PathBuf, source: io::Error },
    #[error(
        "the cursor {} is damaged: its output can't tell what it delivered. Restore the file from a backup, or remove \
         it to let the output start anew (see its `start` key), which may deliver twice or leave a gap",
        path.display()
    )]
    Damaged { path: PathBuf },
    #[error("the request {} is damaged: ask again with hikyaku journal replay", path.display())]
    DamagedRequest { path: PathBuf },
    #[error(
        "the cursor {} has format {found}, and this hikyaku reads format {FORMAT_VERSION}: use a newer hikyaku",
        path.display()
    )]
    Version { path: PathBuf, found: u16 },
}
