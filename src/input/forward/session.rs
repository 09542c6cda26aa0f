//! A connection from its first message to its last acknowledgement.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::ack_trail::{AckTrail, Watched};
use super::acker::{AckError, Pending, Stored, acknowledge};
use super::budget::{Budget, Reservation};
use super::host_names::HostNames;
use super::intake::{Accepted, Intake};
use super::large::{MAX_INFLATED_IN_MEMORY, Outcome, Settled, Spooled, spool_whole};
use super::pace::RATE_WINDOW;
use super::reader::{Incoming, MessageReader, ReadError, ReaderSettings, Received};
use super::refused::{Refusals, take_refused, take_refused_large};
use super::senders::{Place, Senders};
use super::space::Space;
use super::tagging::{Tagged, Tagging};
use super::throttle::Throttle;
use super::warnings::Warnings;
use crate::chunk::{Chunk, Encoding};
use crate::config::InputConfig;
use crate::event_time::EventTime;
use crate::input::ChunkSink;
use crate::journal::format::footer::chunk_key;
use crate::journal::large::LargeEntries;
use crate::journal::{AppendError, Receipt};
use crate::metrics::InputMetrics;
use crate::sender::Sender;
use crate::wire::ack::encode_ack;
use crate::wire::content_id::looks_like_content_hash;
use crate::wire::contents::Contents;
use crate::wire::json::encode_json_ack;
use crate::wire::large::{LargeContents, LargeEnd};
use crate::wire::message::Message;
use crate::wire::options::{ChunkId, Options, Signal};
use crate::wire::refusal::Refusal;

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
    pub(super) senders: Arc<Senders>,
    pub(super) refusals: Refusals,
    pub(super) tagging: Tagging,
    pub(super) warnings: Warnings,
    /// Where the names of senders' hosts are looked up, if they are.
    pub(super) host_names: Option<HostNames>,
    pub(super) shutdown: CancellationToken,
}

impl<J: ChunkSink> Shared<J> {
    /// The disk for large messages.
    pub(super) fn disk_space(&self) -> Space {
        let patience = self.config.stall_timeout;
        Space::new(self.journal.spools().clone(), patience, self.metrics.clone(), self.shutdown.clone())
    }
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
            Self::Journal(AppendError::Full)
            | Self::Read(ReadError::Journal(AppendError::Full))
            | Self::Ack(AckError::Journal(AppendError::Full)) => Some("journal_full"),
            _ => None,
        }
    }

    /// Whether the journal is to blame.
    pub(super) fn is_of_the_journal(&self) -> bool {
        matches!(self, Self::Journal(_) | Self::Read(ReadError::Journal(_)) | Self::Ack(AckError::Journal(_)))
    }
}

impl From<Refusal> for SessionError {
    fn from(refusal: Refusal) -> Self {
        Self::Read(refusal.into())
    }
}

