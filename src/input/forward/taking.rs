//! What becomes of a message: it is checked, made a chunk, and handed to the journal.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::ack_trail::AckTrail;
use super::acker::Stored;
use super::budget::Reservation;
use super::intake::Accepted;
use super::large::{MAX_INFLATED_IN_MEMORY, Outcome, Settled, Spooled, spool_whole};
use super::reader::{Incoming, ReadError};
use super::refused::{take_refused, take_refused_large};
use super::session::{SessionError, Shared};
use super::tagging::Tagged;
use super::throttle::Throttle;
use crate::chunk::{Chunk, Encoding};
use crate::event_time::EventTime;
use crate::input::ChunkSink;
use crate::journal::format::footer::chunk_key;
use crate::journal::large::LargeEntries;
use crate::journal::{AppendError, Receipt};
use crate::sender::Sender;
use crate::wire::ack::encode_ack;
use crate::wire::content_id::looks_like_content_hash;
use crate::wire::contents::Contents;
use crate::wire::json::encode_json_ack;
use crate::wire::large::{LargeContents, LargeEnd};
use crate::wire::message::Message;
use crate::wire::options::{ChunkId, Options, Signal};
use crate::wire::refusal::Refusal;

/// When a message was complete, and whose it is.
#[derive(Debug)]
pub(super) struct Arrival<'a> {
    pub(super) at: EventTime,
    pub(super) instant: Instant,
    pub(super) sender: &'a Arc<Sender>,
    pub(super) throttle: &'a Throttle,
    pub(super) trail: &'a AckTrail,
    /// As in [`Received`](super::reader::Received).
    pub(super) memory: Option<usize>,
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
pub(super) async fn take<J: ChunkSink>(
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
    // Not the memory of the message, which may be free again before its acknowledgement has gone out.
    let tag = Bytes::copy_from_slice(&chunk.tag);
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
        memory: arrival.memory,
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
