//! The lock of the folder: held for moments by whoever settles letters, or changes what is set aside.

use std::fs::{self, File};
use std::path::Path;

use super::StoreError;

/// Keeps others from dropping and retrying meanwhile.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Waits for the lock. Makes the folder if need be.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(StoreError::of("make", folder))?;
        let path = folder.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(StoreError::of("open", &path))?;
        file.lock().map_err(StoreError::of("lock", &path))?;
        Ok(Self { _file: file })
    }
}
