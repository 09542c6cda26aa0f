//! Where events come in.

pub mod forward;

use crate::chunk::Chunk;
use crate::journal::large::{LargeEntries, SpoolFolder};
use crate::journal::{AppendError, Journal, QueueRoom, Receipt};

/// Where inputs put what they received: the journal, or a script in tests.
pub trait ChunkSink: Clone + Send + Sync + 'static {
    /// Hands a chunk over. Resolves when it is taken into the queue, and waits while there is no room; the receipt
    /// resolves when it is durable. Chunks are stored in the order in which this resolved.
    fn append(&self, chunk: Chunk) -> impl Future<Output = Result<Receipt, AppendError>> + Send;

    /// As [`ChunkSink::append`], for a chunk whose entries are a file.
    fn append_large(
        &self,
        chunk: Chunk,
        entries: LargeEntries,
    ) -> impl Future<Output = Result<Receipt, AppendError>> + Send;

    /// Room for chunks that wait to be stored: without any, no message should be begun that can wait where it is.
    fn queue_room(&self) -> &QueueRoom;

    /// Where the entries of large chunks are put until they are handed over.
    fn spools(&self) -> &SpoolFolder;

    /// How many chunks were taken up, resends included: what [`AckProof::sent_after`](crate::chunk::AckProof) counts in.
    fn taken(&self) -> u64;
}

impl ChunkSink for Journal {
    fn append(&self, chunk: Chunk) -> impl Future<Output = Result<Receipt, AppendError>> + Send {
        Journal::append(self, chunk)
    }

    fn append_large(
        &self,
        chunk: Chunk,
        entries: LargeEntries,
    ) -> impl Future<Output = Result<Receipt, AppendError>> + Send {
        Journal::append_large(self, chunk, entries)
    }

    fn queue_room(&self) -> &QueueRoom {
        Journal::queue_room(self)
    }

    fn spools(&self) -> &SpoolFolder {
        Journal::spools(self)
    }

    fn taken(&self) -> u64 {
        Journal::taken(self)
    }
}
