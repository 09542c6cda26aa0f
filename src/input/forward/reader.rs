//! Reading messages from a connection, within the budget.

mod error;
mod received;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub(super) use error::ReadError;
pub(super) use received::{Incoming, Received};

use super::budget::{Budget, Reservation};
use super::message_memory::{LONG_MESSAGE, MessageMemory};
use super::space::Space;
use super::turnstile::Turnstile;
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
                self.turnstile.wait().await;
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