/// Takes messages and acknowledges them until either side is done. Whatever ends the reading, what was taken before
/// is still acknowledged. `already_read` comes before what the stream still gives, and nothing was sent before the journal
/// had taken `opened_after` chunks. The stream comes back to be closed.
pub(super) async fn run<S, J>(
    stream: S,
    already_read: BytesMut,
    opened_after: u64,
    sender: &Arc<Sender>,
    place: &Place,
    shared: &Shared<J>,
) -> (S, Result<(), SessionError>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: ChunkSink,
{
    let stall_timeout = shared.config.stall_timeout;
    let trail = AckTrail::new(opened_after);
    let (read_half, mut write_half) = tokio::io::split(stream);
    let mut reader = MessageReader::new(
        Watched { stream: read_half, trail: &trail },
        already_read,
        &shared.budget.of_sender(place.in_flight()),
        ReaderSettings {
            max_message_size: shared.config.max_message_size,
            stall_timeout,
            idle_timeout: shared.config.idle_timeout,
            reads_json: shared.config.security.is_none(),
            spool_above: shared.config.spool_above,
            disk_space: shared.disk_space(),
            spool_budget: shared.spool_budget.clone(),
            min_rate: shared.config.min_rate,
            rate_window: RATE_WINDOW,
            limits: shared.config.content_limits(),
        },
        shared.shutdown.clone(),
    );
    let (queue, mut pending) = mpsc::unbounded_channel();
    let result = {
        let reading = take_messages(&mut reader, queue, sender, place.throttle(), &trail, shared);
        let taken = || shared.journal.taken();
        let acking =
            acknowledge(&mut pending, &mut write_half, stall_timeout, &shared.metrics, &trail, taken);
        tokio::pin!(reading, acking);
        tokio::select! {
            // First what there is to read, so that no acknowledgement goes out past it unseen.
            biased;
            taken = &mut reading => {
                let acked = acking.await;
                taken.and(acked.map_err(SessionError::from))
            }
            // The queue ends after the reading only, so that this is an error.
            acked = &mut acking => acked.map_err(SessionError::from),
        }
    };
    (reader.into_inner().stream.unsplit(write_half), result)
}

/// Reads, checks and appends in order; the queue's end tells the acker that it is over.
async fn take_messages<R, J>(
    reader: &mut MessageReader<R>,
    queue: mpsc::UnboundedSender<Pending>,
    sender: &Arc<Sender>,
    throttle: &Throttle,
    trail: &AckTrail,
    shared: &Shared<J>,
) -> Result<(), SessionError>
where
    R: AsyncRead + Unpin,
    J: ChunkSink,
{
    let slots = Arc::new(Semaphore::new(shared.config.max_pending_acks.min(Semaphore::MAX_PERMITS)));
    loop {
        throttle.wait(&shared.shutdown, &shared.metrics).await;
        let next = reader.next().await;
        if next.is_err() {
            // What never became a message has cost as much.
            throttle.charge_bytes(reader.buffered(), Instant::now());
        }
        let Some(Received { message, mut reservation }) = next? else { break };
        let arrival = Arrival { at: EventTime::now(), instant: Instant::now(), sender, throttle, trail };
        throttle.charge_bytes(usize::try_from(message.length()).unwrap_or(usize::MAX), arrival.instant);
        shared.metrics.bytes.inc_by(message.length());
        let slot = one_of(&slots, &shared.metrics).await;
        // On the heap while it lasts: as a part of this future it would be in each connection for as long as that lives,
        // and most connections wait for their next message most of the time.
        let taking = Box::pin(take(message, &mut reservation, &arrival, shared));
        let Taken { ack, stored, space } = taking.await?;
        if ack.is_some() {
            trail.will_acknowledge();
        }
        if reader.buffered() > 0 {
            trail.bytes_came();
        }
        let pending = Pending { stored, ack, received: arrival.instant, reservation, space, slot };
        if queue.send(pending).is_err() {
            // The acker has ended, and its error ends the session.
            break;
        }
    }
    Ok(())
}

/// When a message was complete, and whose it is.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub(super) at: EventTime,
    pub(super) instant: Instant,
    pub(super) sender: &'a Arc<Sender>,
    pub(super) throttle: &'a Throttle,
    pub(super) trail: &'a AckTrail,
}

/// What became of a message.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The acknowledgement; `None` where the sender wants none.
    pub(super) ack: Option<Vec<u8>>,
    /// `None` where there was nothing to store.
    pub(super) stored: Option<Stored>,
    /// Its part of the space for files.
    pub(super) space: Option<Reservation>,
}

/// Checks a message and hands it to the journal.
async fn take<J: ChunkSink>(
    message: Incoming,
    reservation: &mut Reservation,
    arrival: &Arrival<'_>,
    shared: &Shared<J>,
) -> Result<Taken, SessionError> {
    match message {
        Incoming::InMemory(bytes) => match shared.intake.accept(&bytes).await {
            Ok(accepted) => take_accepted(accepted, encode_ack, arrival, shared).await,
            Err(refusal) => take_refused(bytes, refusal, arrival, shared).await,
        },
        Incoming::Json(text) => {
            let accepted = shared.intake.accept_json(&text, shared.config.max_message_size).await?;
            drop(text);
            reservation.grow_to_whole(accepted.size()).await;
            take_accepted(accepted, encode_json_ack, arrival, shared).await
        }
        Incoming::InFile(spooled) => take_large(*spooled, arrival, shared).await,
    }
}

/// Takes a message that was in memory.
async fn take_accepted<J: ChunkSink>(
    accepted: Accepted,
    encode_ack: fn(&ChunkId) -> Vec<u8>,
    arrival: &Arrival<'_>,
    shared: &Shared<J>,
) -> Result<Taken, SessionError> {
    match accepted {
        Accepted::Signal(message, signal) => {
            set_aside(signal, arrival.sender, shared);
            Ok(Taken { ack: message.options.chunk.as_ref().map(encode_ack), ..Taken::default() })
        }
        Accepted::Events(message, contents) => {
            arrival.throttle.charge_events(contents.entries, arrival.instant);
            let ack = message.options.chunk.as_ref().map(encode_ack);
            Ok(Taken { ack, stored: store(message, contents, arrival, shared).await?, space: None })
        }
    }
}

/// Takes a message that is in a file.
async fn take_large<J: ChunkSink>(
    spooled: Spooled,
    arrival: &Arrival<'_>,
    shared: &Shared<J>,
) -> Result<Taken, SessionError> {
    let Settled { end, outcome, reservation } =
        spooled.settle(&shared.disk_space()).await.map_err(ReadError::from)?;
    shared.metrics.large_messages.inc();
    if let Signal::Other(signal) = end.options.signal {
        set_aside(signal, arrival.sender, shared);
    }
    let ack = end.options.chunk.as_ref().map(encode_ack);
    let stored = match outcome {
        Outcome::Good(contents, entries) => {
            arrival.throttle.charge_events(contents.entries, arrival.instant);
            Some(store_large(end, contents, entries, arrival, shared).await?)
        }
        Outcome::Nothing => None,
        Outcome::Refused(refusal, spool) => {
            Some(take_refused_large(end, spool, refusal, arrival, shared).await?)
        }
    };
    Ok(Taken { ack, stored, space: Some(reservation) })
}

