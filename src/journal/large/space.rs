//! Who waits for space on the disk with a large message.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many wait. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct SpaceWaits(Arc<AtomicUsize>);

impl SpaceWaits {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self) -> SpaceWait {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "the disk of the data folder has no space for a large message, and its sender waits: free some space"
            );
        }
        SpaceWait(self.clone())
    }
}

/// Somebody waits for space, until this is dropped.
#[derive(Debug)]
pub struct SpaceWait(SpaceWaits);

impl Drop for SpaceWait {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
