//! Small files that are replaced as a whole, and folders that are there after a power cut.

use std::io;
use std::path::Path;

use crate::storage::{Open, Storage, folder_of, write_all_at};

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
pub(crate) fn replace_file(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> Result<(), ReplaceError> {
    let temporary = path.with_extension("tmp");
    if let Err(error) = write_synced(storage, &temporary, bytes) {
        // What is half written must not hold space that others may need; the first error is the one to tell.
        let _ = storage.remove(&temporary);
        return Err(ReplaceError::Unchanged(error));
    }
    storage
        .rename(&temporary, path)
        .and_then(|()| sync_folder_of(storage, path))
        .map_err(ReplaceError::Uncertain)
}

/// Makes a folder and those above it, and their names durable. One that is there may have been made a moment before by
/// a process that was killed before it could sync the name.
pub(crate) fn create_folder(storage: &dyn Storage, folder: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    // Neither the root nor what a relative path begins in has a name of its own here.
    for folder in folder.ancestors().take_while(|folder| folder.parent().is_some()) {
        if storage.stat(folder)?.is_some() {
            match sync_folder_of(storage, folder) {
                // One in a folder that we may not read is none that we made.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
            break;
        }
        missing.push(folder);
    }
    for folder in missing.into_iter().rev() {
        match storage.create_folder(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => sync_folder_of(storage, folder)?,
        }
    }
    Ok(())
}

/// Makes the name of a file durable.
pub(crate) fn sync_folder_of(storage: &dyn Storage, path: &Path) -> io::Result<()> {
    storage.sync_folder(folder_of(path))
}

fn write_synced(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = storage.open(path, Open::Emptied)?;
    write_all_at(file.as_ref(), bytes, 0)?;
    file.sync()
}