/// Waits for one of `max_pending_acks`.
async fn one_of(slots: &Arc<Semaphore>, metrics: &InputMetrics) -> OwnedSemaphorePermit {
    if let Ok(slot) = slots.clone().try_acquire_owned() {
        return slot;
    }
    let started = Instant::now();
    let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
    metrics.throttled("max_pending_acks", started.elapsed());
    slot
}

/// Metrics and traces are not log entries and have no place in the journal. They are acknowledged all the same: a
/// refused Fluent Bit repeats the chunk for ever, and holds back the logs behind it. So that nothing disappears in
/// silence they are counted and logged.
fn set_aside<J>(signal: u64, sender: &Sender, shared: &Shared<J>) {
    let reason = match signal {
        1 => "signal_metrics",
        2 => "signal_traces",
        _ => "signal_other",
    };
    shared.metrics.reject_message(reason);
    if shared.warnings.admit(reason, Instant::now()) {
        tracing::warn!(
            input = &*shared.id,
            sender = sender.identity,
            peer = sender.address.map(tracing::field::display),
            signal,
            reason,
            "dropped what is no logs (fluent_signal 1 is metrics, 2 traces): send only logs to this input"
        );
    }
}

async fn store<J: ChunkSink>(
    message: Message,
    contents: Contents,
    arrival: &Arrival<'_>,
    shared: &Shared<J>,
) -> Result<Option<Stored>, SessionError> {
    if contents.entries == 0 {
        return Ok(None);
    }
    let Message { tag, options, encoding, entries } = message;
    if contents.bytes > MAX_INFLATED_IN_MEMORY && encoding != Encoding::Plain {
        let entries = spool_whole(entries, &shared.disk_space()).await.map_err(ReadError::from)?;
        let end = LargeEnd { tag, options, encoding, contents: LargeContents::Good(contents) };
        return store_large(end, contents, entries, arrival, shared).await.map(Some);
    }
    let chunk = chunk(tag, options, encoding, contents, arrival, shared)?;
    let tag = chunk.tag.clone();
    let receipt = append(Chunk { entries, ..chunk }, shared).await?;
    Ok(Some(Stored::of(receipt, tag, &contents)))
}

async fn store_large<J: ChunkSink>(
    end: LargeEnd,
    contents: Contents,
    entries: LargeEntries,
    arrival: &Arrival<'_>,
    shared: &Shared<J>,
) -> Result<Stored, SessionError> {
    let LargeEnd { tag, options, encoding, .. } = end;
    let chunk = chunk(tag, options, encoding, contents, arrival, shared)?;
    let tag = chunk.tag.clone();
    let receipt = shared.journal.append_large(chunk, entries).await.map_err(not_taken)?;
    Ok(Stored::of(receipt, tag, &contents))
}

/// A chunk without its entries.
fn chunk<J>(
    tag: Bytes,
    options: Options,
    encoding: Encoding,
    contents: Contents,
    arrival: &Arrival<'_>,
    shared: &Shared<J>,
) -> Result<Chunk, Refusal> {
    // An empty id asks for an acknowledgement, and tells no chunk from another.
    let id = options.chunk.map(|chunk| chunk.id).filter(|id| !id.is_empty());
    let Tagged { tag, id } = shared.tagging.apply(tag, id)?;
    // To others nothing hangs on it.
    let equal_ids = id.as_ref().filter(|id| looks_like_content_hash(id));
    let proof = arrival.trail.next_chunk(equal_ids.map(|id| chunk_key(&tag, id)));
    Ok(Chunk {
        sender: arrival.sender.clone(),
        input: shared.id.clone(),
        tag,
        id,
        received_at: arrival.at,
        entry_count: contents.entries,
        has_bad_entries: contents.bad_entries > 0,
        has_metadata: contents.has_metadata,
        refusal: None,
        proof,
        handed_over: None,
        encoding,
        entries: Bytes::new(),
    })
}

/// Hands a chunk to the journal.
pub(super) async fn append<J: ChunkSink>(chunk: Chunk, shared: &Shared<J>) -> Result<Receipt, SessionError> {
    shared.journal.append(chunk).await.map_err(not_taken)
}

pub(super) fn not_taken(error: AppendError) -> SessionError {
    match error {
        AppendError::TooLarge => Refusal::TooLargeForJournal.into(),
        error => error.into(),
    }
}
