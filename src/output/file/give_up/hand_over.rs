//! What a file output hands over, until it is durable elsewhere and the output's cursor has passed it.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use aws_lc_rs::digest::{Context as Digest, SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::parts::Part;
use crate::chunk::{Encoding, HandedOver};
use crate::journal::{AppendError, CursorError, Position, Replays, StoredChunk};
use crate::metrics::GivenUpMetrics;
use crate::output::given_up::{Abandoned, GivenUp, Hold, TakenParts};
use crate::planted::{Bug, is_planted};

/// Parts that may be on their way at one time, and the bytes of their entries. Past it the output reads no more.
const MAX_PENDING: usize = 1024;
const MAX_PENDING_BYTES: usize = 32 * 1024 * 1024;

/// Begins what is hashed, so that no other use of the same numbers gives the same ids.
const DOMAIN: &[u8] = b"hikyaku file 1\0";

/// Bytes of the hash in an id: 24 characters.
const ID_LENGTH: usize = 18;

/// The way of one output's events into the journal of what was given up.
#[derive(Debug)]
pub(super) struct HandOver {
    output: String,
    to: String,
    /// The journal that the output reads, in hex.
    journal: String,
    /// How many replays there were: what is replayed is meant to be there once more.
    replay: u64,
    given_up: GivenUp,
    hold: Hold,
    taken: TakenParts,
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    metrics: GivenUpMetrics,
}

/// A part on its way.
struct Pending {
    abandoned: Abandoned,
    /// Behind which the output's cursor must be before it is let go.
    end: Position,
    taking: Taking,
}

type Taking = Pin<Box<dyn Future<Output = Result<(), AppendError>> + Send>>;

impl HandOver {
    /// `to`: who gets it.
    pub(super) fn new(
        output: &str,
        to: &str,
        journal: String,
        given_up: &GivenUp,
        (hold, taken): (Hold, TakenParts),
        metrics: GivenUpMetrics,
    ) -> Self {
        Self {
            output: output.to_owned(),
            to: to.to_owned(),
            journal,
            replay: 0,
            given_up: given_up.clone(),
            hold,
            taken,
            pending: VecDeque::new(),
            pending_bytes: 0,
            metrics,
        }
    }

    /// Where it goes.
    pub(super) fn to(&self) -> &str {
        &self.to
    }

    pub(super) fn taken(&self) -> &TakenParts {
        &self.taken
    }

    pub(super) fn hold(&self) -> &Hold {
        &self.hold
    }

    /// What is read from now on is that of these replays.
    pub(super) fn set_replays(&mut self, replays: &Replays) {
        self.replay = replays.number();
    }

    /// Sends a part of a chunk on its way. From now on it is known as handed over.
    pub(super) fn submit(&mut self, chunk: &StoredChunk, part: Part, reason: &str, attempts: u32) {
        let place = chunk.position;
        self.taken.add(place, part.file.clone(), &part.tag);
        let id = self.id(chunk, &part);
        let handed_over = HandedOver {
            from: self.output.clone(),
            to: self.to.clone(),
            journal: self.journal.clone(),
            segment: place.segment,
            offset: place.offset,
            first: place.entry,
            end: place.entry.saturating_add(chunk.entry_count()),
            reason: reason.to_owned(),
            attempts,
            in_doubt: false,
            message_id: String::from_utf8_lossy(&id).into_owned(),
            chunk: chunk.id().map(|id| BASE64_STANDARD.encode(id)),
            as_received: None,
            file: Some(part.file),
        };
        let abandoned = Abandoned {
            sender: chunk.to_sender(),
            input: chunk.input().into(),
            received_at: chunk.received_at(),
            tag: part.tag.into(),
            entries: part.entries,
            encoding: Encoding::Plain,
            entry_count: part.events,
            id,
            handed_over,
        };
        self.hold.under_way().fetch_add(1, Ordering::SeqCst);
        self.pending_bytes += abandoned.entries.len();
        let end = Position { entry: place.entry.saturating_add(1), ..place };
        let mut taking = self.take(abandoned.clone());
        // So that it is on its way; what becomes of it is asked in `poll`.
        let begun = taking.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(ended) = begun {
            taking = Box::pin(std::future::ready(ended));
        }
        self.pending.push_back(Pending { abandoned, end, taking });
    }

