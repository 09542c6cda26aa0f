//! What becomes of a chunk that was handed to the journal.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// A chunk is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It was written and synced.
    Written,
    /// It was sent before, and what was kept then is synced.
    Duplicate,
}

/// A chunk was not kept, and must not be acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Nothing more can be kept until a restart.
    #[error("the journal has failed and takes nothing more until a restart: {0}")]
    Failed(Arc<str>),
    /// The server is stopping.
    #[error("the journal is closed")]
    Stopped,
    /// There is no space, and `journal.when_full` says not to wait for it.
    #[error("the journal is full, and journal.when_full says to refuse what is sent")]
    Full,
    /// The chunk does not fit into a segment.
    #[error("the chunk does not fit into a journal segment; raise journal.segment_size")]
    TooLarge,
}

/// Resolves once a chunk is durable, or will never be.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Appended, AppendError>>);

/// The journal's end of a [`Receipt`].
pub type ReceiptSender = oneshot::Sender<Result<Appended, AppendError>>;

impl Receipt {
    /// A receipt, and what resolves it. Dropping that resolves it to [`AppendError::Stopped`].
    pub fn channel() -> (ReceiptSender, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }
}

impl Future for Receipt {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|received| received.unwrap_or(Err(AppendError::Stopped)))
    }
}
