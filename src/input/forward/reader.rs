//! Reading messages from a connection, within the budget.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::budget::{Budget, Reservation};
use super::large::{LargeError, Spooled};
use super::message_memory::{LONG_MESSAGE, MessageMemory};
use super::space::Space;
use super::turnstile::Turnstile;
use crate::journal::AppendError;
use crate::wire::framing::Framer;
use crate::wire::limits::ContentLimits;
use crate::wire::refusal::Refusal;

/// Bytes that each connection may buffer without asking the budget; a read that does not know better takes so many.
pub(super) const READ_SIZE: usize = 16 * 1024;

/// Bytes that are worth a read of their own, rather than memory that all that came moves to.
const WORTH_READING: usize = READ_SIZE / 4;

/// A connection that has sent a whole message gets memory for another one of its size at once, up to so many bytes.
const MAX_PROVEN: usize = 2 * 1024 * 1024;

/// Reads one message after the other.
#[derive(Debug)]
pub(super) struct MessageReader<'a, R> {
    pub(super) stream: R,
    pub(super) framer: Framer,
    /// Memory for what follows in a long message, behind what the framer has of it.
    pub(super) room: BytesMut,
    memory: MessageMemory,
    turnstile: Turnstile<'a>,
    pub(super) budget: Budget,
    /// Of the message under way.
    pub(super) reservation: Reservation,
    /// Bytes of the longest message so far, up to [`MAX_PROVEN`].
    proven: usize,
    pub(super) settings: ReaderSettings,
    pub(super) shutdown: CancellationToken,
}

/// What a reader keeps to.
#[derive(Debug, Clone)]
pub(super) struct ReaderSettings {
    pub(super) max_message_size: usize,
    /// How long the rest of a message that has begun may take to go on coming.
    pub(super) stall_timeout: Duration,
    /// How long a peer may send nothing at all, not even a heartbeat.
    pub(super) idle_timeout: Option<Duration>,
    /// Whether JSON is read. Where a shared key was asked for it is no message: Fluentd never speaks it then.
    pub(super) reads_json: bool,
    /// Messages of more bytes go through a file.
    pub(super) spool_above: usize,
    /// For their files.
    pub(super) disk_space: Space,
    /// Of the bytes of all large messages under way.
    pub(super) spool_budget: Budget,
    /// Bytes a second that must come of a large message, over [`ReaderSettings::rate_window`].
    pub(super) min_rate: u64,
    pub(super) rate_window: Duration,
    pub(super) limits: ContentLimits,
}

/// A whole message, and its part of the budget.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) message: Incoming,
    /// Bytes of memory that the message alone is in, where that comes back as a whole.
    pub(super) memory: Option<usize>,
    pub(super) reservation: Reservation,
}

/// Where a whole message is.
#[derive(Debug)]
pub(super) enum Incoming {
    InMemory(Bytes),
    /// Text, in memory.
    Json(Bytes),
    InFile(Box<Spooled>),
}

impl Incoming {
    /// Bytes of the message.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::InMemory(message) | Self::Json(message) => message.len() as u64,
            Self::InFile(spooled) => spooled.length,
        }
    }
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
    #[error(
        "a large message came at less than min_rate ({min_rate} bytes a second), {received} bytes of it had come; \
         mend the network or lower the limit"
    )]
    TooSlow { min_rate: u64, received: u64 },
    #[error(transparent)]
    Disk(io::Error),
    #[error("not taken: {0}")]
    Journal(#[from] AppendError),
}

impl From<LargeError> for ReadError {
    fn from(error: LargeError) -> Self {
        match error {
            LargeError::Refused(refusal) => Self::Refused(refusal),
            LargeError::Disk(_) => Self::Disk(io::Error::other(error.to_string())),
            LargeError::NoSpace => Self::Journal(AppendError::Full),
            LargeError::Stopped => Self::Journal(AppendError::Stopped),
        }
    }
}

impl<'a, R: AsyncRead + Unpin> MessageReader<'a, R> {
    /// `already_read` comes before what the stream gives.
    pub(super) fn new(
        stream: R,
        already_read: BytesMut,
        budget: &Budget,
        memory: &MessageMemory,
        turnstile: Turnstile<'a>,
        settings: ReaderSettings,
        shutdown: CancellationToken,
    ) -> Self {
        let mut framer = Framer::new(settings.max_message_size.min(settings.spool_above));
        if !settings.reads_json {
            framer = framer.without_json();
        }
        *framer.buffer() = already_read;
        Self {
            stream,
            framer,
            room: BytesMut::new(),
            memory: memory.clone(),
            turnstile,
            reservation: budget.reserve(),
            proven: 0,
            budget: budget.clone(),
            settings,
            shutdown,
        }
    }

