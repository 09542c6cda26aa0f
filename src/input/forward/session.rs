//! A connection from its first message to its last acknowledgement.

use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::ack_trail::{AckTrail, Watched};
use super::acker::{AckError, Pending, acknowledge};
use super::budget::Budget;
use super::host_names::HostNames;
use super::intake::Intake;
use super::message_memory::MessageMemory;
use super::pace::RATE_WINDOW;
use super::reader::{MessageReader, ReadError, ReaderSettings, Received};
use super::refused::Refusals;
use super::senders::{Place, Senders};
use super::space::Space;
use super::tagging::Tagging;
use super::taking::{Arrival, Taken, take};
use super::throttle::Throttle;
use super::turnstile::Turnstile;
use super::warnings::Warnings;
use crate::config::InputConfig;
use crate::event_time::EventTime;
use crate::input::ChunkSink;
use crate::journal::AppendError;
use crate::metrics::InputMetrics;
use crate::sender::Sender;
use crate::wire::refusal::Refusal;

/// What all connections of an input share.
#[derive(Debug)]
pub(super) struct Shared<J> {
    pub(super) config: InputConfig,
    pub(super) id: Arc<str>,
    pub(super) journal: J,
    pub(super) metrics: InputMetrics,
    pub(super) budget: Budget,
    pub(super) message_memory: MessageMemory,
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
        &shared.message_memory,
        Turnstile { room: shared.journal.queue_room().clone(), trail: &trail },
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
    reader: &mut MessageReader<'_, R>,
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
        let Some(Received { message, memory, mut reservation }) = next? else { break };
        let (at, instant) = (EventTime::now(), Instant::now());
        let arrival = Arrival { at, instant, sender, throttle, trail, memory };
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
