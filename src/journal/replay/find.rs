//! Which chunks were received within a time.

use std::ops::ControlFlow;

use super::super::Position;
use super::super::inspect::{InspectError, Inspection};
use crate::event_time::EventTime;

/// The chunks from the first to the last one that was received within a time. Where the clock jumped, chunks between
/// them may have other times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Where the first one begins.
    pub from: Position,
    /// Behind the last one.
    pub until: Position,
    /// Those before where the output is.
    pub delivered: FoundChunks,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FoundChunks {
    pub chunks: u64,
    /// Before filters and matches.
    pub events: u64,
    /// As they lie in the journal, compressed or not.
    pub bytes: u64,
    /// When the first and the last one were received, in nanoseconds since the Unix epoch.
    pub received: Option<(i64, i64)>,
}

impl FoundChunks {
    pub(in crate::journal) fn add(&mut self, events: u32, bytes: u64, received_at: i64) {
        self.chunks += 1;
        self.events += u64::from(events);
        self.bytes += bytes;
        let first = self.received.map_or(received_at, |(first, _)| first);
        self.received = Some((first, received_at));
    }
}

impl Inspection {
    /// Looks for chunks that were received from `from` on and before `to`; counts those before `delivered`, where an
    /// output is. `passed` is told each segment that is done.
    pub fn received(
        &self,
        from: EventTime,
        to: Option<EventTime>,
        delivered: Position,
        mut passed: impl FnMut(u64),
    ) -> Result<Option<Found>, InspectError> {
        let wanted = from.unix_nanoseconds()..to.map_or(i64::MAX, EventTime::unix_nanoseconds);
        let mut found: Option<Found> = None;
        // Of chunks that only count if another one within the time comes behind them.
        let mut between = FoundChunks::default();
        for segment in self.segments()? {
            self.frames(segment, |position, next, bytes, chunk| {
                let received_at = chunk.received_at().unix_nanoseconds();
                let is_wanted = wanted.contains(&received_at);
                if found.is_none() && !is_wanted {
                    return ControlFlow::Continue(());
                }
                if position < delivered {
                    between.add(chunk.entry_count(), bytes, received_at);
                }
                if is_wanted {
                    let found = found.get_or_insert(Found {
                        from: position,
                        until: next,
                        delivered: FoundChunks::default(),
                    });
                    found.until = next;
                    let so_far = found.delivered;
                    found.delivered = FoundChunks {
                        chunks: so_far.chunks + between.chunks,
                        events: so_far.events + between.events,
                        bytes: so_far.bytes + between.bytes,
                        received: match (so_far.received, between.received) {
                            (Some((first, _)), Some((_, last))) => Some((first, last)),
                            (received, None) | (None, received) => received,
                        },
                    };
                    between = FoundChunks::default();
                }
                ControlFlow::Continue(())
            })?;
            passed(segment);
        }
        Ok(found)
    }
}
