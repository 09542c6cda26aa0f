//! Writing an undo log.

use std::io;
use std::path::{Path, PathBuf};

use super::record::LogName;
use super::{Undo, undo_path};
use crate::planted::{Bug, is_planted};
use crate::storage::{Open, Storage, StorageFile, append_all, folder_of};

/// Records could not be added. Nothing that they are about may be written.
#[derive(Debug)]
pub(crate) enum UndoLogError {
    /// The log is as it was before, and the records may be added again.
    Unchanged(io::Error),
    /// Nobody can say what of the log is on disk. Recovery can go by what it finds there, since nothing was written
    /// that it must know of; but nothing may be added any more.
    Unknown(io::Error),
}

/// The log of the current generation. Its file is made with the first record.
#[derive(Debug)]
pub(crate) struct UndoLog {
    path: PathBuf,
    generation: u64,
    open: Option<OpenLog>,
}

#[derive(Debug)]
struct OpenLog {
    file: Box<dyn StorageFile>,
    name: LogName,
    /// Up to here everything is synced.
    length: u64,
}

impl UndoLog {
    pub(crate) fn new(folder: &Path, generation: u64) -> Self {
        Self { path: undo_path(folder, generation), generation, open: None }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it has a file.
    pub(crate) fn is_begun(&self) -> bool {
        self.open.is_some()
    }

    /// Adds records and makes them durable, with one sync.
    pub(crate) fn add(&mut self, storage: &dyn Storage, records: &[Undo]) -> Result<(), UndoLogError> {
        if records.is_empty() {
            return Ok(());
        }
        let log = match self.open.take() {
            Some(log) => self.open.insert(log),
            None => {
                let log = begin(storage, &self.path, self.generation)?;
                self.open.insert(log)
            }
        };
        let mut bytes = Vec::new();
        for record in records {
            log.name.encode(record, log.length + bytes.len() as u64, &mut bytes);
        }
        if let Err(error) = append_all(log.file.as_ref(), &bytes) {
            return Err(match log.file.set_len(log.length) {
                Ok(()) => UndoLogError::Unchanged(error),
                Err(_) => UndoLogError::Unknown(error),
            });
        }
        if !is_planted(Bug::UnsyncedUndoLog) {
            log.file.sync().map_err(UndoLogError::Unknown)?;
        }
        log.length += bytes.len() as u64;
        Ok(())
    }
}

/// Makes the file with its header, and its name durable; the header's own sync is that of the first records.
fn begin(storage: &dyn Storage, path: &Path, generation: u64) -> Result<OpenLog, UndoLogError> {
    let name = LogName { generation, life: storage.draw() as u32 };
    let header = name.header();
    let file = storage.open(path, Open::New).map_err(UndoLogError::Unchanged)?;
    if let Err(error) = append_all(file.as_ref(), &header) {
        return Err(match storage.remove(path) {
            Ok(()) => UndoLogError::Unchanged(error),
            Err(_) => UndoLogError::Unknown(error),
        });
    }
    storage.sync_folder(folder_of(path)).map_err(UndoLogError::Unknown)?;
    Ok(OpenLog { file, name, length: header.len() as u64 })
}
