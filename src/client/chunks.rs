//! What is sent, and where it comes from.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc};

/// A message that is ready to be sent.
#[derive(Debug, Clone)]
pub struct OutgoingChunk<M = Bytes> {
    /// The whole message, or what its source makes it of.
    pub message: M,
    /// Its `chunk` option; `None` where no acknowledgement is asked for.
    pub id: Option<Bytes>,
    /// How many events it holds.
    pub events: u64,
}

/// Where the chunks of a connection come from.
pub trait ChunkSource: Send {
    /// What stands for the bytes of a message until it is acknowledged.
    type Message: Send + Sync;

    /// The next chunk; `None` where there are no more. Nothing is lost where the future is dropped before it is ready.
    fn next(&mut self) -> impl Future<Output = Option<OutgoingChunk<Self::Message>>> + Send;

    /// A part of a message's bytes; empty behind the last. Each time that it is asked for, the same bytes.
    fn piece<'a>(&'a mut self, chunk: &'a OutgoingChunk<Self::Message>, number: usize) -> &'a [u8];
}

/// Chunks that several connections take from one queue.
pub type ChunkQueue = Arc<Mutex<mpsc::Receiver<OutgoingChunk>>>;

impl ChunkSource for ChunkQueue {
    type Message = Bytes;

    async fn next(&mut self) -> Option<OutgoingChunk> {
        self.lock().await.recv().await
    }

    fn piece<'a>(&'a mut self, chunk: &'a OutgoingChunk, number: usize) -> &'a [u8] {
        if number == 0 { &chunk.message } else { &[] }
    }
}
