//! A spool that is whole, until the journal takes it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::journal::durable::sync_folder_of;
use crate::journal::format::reference::Reference;
use crate::journal::large::pieces::piece_length;
use crate::planted::{Bug, is_planted};
use crate::storage::Storage;

/// Entries of a large message, durable in a spool. Removed when dropped, unless the journal took them.
#[derive(Debug)]
pub struct LargeEntries {
    pub(super) path: OwnedPath,
    pub(super) reference: Reference,
}

impl LargeEntries {
    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.reference.length
    }

    /// How many pieces it is read in, where it is of a refused message and not looked into.
    pub fn refused_pieces(&self) -> u32 {
        let piece = piece_length(self.reference.block_length) as u64;
        u32::try_from(self.length().div_ceil(piece)).unwrap_or(u32::MAX)
    }

    /// What the file is, for its frame.
    pub(in crate::journal) fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path.path
    }

    /// Gives the file another name, durably. It is nobody's any more then. May be repeated.
    pub(in crate::journal) fn rename(&mut self, to: &Path) -> io::Result<()> {
        let OwnedPath { storage, path } = &mut self.path;
        if path != to {
            storage.rename(path, to)?;
            to.clone_into(path);
        }
        if !is_planted(Bug::UnsyncedLargeName) {
            sync_folder_of(storage.as_ref(), to)?;
        }
        *path = PathBuf::new();
        Ok(())
    }
}

/// The name of a file that is removed when this is dropped. Empty: of none.
#[derive(Debug)]
pub(super) struct OwnedPath {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) path: PathBuf,
}

impl Drop for OwnedPath {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty()
            && let Err(error) = self.storage.remove(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a large message; the next start does");
        }
    }
}
