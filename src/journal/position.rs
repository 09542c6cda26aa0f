//! A place in the journal.

use std::fmt;

/// Where a chunk begins (or the next one will), or an entry within it: a segment, a byte offset in its file, and how
/// many entries of the chunk lie before.
///
/// Positions are ordered as the chunks were written, and never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    pub segment: u64,
    pub offset: u64,
    /// Entries of the chunk that lie before; 0 for the whole chunk. Only large chunks are read in several pieces.
    pub entry: u32,
}

impl Position {
    /// Behind everything.
    pub const END: Self = Self { segment: u64::MAX, offset: u64::MAX, entry: u32::MAX };

    /// Where a chunk begins.
    pub fn new(segment: u64, offset: u64) -> Self {
        Self { segment, offset, entry: 0 }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.segment, self.offset)?;
        match self.entry {
            0 => Ok(()),
            entry => write!(formatter, "+{entry}"),
        }
    }
}
