//! The folder of all cursors.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{CursorError, Fault, SavedCursor, decode, encode};
use crate::journal::cursor_attributes::{SENDING, find_attribute, write_attribute};
use crate::journal::durable::{ReplaceError, create_folder, replace_file, sync_folder_of};
use crate::storage::{Storage, disk, is_for_want_of_space, read_file};

const EXTENSION: &str = "cursor";

/// The folder of all cursors of a server.
#[derive(Debug, Clone)]
pub struct CursorFolder {
    pub(in crate::journal) storage: Arc<dyn Storage>,
    pub(in crate::journal) path: PathBuf,
}

impl CursorFolder {
    /// The cursors below a data folder.
    pub fn new(data_dir: &Path) -> Self {
        Self::on(disk(), data_dir)
    }

    /// Those of a data folder on this storage.
    pub fn on(storage: Arc<dyn Storage>, data_dir: &Path) -> Self {
        Self { storage, path: data_dir.join("cursors") }
    }

    /// Makes the folder and the reserve where they are missing.
    pub fn prepare(&self) -> Result<(), CursorError> {
        create_folder(self.storage.as_ref(), &self.path).map_err(|source| CursorError::Io {
            action: "make the folder of",
            path: self.path.clone(),
            source,
        })?;
        self.take_over_reserve();
        self.keep_reserve();
        Ok(())
    }

    /// The ids of all outputs that have a cursor, sorted.
    pub fn ids(&self) -> Result<Vec<String>, CursorError> {
        let error = |source| CursorError::Io { action: "list", path: self.path.clone(), source };
        let mut ids = Vec::new();
        for path in self.storage.list(&self.path).map_err(error)?.into_iter().map(|listed| listed.path) {
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Some(id) = path.file_stem().and_then(|stem| stem.to_str())
            {
                ids.push(id.to_owned());
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// The cursor of an output; `None` where it never had one.
    pub fn load(&self, id: &str) -> Result<Option<SavedCursor>, CursorError> {
        Ok(self.load_whole(id)?.map(|(cursor, _)| cursor))
    }

    /// The [attributes](crate::journal::cursor_attributes) that an output keeps in its cursor, but for its replays; none where it has
    /// no cursor.
    pub fn load_attributes(&self, id: &str) -> Result<Vec<u8>, CursorError> {
        Ok(self.load_whole(id)?.map(|(_, attributes)| attributes).unwrap_or_default())
    }

    fn load_whole(&self, id: &str) -> Result<Option<(SavedCursor, Vec<u8>)>, CursorError> {
        let path = self.path_of(id);
        match read_file(self.storage.as_ref(), &path) {
            Ok(Some(bytes)) => decode(&bytes).map(Some).map_err(|fault| match fault {
                Fault::Damaged => CursorError::Damaged { path },
                Fault::Version(found) => CursorError::Version { path, found },
            }),
            Ok(None) => Ok(None),
            Err(source) => Err(CursorError::Io { action: "read", path, source }),
        }
    }

    /// Replaces the cursor of an output, durably, without what the output keeps but for its replays. Where the disk is full, the reserve makes room.
    pub fn save(&self, id: &str, cursor: &SavedCursor) -> Result<(), CursorError> {
        self.save_with(id, cursor, &[])
    }

    /// As [`save`](Self::save), with what else the output itself keeps.
    pub fn save_with(&self, id: &str, cursor: &SavedCursor, attributes: &[u8]) -> Result<(), CursorError> {
        let path = self.path_of(id);
        let bytes = encode(cursor, attributes);
        let storage = self.storage.as_ref();
        let saved = match replace_file(storage, &path, &bytes) {
            Err(ReplaceError::Unchanged(error)) if is_for_want_of_space(&error) => {
                self.use_reserve();
                replace_file(storage, &path, &bytes)
            }
            saved => saved,
        };
        saved.map_err(|error| match error {
            ReplaceError::Unchanged(source) => CursorError::Io { action: "save", path, source },
            ReplaceError::Uncertain(source) => CursorError::Uncertain { path, source },
        })?;
        self.keep_reserve();
        Ok(())
    }

    /// As [`save`](Self::save), of an output that goes on elsewhere: of what it keeps only what does not belong to where it
    /// was.
    pub(in crate::journal) fn save_elsewhere(
        &self,
        id: &str,
        cursor: &SavedCursor,
    ) -> Result<(), CursorError> {
        let mut kept = Vec::new();
        if let Some(value) = find_attribute(&self.load_attributes(id)?, SENDING) {
            write_attribute(&mut kept, SENDING, value);
        }
        self.save_with(id, cursor, &kept)
    }

    /// Makes the names of the cursors durable, as a crash may have left them: what is read here must still be there
    /// after the next power cut, before anything is undone or delivered by it.
    pub fn sync(&self) -> Result<(), CursorError> {
        self.storage.sync_folder(&self.path).map_err(|source| CursorError::Io {
            action: "sync the folder of",
            path: self.path.clone(),
            source,
        })
    }

    /// Removes the cursor of an output that is no more.
    pub fn remove(&self, id: &str) -> Result<(), CursorError> {
        let path = self.path_of(id);
        self.storage
            .remove(&path)
            .and_then(|()| sync_folder_of(self.storage.as_ref(), &path))
            .map_err(|source| CursorError::Io { action: "remove", path, source })
    }

    /// Ids hold only letters, digits, `_` and `-`, which the config sees to.
    fn path_of(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}.{EXTENSION}"))
    }
}
