//! Keeping what is delivered for a while (`journal.retain`), for replays.
//!
//! A segment counts from the receipt of its last chunk, by the clock of this machine. A clock that was ahead stamps
//! chunks with times that lie in the future once it is right again: those count from when that is first seen, so that
//! a segment is never kept much longer than asked. A clock that jumps ahead lets retained segments go early: only what
//! every output has delivered is ever let go.
//!
//! Segments go in their order, so that no gap is left between them, and before anybody has to wait for space.

use std::collections::BTreeMap;
use std::time::Duration;

use super::shared::Shared;
use super::writer::Writer;
use crate::event_time::EventTime;

/// How long segments are kept that every output has passed.
#[derive(Debug)]
pub(super) struct Retention {
    nanoseconds: i64,
    /// When segments were first seen that were received in the future, in nanoseconds since the Unix epoch.
    seen: BTreeMap<u64, i64>,
}

impl Retention {
    pub(super) fn new(retain: Duration) -> Self {
        Self { nanoseconds: i64::try_from(retain.as_nanos()).unwrap_or(i64::MAX), seen: BTreeMap::new() }
    }

    /// The segments that were retained long enough, oldest first.
    pub(super) fn over(&mut self, shared: &Shared, now: EventTime) -> Vec<u64> {
        let mut segments = shared.removable();
        if self.nanoseconds == 0 {
            return segments;
        }
        let now = now.unix_nanoseconds();
        self.seen.retain(|segment, _| segments.contains(segment));
        let is_over = |segment: &&u64| {
            let received = shared.last_received_at(**segment);
            let since = if received <= now { received } else { *self.seen.entry(**segment).or_insert(now) };
            now.saturating_sub(since) >= self.nanoseconds
        };
        let count = segments.iter().take_while(is_over).count();
        segments.truncate(count);
        segments
    }
}

impl Writer {
    /// Removes retained segments, oldest first, until so many bytes more are within the size limit; `false` where they
    /// are not even then.
    pub(super) fn make_room_from_retained(&mut self, bytes: u64) -> bool {
        loop {
            if self.shared.bytes_on_disk() + bytes <= self.max_size {
                return true;
            }
            if !self.remove_oldest_retained() {
                return false;
            }
        }
    }

    /// Removes the oldest segment that every output has passed; `false` where there is none.
    pub(super) fn remove_oldest_retained(&mut self) -> bool {
        self.shared.removable().first().is_some_and(|oldest| self.remove_segment(*oldest))
    }
}

#[cfg(test)]
mod tests;
