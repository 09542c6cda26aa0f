//! Before a write: finding or making the files, and putting down how to undo it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Archive;
use super::failures::Failures;
use super::folders::make_folders;
use super::known_files::KnownFile;
use crate::output::file::error::ArchiveError;
use crate::output::file::undo::{Undo, UndoLogError};
use crate::storage::{Open, folder_of};

impl Archive {
    /// Gets all files ready that can be, with at most two syncs of the undo log. One that is not `recorded` afterwards
    /// is among the failures.
    pub(super) fn prepare(&mut self, pending: &[usize], failures: &mut Failures) -> Result<(), ArchiveError> {
        let mut records = Vec::new();
        let mut missing = Vec::new();
        for index in pending {
            let path = Arc::clone(&self.buffers.get(*index).path);
            if self.files.get(&path).is_some_and(|known| known.recorded) {
                continue;
            }
            match self.find(&path) {
                Ok(Some(record)) => records.push(record),
                Ok(None) => {
                    records.push(Undo::Absent { path: path.to_path_buf() });
                    missing.push(path);
                }
                Err(error) => failures.add("open", &path, error),
            }
        }
        self.record(&records)?;
        let mut made = Vec::new();
        for path in missing {
            match self.make(&path) {
                Ok(record) => made.push(record),
                Err(error) => failures.add("create", &path, error),
            }
        }
        self.record(&made)
    }

    /// How to undo writes to a file that is there; `None` where there is none.
    fn find(&mut self, path: &Arc<Path>) -> io::Result<Option<Undo>> {
        if self.files.get(path).is_none() {
            let Some(stat) = self.storage.stat(path)? else { return Ok(None) };
            if !stat.is_regular {
                return Err(io::Error::other("there is something at its path that is not a regular file"));
            }
            self.folders.add(path);
            self.files.insert(path, KnownFile::new(&stat, false));
        }
        Ok(self.files.get(path).map(|known| known.undo(path)))
    }

    /// Makes a file, and tells how to undo that. If somebody else was faster, theirs is taken.
    fn make(&mut self, path: &Arc<Path>) -> io::Result<Undo> {
        let created = match self.storage.open(path, Open::New) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_folders(self.storage.as_ref(), folder_of(path))?;
                self.storage.open(path, Open::New)
            }
            created => created,
        };
        match created {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // A symbolic link to nowhere has a name, but no file.
                self.find(path)?.ok_or(error)
            }
            created => {
                self.folders.add(path);
                let known = KnownFile::new(&created?.stat()?, true);
                let record = known.undo(path);
                self.files.insert(path, known);
                Ok(record)
            }
        }
    }

    /// Makes records durable, and with that the files writable.
    fn record(&mut self, records: &[Undo]) -> Result<(), ArchiveError> {
        if let Err(error) = self.undo.add(self.storage.as_ref(), records) {
            let path = self.undo.path().to_owned();
            return Err(match error {
                UndoLogError::Unchanged(source) => ArchiveError::UndoLog { path, source },
                UndoLogError::Unknown(error) => {
                    ArchiveError::NeedsRecovery { path, reason: error.to_string() }
                }
            });
        }
        for record in records {
            if let Some(known) = self.files.get_mut(record.path()) {
                known.recorded = true;
            }
        }
        Ok(())
    }
}
