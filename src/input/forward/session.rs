//! A connection from its first message to its last acknowledgement.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::acker::{AckError, Pending, Stored, acknowledge};
use super::budget::Budget;
use super::intake::{Accepted, Intake};
use super::large::{MAX_INFLATED_IN_MEMORY, Settled, spool_whole};
use super::pace::RATE_WINDOW;
use super::reader::{Incoming, MessageReader, ReadError, ReaderSettings, Received};
use super::warnings::Warnings;
use crate::chunk::{Chunk, Encoding};
use crate::config::InputConfig;
use crate::event_time::EventTime;
use crate::input::ChunkSink;
use crate::journal::large::LargeEntries;
use crate::journal::{AppendError, Receipt};
use crate::metrics::InputMetrics;
use crate::sender::Sender;
use crate::wire::ack::encode_ack;
use crate::wire::contents::Contents;
use crate::wire::large::LargeEnd;
use crate::wire::message::Message;
use crate::wire::options::{Options, Signal};
use crate::wire::refusal::Refusal;

/// How long the rest of a message may take to go on coming, and an acknowledgement to be taken. Who stalls holds a
/// part of the budget that others wait for.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// What all connections of an input share.
#[derive(Debug)]
pub(super) struct Shared<J> {
    pub(super) config: InputConfig,
    pub(super) id: Arc<str>,
    pub(super) journal: J,
    pub(super) metrics: InputMetrics,
    pub(super) budget: Budget,
    /// Of the files of large messages.
    pub(super) spool_budget: Budget,
    pub(super) intake: Intake,
    pub(super) warnings: Warnings,
    pub(super) shutdown: CancellationToken,
}

/// Why a session ended before its peer or the server wanted it to.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Ack(#[from] AckError),
    #[error("not taken: {0}")]
    Journal(#[from] AppendError),
}

impl SessionError {
    /// The word for metrics where a message is to blame.
    pub(super) fn rejection(&self) -> Option<&'static str> {
        match self {
            Self::Read(ReadError::Refused(refusal)) => Some(refusal.label()),
            Self::Read(ReadError::Stalled { .. }) => Some("stalled"),
            Self::Read(ReadError::TooSlow { .. }) => Some("too_slow"),
            Self::Read(ReadError::Disk(_)) => Some("disk"),
            _ => None,
        }
    }

    /// Whether the journal is to blame.
    pub(super) fn is_of_the_journal(&self) -> bool {
        matches!(self, Self::Journal(_) | Self::Ack(AckError::Journal(_)))
    }
}

impl From<Refusal> for SessionError {
    fn from(refusal: Refusal) -> Self {
        Self::Read(refusal.into())
    }
}

