//! A connection from its first message to its last acknowledgement.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::acker::{AckError, Pending, Stored, acknowledge};
use super::budget::Budget;
use super::host_names::HostNames;
use super::intake::{Accepted, Intake};
use super::reader::{MessageReader, ReadError, Received};
use super::refused::{Refusals, take_refused};
use super::senders::{Place, Senders};
use super::tagging::{Tagged, Tagging};
use super::throttle::Throttle;
use super::warnings::Warnings;
use crate::chunk::Chunk;
use crate::config::InputConfig;
use crate::event_time::EventTime;
use crate::input::ChunkSink;
use crate::journal::{AppendError, Receipt};
use crate::metrics::InputMetrics;
use crate::sender::Sender;
use crate::wire::ack::encode_ack;
use crate::wire::contents::Contents;
use crate::wire::json::encode_json_ack;
use crate::wire::message::Message;
use crate::wire::refusal::Refusal;

/// What all connections of an input share.
#[derive(Debug)]
pub(super) struct Shared<J> {
    pub(super) config: InputConfig,
    pub(super) id: Arc<str>,
    pub(super) journal: J,
    pub(super) metrics: InputMetrics,
    pub(super) budget: Budget,
    pub(super) intake: Intake,
    pub(super) senders: Arc<Senders>,
    pub(super) refusals: Refusals,
    pub(super) tagging: Tagging,
    pub(super) warnings: Warnings,
    /// Where the names of senders' hosts are looked up, if they are.
    pub(super) host_names: Option<HostNames>,
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
/// is still acknowledged. `already_read` comes before what the stream still gives. The stream comes back to be closed.
pub(super) async fn run<S, J>(
    stream: S,
    already_read: BytesMut,
    sender: &Arc<Sender>,
    place: &Place,
    shared: &Shared<J>,
) -> (S, Result<(), SessionError>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    J: ChunkSink,
{
    let stall_timeout = shared.config.stall_timeout;
    let (read_half, mut write_half) = tokio::io::split(stream);
    let mut reader = MessageReader::new(
        read_half,
        already_read,
        shared.config.max_message_size,
        &shared.budget.of_sender(place.in_flight()),
        stall_timeout,
        shared.shutdown.clone(),
    );
    reader.give_up_after(shared.config.idle_timeout);
    if shared.config.security.is_some() {
        reader = reader.without_json();
    }
    let (queue, mut pending) = mpsc::unbounded_channel();
    let result = {
        let reading = take_messages(&mut reader, queue, sender, place.throttle(), shared);
        let acking = acknowledge(&mut pending, &mut write_half, stall_timeout, &shared.metrics);
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
    throttle: &Throttle,
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
        let Some(Received { message: bytes, json, mut reservation }) = next? else { break };
        let received = Instant::now();
        throttle.charge_bytes(bytes.len(), received);
        let received_at = EventTime::now();
        shared.metrics.bytes.inc_by(bytes.len() as u64);
        let slot = one_of(&slots, &shared.metrics).await;
        let accepted = if json {
            shared.intake.accept_json(&bytes, shared.config.max_message_size).await
        } else {
            shared.intake.accept(&bytes).await
        };
        if let (true, Ok(accepted)) = (json, &accepted) {
            reservation.grow_to_whole(accepted.size()).await;
        }
        let ack_of = if json { json_ack_of } else { ack_of };
        let (ack, stored) = match accepted {
            Err(refusal) => take_refused(bytes, refusal, received_at, sender, shared).await?,
            Ok(Accepted::Signal(message, signal)) => {
                set_aside(signal, sender, shared);
                (ack_of(&message), None)
            }
            Ok(Accepted::Events(message, contents)) => {
                // JSON text is of no use any more; msgpack lives on in the message.
                drop(bytes);
                throttle.charge_events(contents.entries, received);
                (ack_of(&message), store(message, contents, received_at, sender, shared).await?)
            }
        };
        let pending = Pending { stored, ack, received, reservation, slot };
        if queue.send(pending).is_err() {
            // The acker has ended, and its error ends the session.
            break;
        }
    }
    Ok(())
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
            signal,
            reason,
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
    // An empty id asks for an acknowledgement, and tells no chunk from another.
    let id = message.options.chunk.map(|chunk| chunk.id).filter(|id| !id.is_empty());
    let Tagged { tag, id } = shared.tagging.apply(message.tag, id)?;
    let chunk = Chunk {
        sender: sender.clone(),
        input: shared.id.clone(),
        tag: tag.clone(),
        id,
        received_at,
        entry_count: contents.entries,
        has_bad_entries: contents.bad_entries > 0,
        has_metadata: contents.has_metadata,
        refusal: None,
        encoding: message.encoding,
        entries: message.entries,
    };
    let receipt = append(chunk, shared).await?;
    Ok(Some(Stored {
        receipt,
        tag,
        entries: contents.entries,
        bad_entries: contents.bad_entries,
        is_refused: false,
    }))
}

/// Hands a chunk to the journal.
pub(super) async fn append<J: ChunkSink>(chunk: Chunk, shared: &Shared<J>) -> Result<Receipt, SessionError> {
    shared.journal.append(chunk).await.map_err(|error| match error {
        AppendError::TooLarge => Refusal::TooLargeForJournal.into(),
        error => error.into(),
    })
}

fn json_ack_of(message: &Message) -> Option<Vec<u8>> {
    message.options.chunk.as_ref().map(encode_json_ack)
}

fn ack_of(message: &Message) -> Option<Vec<u8>> {
    message.options.chunk.as_ref().map(encode_ack)
}
