//! Letters that are on their way into the journal, and are settled together: a sync of the journal and one of what is
//! settled for many of them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use tokio::runtime::Handle;

use super::Failure;
use crate::dead_letters::{LetterId, Outcome, Remembered, Settled, Store, StoreError};
use crate::journal::Receipt;

/// Letters that are settled together. A crash in between has them appended again, which the journal recognises.
const MAX_LETTERS: usize = 256;

/// Bytes of letters that are on their way at once. One that is larger goes alone.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What became of the letters of one request so far.
pub(super) struct Batch<'a> {
    runtime: &'a Handle,
    /// `None` after an error, which is in `failed`.
    settled: Option<Remembered>,
    failed: Option<StoreError>,
    waiting: Vec<(LetterId, Receipt, String)>,
    bytes: usize,
    outcomes: HashMap<LetterId, (bool, String)>,
}

impl<'a> Batch<'a> {
    /// Reads what is settled, once.
    pub(super) fn new(store: &Store, runtime: &'a Handle) -> Result<Self, StoreError> {
        let settled = Some(Settled::lock(store.folder())?.unlock());
        let (waiting, outcomes) = (Vec::new(), HashMap::new());
        Ok(Self { runtime, settled, failed: None, waiting, bytes: 0, outcomes })
    }

    /// A letter of so many bytes was handed over.
    pub(super) fn add(&mut self, id: LetterId, receipt: Receipt, detail: String, bytes: usize) {
        self.waiting.push((id, receipt, detail));
        self.bytes += bytes;
    }

    /// A letter is not retried, for this reason.
    pub(super) fn refuse(&mut self, id: LetterId, reason: String) {
        self.outcomes.insert(id, (false, reason));
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_LETTERS || self.bytes >= MAX_BYTES
    }

    /// Waits until what was handed over is durable, and settles it, durably. Breaks off where the server stops or letters
    /// can't be settled.
    pub(super) fn settle(&mut self) -> ControlFlow<()> {
        self.bytes = 0;
        let mut durable = Vec::with_capacity(self.waiting.len());
        let mut stopped = false;
        for (id, receipt, detail) in self.waiting.drain(..) {
            match self.runtime.block_on(receipt).map_err(Failure::of) {
                Ok(_) => durable.push((id, detail)),
                Err(Failure::Refused(reason)) => {
                    self.outcomes.insert(id, (false, reason));
                }
                Err(Failure::Stopped) => stopped = true,
            }
        }
        let Some(settled) = self.settled.take() else { return ControlFlow::Break(()) };
        let ids: Vec<LetterId> = durable.iter().map(|(id, _)| *id).collect();
        let settled = settled.lock().and_then(|mut settled| {
            settled.settle(&ids, Outcome::Retried)?;
            Ok(settled.unlock())
        });
        match settled {
            Ok(settled) => self.settled = Some(settled),
            Err(error) => {
                self.failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        self.outcomes.extend(durable.into_iter().map(|(id, detail)| (id, (true, detail))));
        if stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Whether each letter that was come upon was retried, and what is to be said of it.
    pub(super) fn finish(self) -> Result<HashMap<LetterId, (bool, String)>, StoreError> {
        self.failed.map_or(Ok(self.outcomes), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_batch_is_full_at_so_many_letters_or_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Handle::current();
        let store = Store::new(folder.path());
        let mut batch = Batch::new(&store, &runtime).unwrap();
        let add = |batch: &mut Batch<'_>, bytes| {
            batch.add(LetterId::of(b"letter"), Receipt::channel().1, String::new(), bytes);
            batch.is_full()
        };
        assert!((1..MAX_LETTERS).all(|_| !add(&mut batch, 1)));
        assert!(add(&mut batch, 1));
        let mut batch = Batch::new(&store, &runtime).unwrap();
        assert!(!add(&mut batch, MAX_BYTES - 1));
        assert!(add(&mut batch, 1));
    }
}