    /// Whether something is on its way.
    pub(super) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether no more may be on its way.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= MAX_PENDING || self.pending_bytes >= MAX_PENDING_BYTES
    }

    /// Ready once everything is durable elsewhere.
    ///
    /// # Errors
    ///
    /// Where the journal of what is given up has failed.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AppendError>> {
        while let Some(pending) = self.pending.front_mut() {
            match pending.taking.as_mut().poll(context) {
                Poll::Pending if is_planted(Bug::CheckpointBeforeHandOver) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {
                    self.hold.note(pending.end);
                    self.pending_bytes -= pending.abandoned.entries.len();
                    let events = u64::from(pending.abandoned.entry_count);
                    self.metrics.given_up(&self.to, false, events);
                    self.pending.pop_front();
                }
                Poll::Ready(Err(error @ AppendError::Failed(_))) => {
                    // It is asked once more only to say the same.
                    pending.taking = Box::pin(std::future::ready(Err(error.clone())));
                    return Poll::Ready(Err(error));
                }
                Poll::Ready(Err(AppendError::Stopped)) => {
                    // The process ends; the next one tries again.
                    pending.taking = Box::pin(std::future::pending());
                    return Poll::Pending;
                }
                Poll::Ready(Err(AppendError::Full | AppendError::TooLarge)) => {
                    let abandoned = pending.abandoned.clone();
                    let again = self.take(abandoned);
                    if let Some(pending) = self.pending.front_mut() {
                        pending.taking = again;
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether something was handed over that the output's cursor has not passed.
    pub(super) fn is_ahead(&self) -> bool {
        !self.taken.is_empty() || self.is_pending()
    }

    /// The output's cursor was saved.
    pub(super) fn saved(&mut self, position: Position) {
        self.taken.passed(position);
        if let Err(error) = self.release(position) {
            tracing::warn!(output = self.output, %error, "what was given up is kept longer than need be");
        }
    }

    /// Lets go of what lies before the output's cursor.
    pub(super) fn release(&mut self, position: Position) -> Result<(), CursorError> {
        self.hold.release(position)
    }

    /// The output goes on elsewhere, and has saved that: nothing that was handed over comes again.
    pub(super) fn jumped(&mut self) {
        self.taken.clear();
    }

    fn take(&self, abandoned: Abandoned) -> Taking {
        let given_up = self.given_up.clone();
        Box::pin(async move { given_up.take(abandoned).await })
    }

    /// The same for the same part, and for no other.
    fn id(&self, chunk: &StoredChunk, part: &Part) -> Bytes {
        let mut digest = Digest::new(&SHA256);
        digest.update(DOMAIN);
        let place = chunk.position;
        for number in [
            self.replay,
            place.segment,
            place.offset,
            u64::from(place.entry),
            u64::from(part.file.part),
            chunk.received_at().unix_nanoseconds().cast_unsigned(),
        ] {
            digest.update(&number.to_le_bytes());
        }
        let id = chunk.id().unwrap_or_default();
        for bytes in [
            self.journal.as_bytes(),
            self.output.as_bytes(),
            part.file.path.as_bytes(),
            part.tag.as_slice(),
            id,
        ] {
            digest.update(&(bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        }
        BASE64_STANDARD.encode(&digest.finish().as_ref()[..ID_LENGTH]).into()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pending").field("end", &self.end).finish_non_exhaustive()
    }
}

/// The id of a journal, as letters have it.
pub(super) fn in_hex(journal: &[u8]) -> String {
    journal.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
