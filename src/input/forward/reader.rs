//! Reading messages from a connection, within the budget.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Reservation};
use crate::wire::framing::Framer;
use crate::wire::refusal::Refusal;

/// Bytes that each connection may buffer without asking the budget; a read that does not know better takes so many.
pub(super) const READ_SIZE: usize = 16 * 1024;

/// How long the rest of a message may take to go on coming, and an acknowledgement to go out. It holds a part of the
/// budget meanwhile, that others wait for.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads one message after the other.
#[derive(Debug)]
pub(super) struct MessageReader<R> {
    stream: R,
    framer: Framer,
    budget: Budget,
    /// Of the message under way.
    reservation: Reservation,
    shutdown: CancellationToken,
}

/// A whole message, and its part of the budget.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) message: Bytes,
    pub(super) reservation: Reservation,
}

/// Why there is no further message.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("the connection broke: {0}")]
    Network(#[from] io::Error),
    #[error("the peer closed the connection inside a message, {0} bytes of it had come")]
    CutShort(usize),
    #[error(
        "the rest of a message did not come within {seconds} s, {buffered} bytes of it had come",
        seconds = STALL_TIMEOUT.as_secs()
    )]
    Stalled { buffered: usize },
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    pub(super) fn new(
        stream: R,
        max_message_size: usize,
        budget: &Budget,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            stream,
            framer: Framer::new(max_message_size),
            reservation: budget.reserve(),
            budget: budget.clone(),
            shutdown,
        }
    }

    /// The next message; `None` where the peer is done, or where the server stops and no whole message is left.
    pub(super) async fn next(&mut self) -> Result<Option<Received>, ReadError> {
        loop {
            if let Some(message) = self.framer.next_message()? {
                let mut reservation = std::mem::replace(&mut self.reservation, self.budget.reserve());
                reservation.shrink_to(message.len());
                reservation.grow_to(message.len()).await;
                return Ok(Some(Received { message, reservation }));
            }
            let shutdown = self.shutdown.clone();
            let read = tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(None),
                read = self.read() => read?,
            };
            if read == 0 {
                return match self.framer.buffered() {
                    0 => Ok(None),
                    buffered => Err(ReadError::CutShort(buffered)),
                };
            }
        }
    }

    /// The stream, for what is to be done with it at the end.
    pub(super) fn into_inner(self) -> R {
        self.stream
    }

    /// Reads on within what is known to belong to this message, or [`READ_SIZE`] beyond what is there. The budget is
    /// asked for all but the first `READ_SIZE` bytes, and never for more than twice what has come: announcing costs a
    /// peer nothing and gets it nothing.
    async fn read(&mut self) -> Result<usize, ReadError> {
        let buffered = self.framer.buffered();
        let missing = self.framer.known_length().saturating_sub(buffered);
        let size = missing.clamp(READ_SIZE, buffered.max(READ_SIZE));
        self.reservation.grow_to((buffered + size).saturating_sub(READ_SIZE)).await;
        let read = read_some(&mut self.stream, self.framer.buffer(), size);
        if buffered == 0 {
            return Ok(read.await?);
        }
        Ok(timeout(STALL_TIMEOUT, read).await.map_err(|_| ReadError::Stalled { buffered })??)
    }
}

/// Appends at most `size` bytes to `buffer`. An empty buffer has no memory while it waits: most of ten thousand
/// connections are idle.
async fn read_some<R: AsyncRead + Unpin>(
    stream: &mut R,
    buffer: &mut BytesMut,
    size: usize,
) -> io::Result<usize> {
    poll_fn(|context| {
        buffer.reserve(size);
        let mut limited = (&mut *buffer).limit(size);
        let polled = pin!(stream.read_buf(&mut limited)).poll(context);
        if polled.is_pending() && buffer.is_empty() {
            *buffer = BytesMut::new();
        }
        polled
    })
    .await
}
