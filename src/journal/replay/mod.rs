//! Delivering again what is still in the journal, because an operator asked for it.
//!
//! A replay is a part of an output's cursor, so that it begins, goes on after a crash, and ends with the replacement of
//! one small file. It delivers `from` up to `until`, in addition; then the output goes on at `resume`, where it was:
//!
//! ```text
//!        from            until        resume
//! ─────────┼───────────────┼─────────────┼──────────▶ journal
//!          └─ again, as ───┘             └─ for the first time, as if nothing had been
//!             replay N
//! ```
//!
//! `until` never lies behind `resume`: what was not delivered yet is not replayed, it comes anyway. As long as a replay
//! goes on, the cursor is before `resume`, so the journal keeps what both need.
//!
//! A command never touches a cursor. It puts a request beside it (`request.rs`), which the output takes up between two
//! checkpoints, or when the server starts. The request has the number that the replay is to get, so that it is taken
//! up once, whenever a crash falls between the cursor's replacement and the request's removal.
//!
//! What an output keeps of this in its cursor, as an attribute of 8 bytes, or of 48 while a replay goes on (see
//! `cursor_attributes.rs`), all integers being little-endian:
//!
//! ```text
//!  0  8  replays so far: the number of the last one
//!  8 20  until: segment, offset, entry
//! 28 20  resume: segment, offset, entry
//! ```

mod find;
mod request;

use super::cursor_attributes::{REPLAYS, write_attribute};
use super::format::array_at;
use super::{Position, SavedCursor};

pub use find::{Found, FoundChunks};
pub use request::{Refused, Request, RequestKind};

const POSITION_LENGTH: usize = 20;

/// The replays of an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replays {
    /// How many there were: the number of the last one.
    pub count: u64,
    /// The one that goes on, which has that number.
    pub current: Option<Replay>,
}

/// A replay that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replay {
    /// Where it ends.
    pub until: Position,
    /// Where the output goes on then.
    pub resume: Position,
}

impl Replays {
    /// The number of the replay that goes on; 0 while things are delivered for the first time.
    pub fn number(&self) -> u64 {
        if self.current.is_some() { self.count } else { 0 }
    }

    /// As an attribute of a cursor: nothing while there never was one.
    pub(super) fn attribute(&self) -> Vec<u8> {
        let mut attribute = Vec::new();
        if *self != Self::default() {
            let mut value = self.count.to_le_bytes().to_vec();
            if let Some(Replay { until, resume }) = self.current {
                write_position(&mut value, until);
                write_position(&mut value, resume);
            }
            write_attribute(&mut attribute, REPLAYS, &value);
        }
        attribute
    }

    /// Reads the value of the attribute. `None` where it does not decode.
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let count = array_at(value, 0).map(u64::from_le_bytes)?;
        let current = match value.len() {
            8 => None,
            _ => Some(Replay {
                until: read_position(value, 8)?,
                resume: read_position(value, 8 + POSITION_LENGTH)?,
            }),
        };
        Some(Self { count, current })
    }
}

impl SavedCursor {
    /// Whether a replay goes on, and has come to its end at this position.
    pub fn ends_replay(&self, position: Position) -> bool {
        self.replays.current.is_some_and(|replay| position >= replay.until)
    }

    /// The cursor after the replay that goes on, however far it has come; as it is where there is none.
    #[must_use]
    pub fn resumed(&self) -> Self {
        match self.replays.current {
            Some(Replay { resume, .. }) => {
                Self { position: resume, replays: Replays { current: None, ..self.replays }, ..*self }
            }
            None => *self,
        }
    }

    /// The cursor within a journal that ends at `newest`. Others may have cut it, or restored an older one.
    #[must_use]
    pub(crate) fn within(&self, newest: Position) -> Self {
        let current = self
            .replays
            .current
            .map(|replay| Replay { until: replay.until.min(newest), resume: replay.resume.min(newest) });
        Self { position: self.position.min(newest), replays: Replays { current, ..self.replays }, ..*self }
    }

    /// Bytes that the output still has to deliver, where so many lie behind a position.
    pub fn bytes_to_deliver(&self, bytes_behind: impl Fn(Position) -> u64) -> u64 {
        let behind = bytes_behind(self.position);
        match self.replays.current {
            Some(Replay { until, resume }) => {
                behind.saturating_sub(bytes_behind(until)) + bytes_behind(resume)
            }
            None => behind,
        }
    }
}

fn write_position(out: &mut Vec<u8>, position: Position) {
    out.extend_from_slice(&position.segment.to_le_bytes());
    out.extend_from_slice(&position.offset.to_le_bytes());
    out.extend_from_slice(&position.entry.to_le_bytes());
}

fn read_position(bytes: &[u8], at: usize) -> Option<Position> {
    Some(Position {
        segment: array_at(bytes, at).map(u64::from_le_bytes)?,
        offset: array_at(bytes, at + 8).map(u64::from_le_bytes)?,
        entry: array_at(bytes, at + 16).map(u32::from_le_bytes)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::cursor_attributes::find_attribute;

    #[test]
    fn replays_read_back_from_a_cursor() {
        let until = Position { segment: 3, offset: 64, entry: 0 };
        let resume = Position { segment: 9, offset: 4096, entry: 7 };
        let going_on = Replays { count: 3, current: Some(Replay { until, resume }) };
        for replays in [Replays { count: 2, current: None }, going_on] {
            let attribute = replays.attribute();
            let value = find_attribute(&attribute, REPLAYS).unwrap();
            assert_eq!(Replays::decode(value), Some(replays));
            for length in (0..value.len()).filter(|length| *length != 8) {
                assert_eq!(Replays::decode(&value[..length]), None, "{length}");
            }
        }
        assert_eq!(Replays::default().attribute(), b"");
    }

    #[test]
    fn what_is_to_deliver_is_the_rest_of_the_replay_and_what_was_never_delivered() {
        let at = |offset| Position::new(1, offset);
        let current = Some(Replay { until: at(300), resume: at(800) });
        let cursor = SavedCursor {
            journal: [1; 16],
            position: at(100),
            generation: 0,
            replays: Replays { count: 1, current },
        };
        assert_eq!(cursor.bytes_to_deliver(|position| 1000 - position.offset), 200 + 200);
        assert_eq!(cursor.resumed().bytes_to_deliver(|position| 1000 - position.offset), 200);
    }
}