/// Takes messages and acknowledges them until either side is done. Whatever ends the reading, what was taken before
/// is still acknowledged. The stream comes back to be closed.
pub(super) async fn run<S, J>(
    stream: S,
    sender: &Arc<Sender>,
    shared: &Shared<J>,
) -> (S, Result<(), SessionError>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: ChunkSink,
{
    let (read_half, mut write_half) = tokio::io::split(stream);
    let mut reader = MessageReader::new(
        read_half,
        &shared.budget,
        ReaderSettings {
            max_message_size: shared.config.max_message_size,
            stall_timeout: STALL_TIMEOUT,
            spool_above: shared.config.spool_above,
            spools: shared.journal.spools().clone(),
            spool_budget: shared.spool_budget.clone(),
            min_rate: shared.config.min_rate,
            rate_window: RATE_WINDOW,
            limits: shared.config.content_limits(),
        },
        shared.shutdown.clone(),
    );
    let (queue, mut pending) = mpsc::unbounded_channel();
    let result = {
        let reading = take_messages(&mut reader, queue, sender, shared);
        let acking = acknowledge(&mut pending, &mut write_half, STALL_TIMEOUT, &shared.metrics);
        tokio::pin!(reading, acking);
        tokio::select! {
            taken = &mut reading => {
                let acked = acking.await;
                taken.and(acked.map_err(SessionError::from))
            }
            // The queue ends after the reading only, so that this is an error.
            acked = &mut acking => acked.map_err(SessionError::from),
        }
    };
    (reader.into_inner().unsplit(write_half), result)
}

/// Reads, checks and appends in order; the queue's end tells the acker that it is over.
async fn take_messages<R, J>(
    reader: &mut MessageReader<R>,
    queue: mpsc::UnboundedSender<Pending>,
    sender: &Arc<Sender>,
    shared: &Shared<J>,
) -> Result<(), SessionError>
where
    R: AsyncRead + Unpin,
    J: ChunkSink,
{
    let slots = Arc::new(Semaphore::new(shared.config.max_pending_acks.min(Semaphore::MAX_PERMITS)));
    while let Some(Received { message, reservation }) = reader.next().await? {
        let received = Instant::now();
        let received_at = EventTime::now();
        shared.metrics.bytes.inc_by(message.length());
        let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (ack, stored, space) = match message {
            Incoming::InMemory(message) => match shared.intake.accept(&message).await? {
                Accepted::Signal(message, signal) => {
                    set_aside(signal, sender, shared);
                    (ack_of(&message.options), None, None)
                }
                Accepted::Events(message, contents) => {
                    let ack = ack_of(&message.options);
                    (ack, store(message, contents, received_at, sender, shared).await?, None)
                }
            },
            Incoming::InFile(spooled) => {
                let Settled { end, stored, reservation } = spooled.settle().await.map_err(ReadError::from)?;
                shared.metrics.large_messages.inc();
                if let Signal::Other(signal) = end.options.signal {
                    set_aside(signal, sender, shared);
                }
                let ack = ack_of(&end.options);
                let stored = match stored {
                    Some((contents, entries)) => {
                        Some(store_large(end, contents, entries, received_at, sender, shared).await?)
                    }
                    None => None,
                };
                (ack, stored, Some(reservation))
            }
        };
        let pending = Pending { stored, ack, received, reservation, space, slot };
        if queue.send(pending).is_err() {
            // The acker has ended, and its error ends the session.
            break;
        }
    }
    Ok(())
}

/// Metrics and traces are not log entries and have no place in the journal. They are acknowledged all the same: a
/// refused Fluent Bit repeats the chunk for ever, and holds back the logs behind it. So that nothing disappears in
/// silence they are counted and logged.
fn set_aside<J>(signal: u64, sender: &Sender, shared: &Shared<J>) {
    shared.metrics.reject_message("signal");
    if shared.warnings.admit("signal", Instant::now()) {
        tracing::warn!(
            input = &*shared.id,
            sender = sender.identity,
            signal,
            "dropped what is no logs (fluent_signal 1 is metrics, 2 traces): send only logs to this input"
        );
    }
}

async fn store<J: ChunkSink>(
    message: Message,
    contents: Contents,
    received_at: EventTime,
    sender: &Arc<Sender>,
    shared: &Shared<J>,
) -> Result<Option<Stored>, SessionError> {
    if contents.entries == 0 {
        return Ok(None);
    }
    let Message { tag, options, encoding, entries } = message;
    if contents.bytes > MAX_INFLATED_IN_MEMORY && encoding != Encoding::Plain {
        let entries = spool_whole(entries, shared.journal.spools()).await.map_err(ReadError::from)?;
        let end = LargeEnd { tag, options, encoding, contents: None };
        return store_large(end, contents, entries, received_at, sender, shared).await.map(Some);
    }
    let chunk = chunk(tag.clone(), options, encoding, contents, received_at, sender, shared);
    let appended = shared.journal.append(Chunk { entries, ..chunk }).await;
    stored(appended, tag, contents).map(Some)
}

async fn store_large<J: ChunkSink>(
    end: LargeEnd,
    contents: Contents,
    entries: LargeEntries,
    received_at: EventTime,
    sender: &Arc<Sender>,
    shared: &Shared<J>,
) -> Result<Stored, SessionError> {
    let LargeEnd { tag, options, encoding, .. } = end;
    let chunk = chunk(tag.clone(), options, encoding, contents, received_at, sender, shared);
    stored(shared.journal.append_large(chunk, entries).await, tag, contents)
}

/// A chunk without its entries.
fn chunk<J>(
    tag: Bytes,
    options: Options,
    encoding: Encoding,
    contents: Contents,
    received_at: EventTime,
    sender: &Arc<Sender>,
    shared: &Shared<J>,
) -> Chunk {
    Chunk {
        sender: sender.clone(),
        input: shared.id.clone(),
        tag,
        // An empty id asks for an acknowledgement, and tells no chunk from another.
        id: options.chunk.map(|chunk| chunk.id).filter(|id| !id.is_empty()),
        received_at,
        entry_count: contents.entries,
        has_bad_entries: contents.bad_entries > 0,
        has_metadata: contents.has_metadata,
        encoding,
        entries: Bytes::new(),
    }
}

fn stored(
    appended: Result<Receipt, AppendError>,
    tag: Bytes,
    contents: Contents,
) -> Result<Stored, SessionError> {
    match appended {
        Ok(receipt) => {
            Ok(Stored { receipt, tag, entries: contents.entries, bad_entries: contents.bad_entries })
        }
        Err(AppendError::TooLarge) => Err(Refusal::TooLargeForJournal.into()),
        Err(error) => Err(error.into()),
    }
}

fn ack_of(options: &Options) -> Option<Vec<u8>> {
    options.chunk.as_ref().map(encode_ack)
}
