//! What became of the entries of a run.

use super::ownership::Disowned;

/// What became of the entries of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Handed to the sink.
    pub taken: u64,
    /// For other outputs.
    pub left: u64,
    /// Entries that are no events; where the bytes end being msgpack, the rest counts as one.
    pub bad: u64,
    /// Dropped by a filter.
    pub dropped: u64,
    /// Made part of the event before.
    pub joined: u64,
    /// Handed to the sink as invalid, since they are not their sender's to write.
    pub disowned: Disowned,
}
