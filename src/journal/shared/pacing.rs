//! Waiting a little for readers that are about to fall out of memory.
//!
//! Where senders and outputs together want more than the machine has, it would go to the senders: they are many, and whoever
//! reads is one. The reader falls out of memory then, and reading the disk costs both of them more than they had before. So
//! the writer, which has answered all senders by then, gives readers in memory some time to come along. One that did not
//! move in that time is not waited for again before it has: senders never wait for an output that is down.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::Shared;
use crate::journal::recent::Straggler;

/// Readers are waited for when more than this part of the journal's memory is behind them.
const PART_OF_MEMORY: u64 = 2;

/// Of the writer that waits.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Whether it waits now, and wants to know when a reader moves.
    pub(super) is_waiting: bool,
    /// The reader that did not move while it was waited for.
    given_up: Option<Straggler>,
}

impl Shared {
    /// Waits until no reader is about to fall out of memory, the one that it waits for has shown that it does not move, the
    /// time is over, or the server stops.
    pub(in crate::journal) fn wait_for_readers(&self, longest: Duration) {
        let limit = self.memory / PART_OF_MEMORY;
        let mut state = self.lock();
        let Some(first) = state.recent.straggler(limit).filter(|_| !longest.is_zero()) else {
            state.pace.given_up = None;
            return;
        };
        if state.pace.given_up == Some(first) {
            return;
        }
        let began = Instant::now();
        let mut straggler = Some(first);
        state.pace.is_waiting = true;
        while straggler.is_some() && !state.stopping {
            let Some(rest) = longest.checked_sub(began.elapsed()).filter(|rest| !rest.is_zero()) else {
                break;
            };
            state = self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0;
            straggler = state.recent.straggler(limit);
        }
        state.pace.is_waiting = false;
        state.pace.given_up = straggler.filter(|straggler| *straggler == first);
        drop(state);
        self.metrics.paced_time.inc_by(began.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::Position;
    use crate::journal::commit_buffer::CommittedFrames;
    use crate::journal::format::segment_header::SEGMENT_HEADER_LENGTH;
    use crate::journal::shared::{Limits, SegmentState};
    use crate::journal::{SetAside, segment_file::SegmentFolder};
    use crate::metrics::JournalMetrics;

    const MIB: u64 = 1024 * 1024;
    /// So long that a test that waits for it has failed.
    const FOR_EVER: Duration = Duration::from_secs(600);

    /// With four blocks of a mebibyte, of as much memory as is kept, and a reader that is behind the first of them.
    fn shared(memory: u64) -> (Arc<Shared>, u64) {
        let storage = crate::storage::disk();
        let root = std::path::Path::new("/nowhere");
        let shared = Shared::new(
            SegmentFolder::new(Arc::clone(&storage), root),
            [1; 16],
            Limits { max_size: u64::MAX, memory },
            JournalMetrics::unregistered(),
            SetAside::on(storage, root),
            Default::default(),
        );
        let reader = shared.add_reader(at(0));
        for number in 0..4 {
            let end = at(number + 1).offset;
            let segment = SegmentState { end, sealed: false, bytes_on_disk: end, last_received_at: 0 };
            let memory = vec![0; MIB as usize];
            let frames = CommittedFrames { frames: 0..memory.len(), memory, in_place: Vec::new() };
            shared.publish(at(number), frames, segment);
        }
        (Arc::new(shared), reader)
    }

    fn at(block: u64) -> Position {
        Position::new(1, SEGMENT_HEADER_LENGTH + block * MIB)
    }

    #[test]
    fn a_reader_that_is_near_enough_is_not_waited_for() {
        let (shared, reader) = shared(4 * MIB);
        shared.locate(reader, at(2));
        shared.wait_for_readers(FOR_EVER);
        assert_eq!(shared.metrics.paced_time.get(), 0.0);
    }

    #[test]
    fn a_reader_that_is_about_to_fall_out_of_memory_is_waited_for_until_it_has_moved() {
        let (shared, reader) = shared(4 * MIB);
        shared.locate(reader, at(1));
        let waiting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.wait_for_readers(FOR_EVER)
        });
        while !shared.lock().pace.is_waiting {
            std::thread::yield_now();
        }
        shared.locate(reader, at(2));
        waiting.join().unwrap();
        assert!(shared.metrics.paced_time.get() > 0.0);
    }

    #[test]
    fn a_reader_that_did_not_move_is_not_waited_for_again_before_it_has() {
        let (shared, reader) = shared(4 * MIB);
        shared.locate(reader, at(0));
        let briefly = Duration::from_millis(1);
        shared.wait_for_readers(briefly);
        assert!(shared.metrics.paced_time.get() >= briefly.as_secs_f64());
        shared.wait_for_readers(FOR_EVER);
        shared.locate(reader, at(1));
        let before = shared.metrics.paced_time.get();
        shared.wait_for_readers(briefly);
        assert!(shared.metrics.paced_time.get() > before);
    }

    #[test]
    fn nobody_waits_for_a_reader_of_the_disk_nor_where_it_is_switched_off_nor_at_the_end() {
        let (shared, reader) = shared(4 * MIB);
        shared.locate(reader, at(0));
        shared.wait_for_readers(Duration::ZERO);
        shared.stop();
        shared.wait_for_readers(FOR_EVER);
        let (shared, reader) = self::shared(3 * MIB);
        shared.locate(reader, at(0));
        shared.wait_for_readers(FOR_EVER);
        assert_eq!(shared.metrics.paced_time.get(), 0.0, "what it wants is not in memory any more");
        assert_eq!(shared.metrics.memory_bytes.get() as u64, 3 * MIB);
    }
}
