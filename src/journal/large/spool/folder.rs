//! The folder of the spools of a server.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Spool;
use super::entries::OwnedPath;
use crate::journal::durable::create_folder;
use crate::journal::format::reference::BLOCK_LENGTH;
use crate::journal::large::space::{SpaceWait, SpaceWaits};
use crate::storage::{Open, Storage, disk};

/// The folder of the spools of a server.
#[derive(Debug, Clone)]
pub struct SpoolFolder {
    storage: Arc<dyn Storage>,
    path: Arc<Path>,
    /// Bytes of the files that one checksum vouches for.
    block_length: u32,
    next: Arc<AtomicU64>,
    waits: SpaceWaits,
    /// Whether nobody is to wait for space.
    refuses: bool,
}

impl SpoolFolder {
    /// The spools below a data folder.
    pub fn new(data_dir: &Path) -> Self {
        Self::on(disk(), data_dir)
    }

    /// Those of a data folder on this storage.
    pub(in crate::journal) fn on(storage: Arc<dyn Storage>, data_dir: &Path) -> Self {
        Self {
            storage,
            path: data_dir.join("spool").into(),
            block_length: BLOCK_LENGTH,
            next: Arc::default(),
            waits: SpaceWaits::default(),
            refuses: false,
        }
    }

    /// The same folder, with blocks of so many bytes for the files from now on, so that small ones have several.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn with_blocks_of(&self, block_length: u32) -> Self {
        Self { block_length, ..self.clone() }
    }

    /// The same folder; whether whoever finds no space on the disk is to be refused at once.
    #[must_use]
    pub fn refusing(self, refuses: bool) -> Self {
        Self { refuses, ..self }
    }

    /// Whether whoever finds no space on the disk is to be refused at once, and not to wait for it.
    pub fn refuses(&self) -> bool {
        self.refuses
    }

    /// Tells that somebody waits for space, until the answer is dropped.
    pub fn wait_for_space(&self) -> SpaceWait {
        self.waits.begin()
    }

    /// How many wait for space.
    pub fn waiting(&self) -> usize {
        self.waits.count()
    }

    /// Makes the folder where it is missing, and removes what a crash left in it. Under the lock of the data folder.
    pub fn prepare(&self) -> io::Result<()> {
        create_folder(self.storage.as_ref(), &self.path)?;
        let (mut files, mut bytes) = (0u64, 0u64);
        for listed in self.storage.list(&self.path)? {
            self.storage.remove(&listed.path)?;
            bytes += listed.length;
            files += 1;
        }
        if files > 0 {
            tracing::info!(
                folder = %self.path.display(), files, bytes,
                "removed large messages that were cut off: none of them was acknowledged, and senders send them again"
            );
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a file. Blocks.
    pub fn create(&self) -> io::Result<Spool> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("{number}.spool"));
        let file = self.storage.open(&path, Open::Private)?;
        Ok(Spool {
            file,
            path: OwnedPath { storage: Arc::clone(&self.storage), path },
            full_block: self.block_length,
            length: 0,
            allocated: 0,
            synced: 0,
            must_rewrite: false,
            checksums: Vec::new(),
            block: crc32fast::Hasher::new(),
            block_length: 0,
        })
    }
}
