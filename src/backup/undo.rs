//! What files got after the checkpoint that a cursor is from.

use std::path::{Path, PathBuf};

use super::{BackupError, Cursors};
use crate::journal::Position;
use crate::output::file::lengths_at_checkpoint;
use crate::storage::{Identity, disk};

/// A file that was written to after the checkpoint.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) identity: Identity,
    /// What it was at the checkpoint; 0 where it was not there.
    pub(super) length: u64,
}

/// The files that an output has written to since it saved its cursor with this generation.
pub(super) fn read(data_dir: &Path, id: &str, generation: u64) -> Result<Vec<Cut>, BackupError> {
    let folder = folder_of(data_dir, id);
    let lengths = lengths_at_checkpoint(disk().as_ref(), &folder, generation);
    let lengths = lengths.map_err(|(path, source)| BackupError::UndoLog { path, source })?;
    Ok(lengths.into_iter().map(|(identity, length)| Cut { identity, length }).collect())
}

/// Of these cursors, those of outputs that write files: where and at which checkpoint they are.
pub(super) fn file_outputs(
    data_dir: &Path,
    cursors: &Cursors,
) -> Result<Vec<(String, Position, u64)>, BackupError> {
    let mut outputs = Vec::new();
    for (id, cursor) in cursors {
        let folder = folder_of(data_dir, id);
        if disk().stat(&folder).map_err(|source| BackupError::io("look for", &folder, source))?.is_some() {
            outputs.push((id.clone(), cursor.position, cursor.generation));
        }
    }
    Ok(outputs)
}

fn folder_of(data_dir: &Path, id: &str) -> PathBuf {
    data_dir.join("outputs").join(id)
}
