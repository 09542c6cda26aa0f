//! Making durable what was written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::Archive;
use crate::output::file::error::ArchiveError;

/// From so many unsynced files and folders on one file system on, the whole file system is synced at once: that costs
/// about as much as a few single syncs.
const SYNC_FILESYSTEM_FROM: usize = 64;

/// What is unsynced on one file system.
#[derive(Debug, Default)]
struct Unsynced {
    files: Vec<PathBuf>,
    /// No more than are worth a sync each, where there is a file to sync the whole file system by.
    folders: Vec<PathBuf>,
    folder_count: usize,
    /// The open file with the lowest number: of those that are dirty the one that was opened first, since errors are
    /// reported to it that came up after it was opened.
    speaker: Option<((bool, u64), PathBuf)>,
}

impl Archive {
    /// Makes all files durable, and all names. A failure is final: what the kernel could not write it may have dropped,
    /// and the next sync would succeed without it.
    pub(super) fn sync(&mut self) -> Result<(), ArchiveError> {
        for unsynced in self.unsynced().into_values() {
            let count = unsynced.files.len() + unsynced.folder_count;
            match unsynced.speaker {
                Some((_, speaker)) if count >= SYNC_FILESYSTEM_FROM => {
                    self.sync_filesystem(&speaker)?;
                    for path in unsynced.files {
                        self.set_clean(&path);
                    }
                }
                _ => {
                    for path in unsynced.files {
                        self.sync_one(&path)?;
                    }
                    for folder in unsynced.folders {
                        self.sync_folder(&folder)?;
                    }
                }
            }
        }
        self.folders.clear();
        Ok(())
    }

    /// Makes one file durable, if it was written. Nothing of it may be under way.
    pub(super) fn sync_one(&mut self, path: &Path) -> Result<(), ArchiveError> {
        if let Some(handle) = self.files.get(path).and_then(|known| known.handle.as_ref())
            && handle.dirty
        {
            handle.file.sync().map_err(|error| lost(path, &error))?;
        }
        self.set_clean(path);
        Ok(())
    }

    /// Closes files until one more may be opened. Where one of them is not synced yet, all are: they then make room
    /// one by one without another sync.
    pub(super) fn make_room(&mut self) -> Result<(), ArchiveError> {
        while let Some(path) = self.files.in_the_way() {
            self.settle()?;
            let known = self.files.get(&path);
            if known.and_then(|known| known.handle.as_ref()).is_some_and(|handle| handle.dirty) {
                self.sync()?;
            }
            self.files.close(&path);
        }
        Ok(())
    }

    /// By device number.
    fn unsynced(&self) -> BTreeMap<u64, Unsynced> {
        let mut devices: BTreeMap<u64, Unsynced> = BTreeMap::new();
        for (path, known, handle) in self.files.iter_open() {
            let device = devices.entry(known.identity.device).or_default();
            let rank = (!handle.dirty, handle.opened);
            if device.speaker.as_ref().is_none_or(|(lowest, _)| rank < *lowest) {
                device.speaker = Some((rank, path.to_path_buf()));
            }
            if handle.dirty {
                device.files.push(path.to_path_buf());
            }
        }
        let files: usize = devices.values().map(|device| device.files.len()).sum();
        let folders = self.folders.all();
        let is_worth_a_look = files + folders.len() >= SYNC_FILESYSTEM_FROM;
        for folder in folders {
            // Where it does not matter, or can't be told, the folder is synced by itself.
            let stat = if is_worth_a_look { self.storage.stat(folder).ok().flatten() } else { None };
            let device = stat.map_or(u64::MAX, |stat| stat.identity.device);
            let device = devices.entry(device).or_default();
            device.folder_count += 1;
            if device.speaker.is_none() || device.folder_count < SYNC_FILESYSTEM_FROM {
                device.folders.push(folder.to_owned());
            }
        }
        devices
    }

    fn sync_filesystem(&self, speaker: &Path) -> Result<(), ArchiveError> {
        let Some(handle) = self.files.get(speaker).and_then(|known| known.handle.as_ref()) else {
            return Ok(());
        };
        handle.file.sync_filesystem().map_err(|error| lost(speaker, &error))
    }

    fn sync_folder(&self, folder: &Path) -> Result<(), ArchiveError> {
        match self.storage.sync_folder(folder) {
            // One that we may not read is none that we made. One that is gone has no names to keep.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                tracing::debug!(folder = %folder.display(), %error, "a folder that can't be synced is left out");
                Ok(())
            }
            synced => synced.map_err(|error| lost(folder, &error)),
        }
    }

    fn set_clean(&mut self, path: &Path) {
        if let Some(handle) = self.files.get_mut(path).and_then(|known| known.handle.as_mut()) {
            handle.dirty = false;
        }
    }
}

fn lost(path: &Path, error: &io::Error) -> ArchiveError {
    ArchiveError::NeedsRecovery { path: path.to_owned(), reason: format!("cannot sync: {error}") }
}
