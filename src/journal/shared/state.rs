//! The state behind the lock.

use std::collections::{BTreeMap, HashSet};

use super::pacing::Pace;
use crate::journal::backlog::Attached;
use crate::journal::format::segment_header::SEGMENT_HEADER_LENGTH;
use crate::journal::large::LargePlace;
use crate::journal::recent::Recent;
use crate::journal::{Position, SavedCursor};

#[derive(Debug, Default)]
pub(in crate::journal) struct State {
    pub(in crate::journal) segments: BTreeMap<u64, SegmentState>,
    /// Files of large chunks, and their lengths.
    pub(super) large: BTreeMap<LargePlace, u64>,
    pub(super) spare_bytes: u64,
    pub(super) recent: Recent,
    /// How far each output has come, durably.
    pub(in crate::journal) cursors: BTreeMap<String, Held>,
    /// Outputs that run, and how far each may be behind.
    pub(in crate::journal) attached: BTreeMap<String, Attached>,
    /// Places that were found damaged, so that each is reported once.
    pub(super) damaged: HashSet<Position>,
    /// Segments that vanished while the journal is open, so that each is told once.
    pub(super) vanished: HashSet<u64>,
    /// What readers can't read now, by their number.
    pub(super) unreadable: BTreeMap<u64, String>,
    pub(super) pace: Pace,
    pub(super) stopping: bool,
}

/// What an output holds of the journal.
#[derive(Debug, Clone, Copy)]
pub(in crate::journal) struct Held {
    /// From where on the journal must be kept for it.
    pub(in crate::journal) from: Position,
    /// From where on it has delivered nothing yet: behind `from` while it delivers something again.
    pub(in crate::journal) backlog: Position,
}

impl Held {
    /// By an output that goes on here.
    pub(in crate::journal) fn by(cursor: &SavedCursor) -> Self {
        Self { from: cursor.position, backlog: cursor.resumed().position }
    }
}

/// What readers need to know of a segment.
#[derive(Debug, Clone, Copy)]
pub(in crate::journal) struct SegmentState {
    /// The end of its synced chunks.
    pub(in crate::journal) end: u64,
    /// Whether it will stay like that.
    pub(in crate::journal) sealed: bool,
    pub(in crate::journal) bytes_on_disk: u64,
    /// When its last chunk was received, in nanoseconds since the Unix epoch; 0 where it has none.
    pub(in crate::journal) last_received_at: i64,
}

impl State {
    /// As [`Shared::bytes_behind`].
    pub(in crate::journal) fn bytes_behind(&self, position: Position) -> u64 {
        let from = LargePlace { segment: position.segment, offset: position.offset };
        let large: u64 = self.large.range(from..).map(|(_, length)| length).sum();
        let frames: u64 = self
            .segments
            .range(position.segment..)
            .map(|(number, segment)| {
                let start = if *number == position.segment { position.offset } else { SEGMENT_HEADER_LENGTH };
                segment.end.saturating_sub(start)
            })
            .sum();
        frames + large
    }
}
