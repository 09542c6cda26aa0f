//! What an input learns about a chunk that it gave to the journal.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// What became of a chunk; in either case it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is new.
    Written,
    /// It was there before, and is not stored again.
    Duplicate,
}

/// Why a chunk is not in the journal.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The disk failed; nothing more is taken until a restart.
    #[error("the journal can take nothing more until a restart: {0}")]
    Failed(Arc<str>),
    #[error("the journal has stopped")]
    Stopped,
    #[error("the chunk is larger than the journal can take")]
    TooLarge,
}

/// Resolves once the chunk is durable.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<Appended, AppendError>>);

impl Receipt {
    /// A receipt and what resolves it. Dropping the sender means [`AppendError::Stopped`].
    pub fn channel() -> (oneshot::Sender<Result<Appended, AppendError>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }
}

impl Future for Receipt {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|result| result.unwrap_or(Err(AppendError::Stopped)))
    }
}
