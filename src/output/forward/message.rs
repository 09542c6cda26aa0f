//! A message that is ready to go out.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

use crate::chunk::Encoding;
use crate::event_time::EventTime;
use crate::journal::{Position, StoredChunk};
use crate::sender::Sender;
use crate::wire::client::{write_packed_head, write_packed_options};

/// PackedForward in three parts, so that the entries go out from where they lie. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Message {
    head: Bytes,
    entries: Bytes,
    options: Bytes,
    /// What the server has to repeat; `None` where no acknowledgement is asked for.
    pub(super) id: Option<Bytes>,
    pub(super) tag: Bytes,
    /// How many events it holds.
    pub(super) events: u64,
    /// Its entries in the journal, from the first to the one behind the last.
    pub(super) place: Range<Position>,
    pub(super) encoding: Encoding,
    pub(super) origin: Arc<Origin>,
    /// When it was received, as far back as the clock reaches.
    pub(super) received: Option<Instant>,
    /// Whether a process before this one may have sent it, and nobody knows what came of that.
    pub(super) may_have_arrived: bool,
}

/// What the chunk says about whose events they are.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) sender: Sender,
    pub(super) input: Arc<str>,
    pub(super) received_at: EventTime,
    /// The id of the chunk.
    pub(super) chunk: Option<Bytes>,
}

impl Origin {
    pub(super) fn of(chunk: &StoredChunk) -> Self {
        Self {
            sender: chunk.to_sender(),
            input: chunk.input().into(),
            received_at: chunk.received_at(),
            chunk: chunk.id().map(Bytes::copy_from_slice),
        }
    }

    /// On this process's own clock.
    fn received(&self) -> Option<Instant> {
        let age = EventTime::now().unix_nanoseconds().saturating_sub(self.received_at.unix_nanoseconds());
        Instant::now().checked_sub(Duration::from_nanos(u64::try_from(age).unwrap_or(0)))
    }
}

impl Message {
    pub(super) fn new(
        tag: &[u8],
        entries: Bytes,
        encoding: Encoding,
        events: u64,
        id: Option<Bytes>,
        place: Range<Position>,
        origin: &Arc<Origin>,
    ) -> Self {
        let mut head = Vec::with_capacity(tag.len() + 16);
        write_packed_head(&mut head, tag, entries.len());
        let mut options = Vec::with_capacity(80);
        write_packed_options(&mut options, id.as_deref(), events, encoding);
        Self {
            head: head.into(),
            entries,
            options: options.into(),
            id,
            tag: Bytes::copy_from_slice(tag),
            events,
            place,
            encoding,
            origin: Arc::clone(origin),
            received: origin.received(),
            may_have_arrived: false,
        }
    }

    /// Bytes of the whole message.
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.entries.len() + self.options.len()
    }

    /// Its entries, as they are encoded.
    pub(super) fn entries(&self) -> Bytes {
        self.entries.clone()
    }

    /// The whole message, to be written.
    pub(super) fn bytes(&self) -> impl Buf + use<> {
        self.head.clone().chain(self.entries.clone()).chain(self.options.clone())
    }

    /// Lets go of memory that the entries share with others. For messages that may stay for long.
    pub(super) fn detach(&mut self) {
        self.entries = Bytes::copy_from_slice(&self.entries);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client::{Packed, encode_packed};

    #[test]
    fn the_parts_are_the_message() {
        for id in [None, Some(Bytes::from_static(b"id"))] {
            let entries = Bytes::from_static(b"\x92\x01\x80");
            let start = Position::new(1, 64);
            let place = start..Position { entry: 1, ..start };
            let origin = Arc::new(Origin {
                sender: Sender::from_user(0),
                input: "edge".into(),
                received_at: EventTime::now(),
                chunk: None,
            });
            let message =
                Message::new(b"a.b", entries.clone(), Encoding::Gzip, 1, id.clone(), place, &origin);
            let expected = encode_packed(&Packed {
                tag: b"a.b",
                entries: &entries,
                count: 1,
                chunk: id.as_deref(),
                gzip: true,
            });
            assert_eq!(message.len(), expected.len());
            assert_eq!(message.bytes().copy_to_bytes(expected.len()), expected);
        }
    }
}
