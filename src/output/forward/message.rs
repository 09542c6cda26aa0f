//! A message that is ready to go out.

use std::ops::Range;

use bytes::{Buf, Bytes};

use crate::chunk::Encoding;
use crate::journal::Position;
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
}

impl Message {
    pub(super) fn new(
        tag: &[u8],
        entries: Bytes,
        encoding: Encoding,
        events: u64,
        id: Option<Bytes>,
        place: Range<Position>,
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
        }
    }

    /// Bytes of the whole message.
    pub(super) fn len(&self) -> usize {
        self.head.len() + self.entries.len() + self.options.len()
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
            let message = Message::new(b"a.b", entries.clone(), Encoding::Gzip, 1, id.clone(), place);
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
