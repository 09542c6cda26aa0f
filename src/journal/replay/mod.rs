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
//! What an output keeps of this in its cursor, all integers being little-endian:
//!
//! ```text
//!  0  1  1: replays
//!  1  3  length of what follows: 8, or 48 while one goes on
//!  4  8  replays so far: the number of the last one
//! 12 20  until: segment, offset, entry
//! 32 20  resume: segment, offset, entry
//! ```

mod find;
mod request;

use super::format::array_at;
use super::{Position, SavedCursor};

pub use find::{Found, FoundChunks};
pub use request::{Refused, Request, RequestKind};

const KIND: u8 = 1;
const POSITION_LENGTH: usize = 20;
const HEADER_LENGTH: usize = 4;

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

    /// As it is kept in a cursor: nothing while there never was one.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if *self == Self::default() {
            return bytes;
        }
        let length = 8 + self.current.map_or(0, |_| 2 * POSITION_LENGTH) as u32;
        bytes.push(KIND);
        bytes.extend_from_slice(&length.to_le_bytes()[..3]);
        bytes.extend_from_slice(&self.count.to_le_bytes());
        if let Some(Replay { until, resume }) = self.current {
            write_position(&mut bytes, until);
            write_position(&mut bytes, resume);
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote; what else an output keeps is passed over. `None` where it does not
    /// decode.
    pub(super) fn decode(mut own: &[u8]) -> Option<Self> {
        while !own.is_empty() {
            let [kind, length @ ..] = array_at::<HEADER_LENGTH>(own, 0)?;
            let length = u32::from_le_bytes([length[0], length[1], length[2], 0]) as usize;
            let value = own.get(HEADER_LENGTH..HEADER_LENGTH + length)?;
            if kind == KIND {
                let count = array_at(value, 0).map(u64::from_le_bytes)?;
                let current = match value.len() {
                    8 => None,
                    _ => Some(Replay {
                        until: read_position(value, 8)?,
                        resume: read_position(value, 8 + POSITION_LENGTH)?,
                    }),
                };
                return Some(Self { count, current });
            }
            own = &own[HEADER_LENGTH + length..];
        }
        Some(Self::default())
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
    pub(super) fn within(&self, newest: Position) -> Self {
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

    #[test]
    fn replays_read_back_whatever_else_a_cursor_keeps() {
        let until = Position { segment: 3, offset: 64, entry: 0 };
        let resume = Position { segment: 9, offset: 4096, entry: 7 };
        for replays in [
            Replays::default(),
            Replays { count: 2, current: None },
            Replays { count: 3, current: Some(Replay { until, resume }) },
        ] {
            let own = replays.encode();
            assert_eq!(Replays::decode(&own), Some(replays));
            let with_others = [&[200, 2, 0, 0, 1, 2][..], &own].concat();
            assert_eq!(Replays::decode(&with_others), Some(replays));
        }
        let cut = &Replays { count: 3, current: Some(Replay { until, resume }) }.encode()[..20];
        assert_eq!(Replays::decode(cut), None);
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
