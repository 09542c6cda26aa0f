//! Ids that stay the same however often a message is sent.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use crate::event_time::EventTime;
use crate::journal::Position;
use crate::journal::format::JournalId;

/// Begins what is hashed, so that no other use of the same numbers gives the same ids.
const DOMAIN: &[u8] = b"hikyaku forward 2\0";

/// Bytes of the hash in an id: 24 characters.
const ID_LENGTH: usize = 18;

/// Makes the ids of one output's messages.
///
/// An id is the start of a SHA-256 in base64, over the journal's id, the output's, the number of the replay, the place of
/// the chunk, when it was received and under which id, and which of its entries the message holds. The place alone
/// would not do: where an older copy of a data folder is restored, or two servers begin with the same one, other chunks
/// come to lie at the same places. So two engines, two outputs and two replays never share
/// one, and a message that is cut otherwise after a change of `chunk_size` is not taken for the old one.
#[derive(Clone)]
pub(super) struct MessageIds {
    start: Context,
}

impl MessageIds {
    /// Of one output. `replay` counts how often an operator had the journal delivered anew: a replayed message is meant to
    /// arrive once more.
    pub(super) fn new(journal: &JournalId, output: &str, replay: u64) -> Self {
        let mut start = Context::new(&SHA256);
        start.update(DOMAIN);
        start.update(journal);
        start.update(&(output.len() as u64).to_le_bytes());
        start.update(output.as_bytes());
        start.update(&replay.to_le_bytes());
        Self { start }
    }

    /// Of the message with the entries from `start` up to the one with the index `end` of a chunk.
    pub(super) fn id(
        &self,
        received_at: EventTime,
        chunk_id: Option<&[u8]>,
        start: Position,
        end: u32,
    ) -> Bytes {
        let mut context = self.start.clone();
        context.update(&start.segment.to_le_bytes());
        context.update(&start.offset.to_le_bytes());
        context.update(&start.entry.to_le_bytes());
        context.update(&end.to_le_bytes());
        context.update(&received_at.unix_nanoseconds().to_le_bytes());
        context.update(chunk_id.unwrap_or_default());
        BASE64_STANDARD.encode(&context.finish().as_ref()[..ID_LENGTH]).into()
    }
}

impl fmt::Debug for MessageIds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MessageIds").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(journal: u8, output: &str, replay: u64, start: Position, end: u32) -> Bytes {
        of_chunk(journal, output, replay, 1_760_000_000_000_000_000, b"chunk", start, end)
    }

    fn of_chunk(
        journal: u8,
        output: &str,
        replay: u64,
        received_at: i64,
        chunk: &[u8],
        start: Position,
        end: u32,
    ) -> Bytes {
        let received_at = EventTime::from_unix_nanoseconds(received_at);
        MessageIds::new(&[journal; 16], output, replay).id(received_at, Some(chunk), start, end)
    }

    #[test]
    fn the_same_message_has_the_same_id_in_every_version() {
        let place = Position { segment: 3, offset: 64, entry: 5 };
        assert_eq!(id(1, "up", 0, place, 9), &b"F4D9L0gYJzdhWjjB8qJIvHER"[..]);
    }

    #[test]
    fn nothing_else_has_it() {
        let place = Position { segment: 3, offset: 64, entry: 5 };
        let ids = [
            id(1, "up", 0, place, 9),
            id(2, "up", 0, place, 9),
            id(1, "u", 0, place, 9),
            id(1, "up", 1, place, 9),
            id(1, "up", 0, Position { segment: 4, ..place }, 9),
            id(1, "up", 0, Position { offset: 65, ..place }, 9),
            id(1, "up", 0, Position { entry: 6, ..place }, 9),
            id(1, "up", 0, place, 10),
            of_chunk(1, "up", 0, 1_760_000_000_000_000_001, b"chunk", place, 9),
            of_chunk(1, "up", 0, 1_760_000_000_000_000_000, b"other", place, 9),
        ];
        let different: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
    }
}
