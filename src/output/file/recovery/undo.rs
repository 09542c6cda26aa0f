//! Undoing what was done to one file.

use std::io;
use std::path::Path;

use super::plan::{Before, Step};
use super::undone::UndoneFolder;
use super::{Outcome, RecoveryError};
use crate::storage::{Identity, Open, Storage, StorageFile, folder_of};

/// Brings one file back; `None` where there was nothing to do.
pub(super) fn undo(
    storage: &dyn Storage,
    step: &Step<'_>,
    number: usize,
    undone: &UndoneFolder<'_>,
) -> Result<Option<Outcome>, RecoveryError> {
    let path = step.path;
    let in_file = |source| RecoveryError::File { path: path.to_owned(), source };
    match step.before {
        Before::Absent => remove_empty(storage, path).map(|()| None).map_err(in_file),
        Before::There { identity, length } => {
            let Some(file) = open(storage, path).map_err(in_file)? else {
                return sync_names(storage, path).map(|()| Some(Outcome::Removed)).map_err(in_file);
            };
            let found = file.stat().map_err(in_file)?;
            if !found.identity.is_same_file(&identity) {
                return sync_names(storage, path).map(|()| Some(Outcome::Moved)).map_err(in_file);
            }
            if found.length <= length {
                // A recovery before this one may have cut it, and ended before it could sync that; nor may whoever else
                // cut it have. After the next power failure it would have its tail back.
                file.sync().map_err(in_file)?;
                return Ok((found.length < length).then_some(Outcome::Cut));
            }
            undone.keep(storage, path, number, file.as_ref(), length..found.length)?;
            file.set_len(length).map_err(in_file)?;
            file.sync().map_err(in_file)?;
            Ok(Some(Outcome::Undone { bytes: found.length - length }))
        }
        Before::Made { identity } => {
            let Some(file) = open(storage, path).map_err(in_file)? else {
                // Perhaps because a recovery before this one removed it.
                return sync_names(storage, path).map(|()| None).map_err(in_file);
            };
            let found = file.stat().map_err(in_file)?;
            if !found.identity.is_same_file(&identity) {
                return sync_names(storage, path).map(|()| Some(Outcome::Moved)).map_err(in_file);
            }
            undone.keep(storage, path, number, file.as_ref(), 0..found.length)?;
            remove(storage, path, &identity).map_err(in_file)?;
            Ok(Some(Outcome::Undone { bytes: found.length }))
        }
    }
}

fn open(storage: &dyn Storage, path: &Path) -> io::Result<Option<Box<dyn StorageFile>>> {
    // Opening a pipe or a device could wait, or worse.
    match storage.stat(path)? {
        Some(found) if found.is_regular => storage.open(path, Open::Appending).map(Some),
        _ => Ok(None),
    }
}

fn remove_empty(storage: &dyn Storage, path: &Path) -> io::Result<()> {
    match storage.stat(path)? {
        Some(found) if found.is_regular && found.length == 0 => remove(storage, path, &found.identity),
        _ => Ok(()),
    }
}

/// Makes it durable that our file does not lie at a path. Whoever took it away may not have; and after the next power
/// failure it would be back, with lines that were delivered again meanwhile.
fn sync_names(storage: &dyn Storage, path: &Path) -> io::Result<()> {
    match storage.sync_folder(folder_of(path)) {
        // Without its folder it can't come back.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(())
        }
        synced => synced,
    }
}

/// Removes what lies at a path, if it still is what we looked at.
fn remove(storage: &dyn Storage, path: &Path, identity: &Identity) -> io::Result<()> {
    if storage.stat(path)?.is_some_and(|found| found.identity.is_same_file(identity)) {
        storage.remove(path)?;
        storage.sync_folder(folder_of(path))?;
    }
    Ok(())
}
