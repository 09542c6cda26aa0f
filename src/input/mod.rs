//! Where events come in.

pub mod forward;

use crate::chunk::Chunk;
use crate::journal::{AppendError, Journal, Receipt};

/// Where inputs put what they received: the journal, or a script in tests.
pub trait ChunkSink: Clone + Send + Sync + 'static {
    /// Hands a chunk over. Resolves when it is taken into the queue, and waits while there is no room; the receipt
    /// resolves when it is durable. Chunks are stored in the order in which this resolved.
    fn append(&self, chunk: Chunk) -> impl Future<Output = Result<Receipt, AppendError>> + Send;
}

impl ChunkSink for Journal {
    fn append(&self, chunk: Chunk) -> impl Future<Output = Result<Receipt, AppendError>> + Send {
        Journal::append(self, chunk)
    }
}
