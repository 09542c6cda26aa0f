//! The undo log: what each file was before an output's first write to it since its last checkpoint.
//!
//! ```text
//! DATA_DIR/outputs/ID/undo-GENERATION              numbers are little-endian
//!
//!  0  8  magic "HKYKUNDO"
//!  8  2  format version: 1
//! 10  2  length of this header: 32
//! 12  4  life: drawn anew for each log, so that two logs of one generation are never taken for each other
//! 16  8  generation: that of the cursor which was saved last when the log was begun
//! 24  4  zero
//! 28  4  CRC-32 of bytes 0 to 28
//! 32  …  records, one after the other:
//!          0  4  length of the path, at most 4096
//!          4  1  kind: 1 existing, 2 absent, 3 created
//!          5  3  zero
//!          8  8  device     (zero where the file is absent, as in the next three)
//!         16  8  inode
//!         24  8  birth: nanoseconds since the Unix epoch, zero where the file system does not keep it
//!         32  8  length of the file
//!         40  …  path
//!          …  4  CRC-32 of life, generation, offset of the record, and all of the record before this
//! ```
//!
//! * *existing*: the file was there, and this long.
//! * *absent*: there was no file, and one is about to be made. Nothing is written into it before
//! * *created* says which file it became.
//!
//! A record is synced before the first byte that it is about is written. So whatever is torn or missing at the end of
//! the log is about writes that never happened; and since a record is true from the moment on in which it is composed,
//! a whole record that follows a torn one is as good as any other.

mod log;
mod read;
mod record;

use std::io;
use std::path::{Path, PathBuf};

use crate::storage::{Identity, Storage};

pub(super) use log::{UndoLog, UndoLogError};
pub use read::ReadUndoLogError;
pub(super) use read::read_undo_log;
pub(super) use record::Undo;

/// The undo logs of all outputs of a data folder, each with why it can't be read, if it can't. A log that is gone again
/// is void.
pub(crate) fn check_undo_logs(
    storage: &dyn Storage,
    data_dir: &Path,
) -> io::Result<Vec<(PathBuf, Option<ReadUndoLogError>)>> {
    let mut checked = Vec::new();
    for folder in storage.list(&data_dir.join("outputs"))?.into_iter().filter(|listed| listed.is_folder) {
        for file in storage.list(&folder.path)? {
            let Some(generation) = generation_of(&file.path) else { continue };
            match read_undo_log(storage, &file.path, generation) {
                Ok(_) => checked.push((file.path, None)),
                Err(ReadUndoLogError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => checked.push((file.path, Some(error))),
            }
        }
    }
    Ok(checked)
}

/// The files that an output has written to since the checkpoint of a generation, by its folder of undo logs: what each was
/// then, in bytes, 0 where it was not there. A file may be named more than once; the least of its lengths counts.
pub(crate) fn lengths_at_checkpoint(
    storage: &dyn Storage,
    folder: &Path,
    generation: u64,
) -> Result<Vec<(Identity, u64)>, (PathBuf, ReadUndoLogError)> {
    let path = undo_path(folder, generation);
    let log = match read_undo_log(storage, &path, generation) {
        Ok(log) => log,
        // Nothing was written.
        Err(ReadUndoLogError::Io(error)) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err((path, error)),
    };
    let lengths = log.records.into_iter().filter_map(|record| match record {
        Undo::Existing { identity, length, .. } => Some((identity, length)),
        Undo::Created { identity, .. } => Some((identity, 0)),
        Undo::Absent { .. } => None,
    });
    Ok(lengths.collect())
}

/// The beginning of every undo log's name.
const NAME: &str = "undo-";

/// Where the log of a generation lies.
pub(super) fn undo_path(folder: &Path, generation: u64) -> PathBuf {
    folder.join(format!("{NAME}{generation}"))
}

/// Which generation a file is the undo log of.
pub(super) fn generation_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(NAME)?.parse().ok()
}
