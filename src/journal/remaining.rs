//! What outputs still have to do, counted from outside.

use std::ops::ControlFlow;

use super::backlog::start_of;
use super::format::footer::SegmentCounts;
use super::inspect::{InspectError, Inspection};
use super::replay::FoundChunks;
use super::{Position, SavedCursor};

/// What an output still has to deliver, a replay included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Chunks, the one included of which a part is delivered.
    pub chunks: u64,
    /// Events, before filters and matches.
    pub events: u64,
    /// Bytes of their entries as they lie in the journal, compressed or not.
    pub bytes: u64,
    /// When the first of them was received, in nanoseconds since the Unix epoch; `None` where there is none.
    pub oldest: Option<i64>,
}

impl Inspection {
    /// What outputs with these cursors still have to deliver. Damage is passed over; `passed` is told each segment that
    /// is done. The cursors must have been read before.
    pub fn backlogs(
        &self,
        cursors: &[SavedCursor],
        mut passed: impl FnMut(u64),
    ) -> Result<Vec<Backlog>, InspectError> {
        let mut backlogs = vec![Backlog::default(); cursors.len()];
        let oldest = cursors.iter().map(|cursor| cursor.position.segment).min().unwrap_or(u64::MAX);
        for segment in self.segments()?.into_iter().filter(|segment| *segment >= oldest) {
            let counted = self.frames(segment, |position, _, bytes, chunk| {
                for (cursor, backlog) in cursors.iter().zip(&mut backlogs) {
                    let Some(first) = first_entry(cursor, position) else { continue };
                    backlog.chunks += 1;
                    backlog.events += u64::from(chunk.entry_count().saturating_sub(first));
                    backlog.bytes += bytes;
                    backlog.oldest.get_or_insert(chunk.received_at().unix_nanoseconds());
                }
                ControlFlow::Continue(())
            });
            // One that is gone was delivered meanwhile.
            counted.or_else(InspectError::unless_gone)?;
            passed(segment);
        }
        Ok(backlogs)
    }
}

impl Inspection {
    /// What lies from a position to the end of its segment. Damage is passed over.
    pub fn rest_of_segment(&self, from: Position) -> Result<FoundChunks, InspectError> {
        let summary = self.summary(from.segment)?;
        if from == start_of(from.segment) && summary.sealed {
            let SegmentCounts { chunks, entries, first_received_at, last_received_at, .. } = summary.counts;
            let bytes = summary.frame_bytes + summary.large_bytes();
            let received = (chunks > 0).then_some((first_received_at, last_received_at));
            return Ok(FoundChunks { chunks, events: entries, bytes, received });
        }
        let mut rest = FoundChunks::default();
        self.frames(from.segment, |position, _, bytes, chunk| {
            if position >= (Position { entry: 0, ..from }) {
                let delivered = if position.offset == from.offset { from.entry } else { 0 };
                let events = chunk.entry_count().saturating_sub(delivered);
                rest.add(events, bytes, chunk.received_at().unix_nanoseconds());
            }
            ControlFlow::Continue(())
        })?;
        Ok(rest)
    }
}

/// The first entry of a chunk that an output still has to deliver; `None` where there is none.
fn first_entry(cursor: &SavedCursor, chunk: Position) -> Option<u32> {
    let from = |cursor: Position| match (Position { entry: 0, ..cursor }).cmp(&chunk) {
        std::cmp::Ordering::Less => Some(0),
        std::cmp::Ordering::Equal => Some(cursor.entry),
        std::cmp::Ordering::Greater => None,
    };
    match cursor.replays.current {
        Some(replay) if chunk >= replay.until => from(replay.resume),
        _ => from(cursor.position),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Replay, Replays};

    #[test]
    fn a_replay_skips_what_lies_between_it_and_where_the_output_was() {
        let at = |offset| Position::new(1, offset);
        let mut cursor = SavedCursor {
            journal: [1; 16],
            position: Position { entry: 7, ..at(200) },
            generation: 0,
            replays: Replays::default(),
        };
        let firsts = |cursor: &SavedCursor| {
            [100, 200, 300, 400, 500].map(|at| first_entry(cursor, Position::new(1, at)))
        };
        assert_eq!(firsts(&cursor), [None, Some(7), Some(0), Some(0), Some(0)]);
        let current = Some(Replay { until: at(300), resume: Position { entry: 2, ..at(400) } });
        cursor.replays = Replays { count: 1, current };
        assert_eq!(firsts(&cursor), [None, Some(7), None, Some(2), Some(0)]);
    }
}
