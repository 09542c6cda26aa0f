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

/// Reads one message after the other.
#[derive(Debug)]
pub(super) struct MessageReader<R> {
    stream: R,
    framer: Framer,
    budget: Budget,
    /// Of the message under way.
    reservation: Reservation,
    stall_timeout: Duration,
    idle_timeout: Option<Duration>,
    shutdown: CancellationToken,
}

/// A whole message, and its part of the budget.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) message: Bytes,
    /// Whether it is JSON text.
    pub(super) json: bool,
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
    #[error("the peer sent nothing for {0:?} (idle_timeout)")]
    Idle(Duration),
    #[error("the rest of a message did not come within {timeout:?}, {buffered} bytes of it had come")]
    Stalled { timeout: Duration, buffered: usize },
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    /// `already_read` comes before what the stream gives. `stall_timeout` is how long the rest of a message that has begun may take to go on coming.
    pub(super) fn new(
        stream: R,
        already_read: BytesMut,
        max_message_size: usize,
        budget: &Budget,
        stall_timeout: Duration,
        shutdown: CancellationToken,
    ) -> Self {
        let mut framer = Framer::new(max_message_size);
        *framer.buffer() = already_read;
        Self {
            stream,
            framer,
            reservation: budget.reserve(),
            budget: budget.clone(),
            stall_timeout,
            idle_timeout: None,
            shutdown,
        }
    }

    /// Gives a peer up that sends nothing at all, not even a heartbeat, for so long.
    pub(super) fn give_up_after(&mut self, idle_timeout: Option<Duration>) {
        self.idle_timeout = idle_timeout;
    }

    /// Where a shared key was asked for, JSON is no message: Fluentd never speaks it then.
    pub(super) fn without_json(self) -> Self {
        Self { framer: self.framer.without_json(), ..self }
    }

    /// The next message; `None` where the peer is done, or where the server stops and no whole message is left.
    pub(super) async fn next(&mut self) -> Result<Option<Received>, ReadError> {
        loop {
            if let Some(message) = self.framer.next_message()? {
                let mut reservation = std::mem::replace(&mut self.reservation, self.budget.reserve());
                reservation.shrink_to(message.len());
                reservation.grow_to_whole(message.len()).await;
                return Ok(Some(Received { message, json: self.framer.is_json(), reservation }));
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

    /// Bytes that have come and are no whole message.
    pub(super) fn buffered(&self) -> usize {
        self.framer.buffered()
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
            let idle = self.idle_timeout.unwrap_or(Duration::MAX);
            return Ok(timeout(idle, read).await.map_err(|_| ReadError::Idle(idle))??);
        }
        Ok(timeout(self.stall_timeout, read)
            .await
            .map_err(|_| ReadError::Stalled { timeout: self.stall_timeout, buffered })??)
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

#[cfg(test)]
mod tests {
    use prometheus::IntGauge;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::wire::client::{Packed, encode_packed};

    const MAX_MESSAGE_SIZE: usize = 1 << 20;

    fn reader(stall_timeout: Duration) -> (DuplexStream, MessageReader<DuplexStream>) {
        let budget = Budget::new(4 << 20, MAX_MESSAGE_SIZE, IntGauge::new("in_flight", "bytes").unwrap());
        let (client, server) = duplex(1 << 16);
        let shutdown = CancellationToken::new();
        (
            client,
            MessageReader::new(server, BytesMut::new(), MAX_MESSAGE_SIZE, &budget, stall_timeout, shutdown),
        )
    }

    fn message(length: usize) -> Vec<u8> {
        let entries = vec![b'x'; length];
        encode_packed(&Packed { tag: b"t", entries: &entries, count: 0, chunk: None, gzip: false })
    }

    #[tokio::test]
    async fn an_idle_connection_holds_no_buffer() {
        let (mut client, mut reader) = reader(Duration::MAX);
        client.write_all(&message(10)).await.unwrap();
        assert!(reader.next().await.unwrap().is_some());
        assert!(
            pin!(reader.next())
                .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
                .is_pending()
        );
        assert_eq!(reader.framer.buffer().capacity(), 0);
    }

    #[tokio::test]
    async fn announcing_a_large_message_gets_no_memory_for_it() {
        let (mut client, mut reader) = reader(Duration::MAX);
        client.write_all(b"\x92\xa1t\xc6\x00\x0f\x00\x00").await.unwrap();
        assert!(
            pin!(reader.next())
                .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
                .is_pending()
        );
        assert!(reader.framer.buffer().capacity() < 4 * READ_SIZE);
    }

    #[tokio::test]
    async fn a_message_takes_its_own_size_of_the_budget() {
        let (mut client, mut reader) = reader(Duration::MAX);
        let bytes = message(300_000);
        let writer = tokio::spawn(async move {
            for part in [&message(300_000)[..], &message(10)] {
                client.write_all(part).await.unwrap();
            }
            client
        });
        let large = reader.next().await.unwrap().unwrap();
        assert_eq!(large.message, bytes);
        assert_eq!(large.reservation.size(), bytes.len());
        let small = reader.next().await.unwrap().unwrap();
        assert_eq!(small.reservation.size(), small.message.len());
        drop(writer.await.unwrap());
        assert!(reader.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_message_that_stops_coming_is_given_up() {
        let (mut client, mut reader) = reader(Duration::from_millis(10));
        client.write_all(&message(10)).await.unwrap();
        client.write_all(&message(10)[..5]).await.unwrap();
        assert!(reader.next().await.unwrap().is_some());
        assert!(matches!(reader.next().await, Err(ReadError::Stalled { buffered: 5, .. })));
    }

    #[tokio::test]
    async fn an_end_inside_a_message_is_no_end_between_messages() {
        let (mut client, mut reader) = reader(Duration::MAX);
        client.write_all(&message(10)[..5]).await.unwrap();
        drop(client);
        assert!(matches!(reader.next().await, Err(ReadError::CutShort(5))));
    }
}
