//! A place in the journal.

use std::fmt;

/// Where a frame begins (or the next one will): a segment, and a byte offset in its file.
///
/// Positions are ordered as the frames were written, and never used again for another frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub segment: u64,
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.segment, self.offset)
    }
}
