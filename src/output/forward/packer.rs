//! From a chunk of the journal to messages.
//!
//! A chunk that no filter and no condition touches goes out as it is stored, compression included. Everything else is
//! decoded, filtered and encoded anew, in pieces of at most `chunk_size`. Where the pieces begin is a pure function of
//! chunk and configuration, as their ids must be.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::compress::Compress;
use super::message::{Message, Origin};
use super::message_id::MessageIds;
use crate::chunk::{AsReceived, Encoding, HandedOver};
use crate::config::{ForwardOutputConfig, MetadataHandling};
use crate::event_time::EventTime;
use crate::journal::{Position, StoredChunk};
use crate::metrics::OutputMetrics;
use crate::output::disowned::DisownedReport;
use crate::output::inflater::Inflater;
use crate::pipeline::throttle_state::ThrottleState;
use crate::pipeline::{Event, Selector, Source};
use crate::wire::msgpack::{write_array, write_map};
use crate::wire::time::write_time;

/// Makes messages of chunks.
#[derive(Debug)]
pub(super) struct Packer {
    selector: Selector,
    /// For what was set aside and is retried: old events, which must not count into windows of today.
    retried: Selector,
    ids: MessageIds,
    output: String,
    inflater: Inflater,
    compress: Compress,
    metadata: MetadataHandling,
    chunk_size: usize,
    acks: bool,
    disowned: DisownedReport,
    metrics: OutputMetrics,
}

impl Packer {
    /// `selectors` are two of the output: one with the counts of its cursor, and a new one.
    pub(super) fn new(
        output: &str,
        config: &ForwardOutputConfig,
        [selector, retried]: [Selector; 2],
        ids: MessageIds,
        metrics: OutputMetrics,
    ) -> Self {
        Self {
            selector,
            retried,
            ids,
            output: output.to_owned(),
            inflater: Inflater::default(),
            compress: Compress::new(config.compress),
            metadata: config.metadata,
            chunk_size: config.chunk_size,
            acks: config.acks,
            disowned: DisownedReport::default(),
            metrics,
        }
    }

    /// What its filters have counted of the chunks so far.
    pub(super) fn throttled(&self) -> &ThrottleState {
        self.selector.throttled()
    }

    /// Goes on with the counts of a cursor; `None`: it holds none.
    pub(super) fn resume(&mut self, encoded: Option<&[u8]>) {
        self.selector.resume(encoded);
    }

    /// Gives the messages from now on ids of another replay.
    pub(super) fn set_ids(&mut self, ids: MessageIds) {
        self.ids = ids;
    }

    /// Hands the messages of a chunk to `send`, but for those that end before the entry `skip`.
    ///
    /// # Errors
    ///
    /// What `send` returns; what is behind that message is not packed.
    pub(super) fn pack<E>(
        &mut self,
        chunk: &StoredChunk,
        skip: u32,
        send: impl FnMut(Message) -> Result<(), E>,
    ) -> Result<(), E> {
        if chunk.is_handed_over() {
            let Some(handed_over) = chunk.handed_over().filter(|handed_over| handed_over.to == self.output)
            else {
                return Ok(());
            };
            let Some(AsReceived { delivered, .. }) = handed_over.as_received else {
                return self.take_over(chunk, handed_over, send);
            };
            let identity = Identity::before(&handed_over);
            std::mem::swap(&mut self.selector, &mut self.retried);
            let packed = self.pack_events(chunk, &identity, skip.max(delivered), send);
            std::mem::swap(&mut self.selector, &mut self.retried);
            return packed;
        }
        self.pack_events(chunk, &Identity::of(chunk), skip, send)
    }

    fn pack_events<E>(
        &mut self,
        chunk: &StoredChunk,
        identity: &Identity<'_>,
        skip: u32,
        mut send: impl FnMut(Message) -> Result<(), E>,
    ) -> Result<(), E> {
        // What was refused is a dead letter, whatever its tag.
        if chunk.is_refused()
            || !self.selector.at(chunk.position).wants(chunk.input(), chunk.tag())
            || chunk.entry_count() == 0
        {
            return Ok(());
        }
        let origin = Arc::new(Origin::of(chunk));
        if let Some((entries, encoding)) = self.as_stored(chunk) {
            let (first, count) = (chunk.position.entry, chunk.entry_count());
            let (tag, end) = (chunk.tag().to_vec(), first.saturating_add(count));
            if end <= skip {
                // An earlier piece of the large chunk that the output goes on in.
                return Ok(());
            }
            let run = Run { tag, first, end, events: u64::from(count) };
            self.metrics.emit_records.inc_by(run.events);
            let ids = self.acks.then_some(&self.ids);
            return send(message(ids, identity, chunk, &origin, &run, entries, encoding));
        }
        let Self { selector, ids, inflater, compress, metadata, chunk_size, acks, disowned, metrics, .. } =
            self;
        let entries = match inflater.entries(chunk) {
            Ok(entries) => entries,
            Err(error) => {
                // The input inflated it before it was acknowledged, and the journal's checksum holds.
                tracing::error!(
                    output = self.output, position = %chunk.position, %error,
                    "a chunk in the journal does not inflate: please report this, with the output of hikyaku journal cat"
                );
                metrics.dead_letter("does_not_inflate", u64::from(chunk.entry_count()));
                return Ok(());
            }
        };
        let selector = selector.at(chunk.position);
        let mut send_run = |run: &Run, plain: Vec<u8>| {
            if run.end <= skip {
                return Ok(());
            }
            metrics.emit_records.inc_by(run.events);
            let (entries, encoding) = compress.entries(plain);
            send(message(acks.then_some(ids), identity, chunk, &origin, run, entries, encoding))
        };
        let mut run = Run::default();
        let mut plain = Vec::new();
        let alternative_names: Vec<_> = chunk.alternative_names().collect();
        let source = Source::of(chunk, &alternative_names);
        let tally = selector.for_each_from(&source, chunk.first_index(), entries, |event| {
            let before = plain.len();
            write_event(&mut plain, event, *metadata);
            // A filter may have given the event a tag of its own.
            if before > 0 && (plain.len() > *chunk_size || run.tag != event.source.tag) {
                let rest = plain.split_off(before);
                send_run(&run, std::mem::replace(&mut plain, rest))?;
                run = Run::default();
            }
            run.add(event);
            Ok(())
        })?;
        if run.events > 0 {
            send_run(&run, plain)?;
        }
        metrics.filtered(tally.dropped, tally.joined);
        metrics.filter_failures(selector.failures());
        disowned.report(chunk, &tally.disowned, metrics);
        Ok(())
    }