    /// The next message; `None` where the peer is done, or where the server stops and no whole message is left.
    pub(super) async fn next(&mut self) -> Result<Option<Received>, ReadError> {
        let mut is_large = false;
        loop {
            if is_large {
                if let Some((message, head)) = self.begin_large()? {
                    // On the heap: few messages are large, and every connection has this future.
                    return Box::pin(self.spool(message, head)).await;
                }
            } else {
                match self.framer.next_message() {
                    Ok(Some(message)) => return Ok(Some(self.in_memory(message).await)),
                    Ok(None) => {}
                    Err(Refusal::TooLarge { limit }) if self.framer.is_json() => {
                        return Err(Refusal::JsonTooLarge { limit }.into());
                    }
                    Err(Refusal::TooLarge { limit }) if limit < self.settings.max_message_size => {
                        is_large = true;
                        continue;
                    }
                    Err(refusal) => return Err(refusal.into()),
                }
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

    async fn in_memory(&mut self, message: Bytes) -> Received {
        self.proven = self.proven.max(message.len().min(MAX_PROVEN));
        let mut reservation = std::mem::replace(&mut self.reservation, self.budget.reserve());
        reservation.shrink_to(message.len());
        reservation.grow_to_whole(message.len()).await;
        let (message, memory) = if message.len() < LONG_MESSAGE {
            (message, None)
        } else {
            let (message, memory) = self.lend(message);
            (message, Some(memory))
        };
        if self.framer.is_json() {
            // What is kept of it is in memory of its own.
            return Received { message: Incoming::Json(message), memory: None, reservation };
        }
        Received { message: Incoming::InMemory(message), memory, reservation }
    }

    /// Leaves the memory of a message to it alone, with what came behind it elsewhere: then that memory serves again. Gives
    /// how many bytes of it there are as well.
    fn lend(&mut self, message: Bytes) -> (Bytes, usize) {
        let room = std::mem::take(&mut self.room);
        let behind = self.framer.buffer();
        let memory = message.len() + behind.capacity() + room.capacity();
        *behind = BytesMut::from(&behind[..]);
        (self.memory.lend(message), memory)
    }

    /// The stream, for what is to be done with it at the end.
    pub(super) fn into_inner(self) -> R {
        self.stream
    }

    /// Reads on within what is known to belong to this message, or [`READ_SIZE`] beyond what is there. The budget is
    /// asked for all but the first `READ_SIZE` bytes, and never for more than twice what has come, or what has come once
    /// before: announcing costs a peer nothing and gets it nothing.
    async fn read(&mut self) -> Result<usize, ReadError> {
        let buffered = self.framer.buffered();
        let missing = self.framer.known_length().saturating_sub(buffered);
        let size = missing.clamp(READ_SIZE, buffered.max(READ_SIZE).max(self.proven));
        self.reservation.grow_to((buffered + size).saturating_sub(READ_SIZE)).await;
        if buffered == 0 {
            // Nobody knows for how long.
            self.room = BytesMut::new();
            return self.begin(size).await;
        }
        let stall_timeout = self.settings.stall_timeout;
        let read = self.read_on(size, missing);
        Ok(timeout(stall_timeout, read)
            .await
            .map_err(|_| ReadError::Stalled { timeout: stall_timeout, buffered })??)
    }

    /// Reads at most `size` bytes of a message that has not begun, once it may.
    async fn begin(&mut self, size: usize) -> Result<usize, ReadError> {
        let idle = self.settings.idle_timeout.unwrap_or(Duration::MAX);
        // All of a message like those before it, unless that is to be in memory which serves again.
        let room = size.max(if self.proven < LONG_MESSAGE { self.proven + WORTH_READING } else { 0 });
        loop {
            if !self.turnstile.is_open() {
                *self.framer.buffer() = BytesMut::new();
                // The peer is not to blame for how long that takes.
                self.turnstile.pass().await;
            }
            let read = {
                let mut read = pin!(read_some(&mut self.stream, self.framer.buffer(), size, room));
                let turnstile = &self.turnstile;
                let begun = poll_fn(move |context| match turnstile.is_open() {
                    true => read.as_mut().poll(context).map(Some),
                    // Something comes, or went out.
                    false => Poll::Ready(None),
                });
                timeout(idle, begun).await.map_err(|_| ReadError::Idle(idle))?
            };
            if let Some(read) = read {
                return Ok(read?);
            }
        }
    }

    /// Reads at most `size` bytes of a message that has begun, of which so many are known to be missing.
    async fn read_on(&mut self, size: usize, missing: usize) -> io::Result<usize> {
        let buffer = self.framer.buffer();
        // What follows the longest part of a message is short, and nobody knows its length before.
        let needed = size.min(missing.max(WORTH_READING));
        let has_room = buffer.capacity() - buffer.len() >= needed;
        if self.room.is_empty() && (has_room || buffer.len() + needed < LONG_MESSAGE) {
            if !has_room {
                buffer.reserve(needed + WORTH_READING);
            }
            return read_some(&mut self.stream, buffer, size, size).await;
        }
        if self.room.len() < needed {
            let mut memory = self.memory.take(buffer.len() + size + READ_SIZE);
            memory[..buffer.len()].copy_from_slice(buffer);
            *buffer = memory.split_to(buffer.len());
            self.room = memory;
        }
        let room = size.min(self.room.len());
        let read = self.stream.read(&mut self.room[..room]).await?;
        // The two lie side by side.
        buffer.unsplit(self.room.split_to(read));
        Ok(read)
    }
}

/// Appends at most `size` bytes to `buffer`, and fewer where its memory is nearly full: little may follow, for which all of it
/// would move. Where it has none it gets memory for `room` bytes. An empty buffer has no memory while it waits: most of ten
/// thousand connections are idle.
pub(super) async fn read_some<R: AsyncRead + Unpin>(
    stream: &mut R,
    buffer: &mut BytesMut,
    size: usize,
    room: usize,
) -> io::Result<usize> {
    poll_fn(|context| {
        if buffer.capacity() - buffer.len() < size.min(WORTH_READING) {
            buffer.reserve(room);
        }
        let room = buffer.capacity() - buffer.len();
        let mut limited = (&mut *buffer).limit(size.min(room));
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

    use super::super::ack_trail::AckTrail;
    use super::*;
    use crate::journal::{MAX_QUEUED, QueueRoom};
    use crate::wire::client::{Packed, encode_packed};

    const MAX_MESSAGE_SIZE: usize = 1 << 20;

    fn reader(stall_timeout: Duration) -> (DuplexStream, MessageReader<'static, DuplexStream>) {
        let budget = Budget::new(4 << 20, MAX_MESSAGE_SIZE, IntGauge::new("in_flight", "bytes").unwrap());
        let (client, server) = duplex(1 << 16);
        let shutdown = CancellationToken::new();
        let settings = ReaderSettings {
            max_message_size: MAX_MESSAGE_SIZE,
            stall_timeout,
            idle_timeout: None,
            reads_json: true,
            spool_above: MAX_MESSAGE_SIZE,
            disk_space: Space::of("/nowhere".as_ref(), &shutdown),
            spool_budget: Budget::new(1 << 30, 1 << 30, IntGauge::new("spool", "bytes").unwrap()),
            min_rate: 1_000_000,
            rate_window: Duration::from_millis(20),
            limits: ContentLimits::NONE,
        };
        let memory = MessageMemory::default();
        let turnstile =
            Turnstile { room: QueueRoom::default(), trail: Box::leak(Box::new(AckTrail::new(0))) };
        (client, MessageReader::new(server, BytesMut::new(), &budget, &memory, turnstile, settings, shutdown))
    }

    #[tokio::test]
    async fn a_large_message_that_comes_too_slowly_is_given_up_and_its_file_removed() {
        let data_dir = tempfile::tempdir().unwrap();
        let (mut client, mut reader) = reader(Duration::MAX);
        reader.framer = Framer::new(1 << 16);
        reader.settings.disk_space = Space::of(data_dir.path(), &reader.shutdown);
        reader.settings.disk_space.folder().prepare().unwrap();
        let entries = b"\x92\x01\x80".repeat(50_000);
        let bytes =
            encode_packed(&Packed { tag: b"t", entries: &entries, count: 0, chunk: None, gzip: false });
        let sent = tokio::spawn(async move {
            // Silent in the middle.
            client.write_all(&bytes[..100_000]).await.unwrap();
            client
        });
        let given_up = reader.next().await;
        assert!(matches!(given_up, Err(ReadError::TooSlow { received: 100_000, .. })), "{given_up:?}");
        drop(sent.await.unwrap());
        assert_eq!(std::fs::read_dir(reader.settings.disk_space.folder().path()).unwrap().count(), 0);
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

    #[tokio::test(start_paused = true)]
    async fn no_message_is_begun_without_room_for_it_and_its_peer_is_not_to_blame() {
        let (mut client, mut reader) = reader(Duration::MAX);
        reader.settings.idle_timeout = Some(Duration::from_secs(1));
        let queued = reader.turnstile.room.take(MAX_QUEUED);
        client.write_all(&message(10)).await.unwrap();
        assert!(timeout(Duration::from_secs(60), reader.next()).await.is_err());
        assert_eq!(reader.buffered(), 0);
        drop(queued);
        assert!(reader.next().await.unwrap().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_waiting_for_its_peer_begins_no_message_either() {
        let (mut client, mut reader) = reader(Duration::MAX);
        let room = reader.turnstile.room.clone();
        let mut next = pin!(reader.next());
        assert!(timeout(Duration::from_secs(1), next.as_mut()).await.is_err());
        let queued = room.take(MAX_QUEUED);
        client.write_all(&message(10)).await.unwrap();
        assert!(timeout(Duration::from_secs(1), next.as_mut()).await.is_err());
        drop(queued);
        assert!(next.await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_comes_while_something_is_unacknowledged_is_read_whatever_room_there_is() {
        let (mut client, mut reader) = reader(Duration::MAX);
        let _queued = reader.turnstile.room.take(MAX_QUEUED);
        reader.turnstile.trail.will_acknowledge();
        client.write_all(&message(10)).await.unwrap();
        assert!(reader.next().await.unwrap().is_some());
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
        assert!(reader.framer.buffer().capacity() + reader.room.len() < 4 * READ_SIZE);
    }

    #[tokio::test]
    async fn whoever_sent_a_whole_message_gets_the_memory_for_its_like_at_once() {
        let (mut client, mut reader) = reader(Duration::MAX);
        let first = message(300_000);
        let sent = tokio::spawn(async move {
            client.write_all(&first).await.unwrap();
            // The beginning is all that comes of another one.
            client.write_all(&message(300_000)[..READ_SIZE]).await.unwrap();
            client
        });
        assert!(reader.next().await.unwrap().is_some());
        let _client = sent.await.unwrap();
        assert!(
            pin!(reader.next())
                .poll(&mut std::task::Context::from_waker(std::task::Waker::noop()))
                .is_pending()
        );
        let capacity = reader.framer.buffer().capacity() + reader.room.len();
        assert!((300_000..600_000).contains(&capacity), "{capacity}");
    }

    /// Reads what there is, of which nothing is whole.
    async fn read_a_part(reader: &mut MessageReader<'_, DuplexStream>) {
        let mut next = pin!(reader.next());
        let nothing = poll_fn(|context| Poll::Ready(next.as_mut().poll(context).is_pending()));
        assert!(nothing.await);
    }

    #[tokio::test]
    async fn a_short_message_stays_where_it_is_when_what_follows_its_entries_comes() {
        let (mut client, mut reader) = reader(Duration::MAX);
        let entries = vec![b'x'; 40_000];
        let chunk = Some(&b"an id"[..]);
        let bytes = encode_packed(&Packed { tag: b"t", entries: &entries, count: 9, chunk, gzip: false });
        let end = bytes.len() - 10;
        // Of a length that nobody knew before, and of one that was there already.
        for _ in 0..2 {
            client.write_all(&bytes[..end]).await.unwrap();
            read_a_part(&mut reader).await;
            assert_eq!(reader.buffered(), end);
            let place = reader.framer.buffer().as_ptr();
            client.write_all(&bytes[end..]).await.unwrap();
            let Incoming::InMemory(received) = reader.next().await.unwrap().unwrap().message else {
                panic!("it is short enough for memory")
            };
            assert_eq!((received.as_ptr(), &received[..]), (place, &bytes[..]));
        }
    }

    #[tokio::test]
    async fn a_short_message_like_the_last_one_comes_into_memory_of_its_size() {
        let (mut client, mut reader) = reader(Duration::MAX);
        client.write_all(&message(40_000)).await.unwrap();
        assert!(reader.next().await.unwrap().is_some());
        read_a_part(&mut reader).await;
        client.write_all(&message(40_000)[..READ_SIZE / 2]).await.unwrap();
        read_a_part(&mut reader).await;
        let capacity = reader.framer.buffer().capacity();
        assert!((40_000..40_000 + 2 * WORTH_READING).contains(&capacity), "{capacity}");
    }

    #[tokio::test]
    async fn a_message_does_not_outgrow_its_memory_with_what_follows_its_entries() {
        let (mut client, mut reader) = reader(Duration::MAX);
        let entries = vec![b'x'; 300_000];
        let chunk = Some(&b"an id"[..]);
        let bytes = encode_packed(&Packed { tag: b"t", entries: &entries, count: 9, chunk, gzip: false });
        let sent = tokio::spawn(async move {
            for _ in 0..3 {
                client.write_all(&bytes).await.unwrap();
            }
            client
        });
        for _ in 0..3 {
            let Incoming::InMemory(message) = reader.next().await.unwrap().unwrap().message else {
                panic!("it is short enough for memory")
            };
            drop(message);
            // Memory that had grown once more would have as much again.
            let back = reader.memory.take(entries.len());
            assert!(back.len() < entries.len() + 2 * READ_SIZE, "{}", back.len());
        }
        let _client = sent.await.unwrap();
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
        assert!(matches!(large.message, Incoming::InMemory(message) if message == bytes));
        assert_eq!(large.reservation.size(), bytes.len());
        let small = reader.next().await.unwrap().unwrap();
        assert_eq!(small.reservation.size() as u64, small.message.length());
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
