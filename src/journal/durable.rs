//! Small files that are replaced as a whole, and folders that are there after a power cut.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Putting a file in place failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplaceError {
    /// The old content is still there, for certain.
    #[error(transparent)]
    Unchanged(io::Error),
    /// There is the old content or the new, now or after a power cut.
    #[error(transparent)]
    Uncertain(io::Error),
}

impl From<ReplaceError> for io::Error {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Unchanged(error) | ReplaceError::Uncertain(error) => error,
        }
    }
}

/// Puts `bytes` in the place of a file so that after a crash there is the old content or the new, never a mixture:
/// written beside it, synced, renamed, and the folder synced.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), ReplaceError> {
    let temporary = path.with_extension("tmp");
    if let Err(error) = write_synced(&temporary, bytes) {
        // What is half written must not hold space that others may need; the first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
        return Err(ReplaceError::Unchanged(error));
    }
    std::fs::rename(&temporary, path).and_then(|()| sync_folder_of(path)).map_err(ReplaceError::Uncertain)
}

/// Makes a folder and those above it, and their names durable.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        folder.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()).collect();
    std::fs::create_dir_all(folder)?;
    missing.into_iter().rev().try_for_each(sync_folder_of)
}

/// Makes the name of a file durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