    /// Sends once more what this output gave up and is to try again: as it was, under the id that it had.
    fn take_over<E>(
        &mut self,
        chunk: &StoredChunk,
        handed_over: HandedOver,
        mut send: impl FnMut(Message) -> Result<(), E>,
    ) -> Result<(), E> {
        let (first, count) = (chunk.position.entry, chunk.entry_count());
        let at = |entry| Position { entry, ..chunk.position };
        let id = self.acks.then(|| Bytes::from(handed_over.message_id));
        let place = at(first)..at(first.saturating_add(count));
        let origin = Arc::new(Origin::of(chunk));
        self.metrics.emit_records.inc_by(u64::from(count));
        let (tag, entries) = (chunk.tag(), chunk.entries_bytes());
        send(Message::new(tag, entries, chunk.encoding(), u64::from(count), id, place, &origin))
    }

    /// The entries of a chunk that goes out whole and unchanged, and how they are encoded.
    fn as_stored(&mut self, chunk: &StoredChunk) -> Option<(Bytes, Encoding)> {
        let is_readable = match chunk.encoding() {
            // What is to be compressed is encoded anew; the entries are at hand.
            Encoding::Plain => self.compress.encoding() == Encoding::Plain,
            Encoding::Gzip => true,
            Encoding::Zstd => self.compress.encoding() == Encoding::Zstd,
        };
        let selector = self.selector.at(chunk.position);
        let passes = is_readable
            && chunk.entries().len() <= self.chunk_size
            && !chunk.has_bad_entries()
            && (self.metadata == MetadataHandling::Keep || !chunk.has_metadata())
            && !(chunk.has_metadata() && selector.adds_metadata(chunk.input()))
            && selector.passes_whole(chunk.input(), chunk.tag());
        passes.then(|| (chunk.entries_bytes(), chunk.encoding()))
    }
}

/// Neighbouring events of a chunk with the same tag, that go into one message.
#[derive(Debug, Default)]
struct Run {
    /// That of all its events.
    tag: Vec<u8>,
    /// The index of the first event's entry.
    first: u32,
    /// One more than the index of the last one's.
    end: u32,
    events: u64,
}

impl Run {
    fn add(&mut self, event: &Event<'_>) {
        if self.events == 0 {
            self.tag.extend_from_slice(event.source.tag);
            self.first = event.index;
        }
        self.end = event.index.saturating_add(1);
        self.events += 1;
    }
}

/// What the ids of the messages of a chunk are derived from.
#[derive(Debug)]
struct Identity<'a> {
    /// Where the chunk lies; where it is retried, where it lay when it was received.
    position: Position,
    /// The index that its first entry had there.
    first: u32,
    chunk: Option<Cow<'a, [u8]>>,
}

impl<'a> Identity<'a> {
    fn of(chunk: &'a StoredChunk) -> Self {
        Self { position: chunk.position, first: 0, chunk: chunk.id().map(Cow::Borrowed) }
    }

    /// Of a chunk that is retried: as before, so that an upstream that has some of it recognises that.
    fn before(handed_over: &HandedOver) -> Self {
        let chunk = handed_over.chunk.as_ref().and_then(|id| BASE64_STANDARD.decode(id).ok());
        Self {
            position: Position::new(handed_over.segment, handed_over.offset),
            first: handed_over.first,
            chunk: chunk.map(Cow::Owned),
        }
    }

    fn message_id(&self, ids: &MessageIds, received_at: EventTime, run: &Run) -> Bytes {
        let entry = |index: u32| self.first.wrapping_add(index);
        let start = Position { entry: entry(run.first), ..self.position };
        ids.id(received_at, self.chunk.as_deref(), start, entry(run.end))
    }
}

fn message(
    ids: Option<&MessageIds>,
    identity: &Identity<'_>,
    chunk: &StoredChunk,
    origin: &Arc<Origin>,
    run: &Run,
    entries: Bytes,
    encoding: Encoding,
) -> Message {
    let at = |entry| Position { entry, ..chunk.position };
    let id = ids.map(|ids| identity.message_id(ids, chunk.received_at(), run));
    Message::new(&run.tag, entries, encoding, run.events, id, at(run.first)..at(run.end), origin)
}

/// Appends an event as an entry.
pub(in crate::output) fn write_event(out: &mut Vec<u8>, event: &Event<'_>, metadata: MetadataHandling) {
    write_array(out, 2);
    match event.metadata.filter(|_| metadata == MetadataHandling::Keep) {
        Some(metadata) => {
            write_array(out, 2);
            write_time(out, event.time);
            out.extend_from_slice(metadata);
        }
        None => write_time(out, event.time),
    }
    write_map(out, event.record.len());
    event.record.iter().for_each(|field| {
        out.extend_from_slice(field.key);
        out.extend_from_slice(field.value);
    });
}
