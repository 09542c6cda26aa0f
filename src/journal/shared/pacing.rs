//! Waiting a little for readers that are about to fall out of memory.
//!
//! Where senders and outputs together want more than the machine has, it would go to the senders: they are many, and whoever
//! reads is one. The reader falls out of memory then, and reading the disk costs both of them more than they had before. So
//! the writer, which has answered all senders by then, gives readers in memory some time to come along. One that did not
//! move in that time is not waited for again before it has: senders never wait for an output that is down. And one that is
//! slow for another reason than what senders take from it is waited for until that has shown, and not again before it is faster
//! or has caught up: the disk serves it well enough, and the others are spared.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::{Shared, State};
use crate::journal::Position;
use crate::journal::recent::Straggler;

/// Readers are waited for when more than this part of the journal's memory is behind them.
const PART_OF_MEMORY: u64 = 2;

/// And have caught up when less than this part of it is.
const PART_OF_CAUGHT_UP: u64 = 4;

/// Bytes a second that a reader has to read to be worth waiting for: a fifth of what goes into compressed archives on two
/// processors, and twice what a sender makes of 50,000 events a second.
const LEAST_SPEED: u64 = 64 * 1024 * 1024;

/// How long it may be slower before that counts, as a multiple of the longest wait: it may be in the middle of a flush.
const SLOW_WAITS: f64 = 2.0;

/// Of the writer that waits.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Whether it waits now, and wants to know when a reader moves.
    pub(super) is_waiting: bool,
    /// The reader that did not move while it was waited for.
    given_up: Option<Straggler>,
    patience: Option<Patience>,
}

/// With a reader that has not caught up since it was waited for first.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Where it was, and when.
    straggler: Straggler,
    at: Instant,
    /// Seconds that it may still be slower than [`LEAST_SPEED`].
    left: f64,
}

impl Shared {
    /// Waits until no reader is about to fall out of memory, the one that it waits for has shown that it does not move, or too
    /// slowly, the time is over, or the server stops.
    pub(in crate::journal) fn wait_for_readers(&self, longest: Duration) {
        let limit = self.memory / PART_OF_MEMORY;
        let mut state = self.lock();
        let Some(first) = state.recent.straggler(limit).filter(|_| !longest.is_zero()) else {
            state.pace.given_up = None;
            if state.pace.patience.is_some()
                && state.recent.straggler(self.memory / PART_OF_CAUGHT_UP).is_none()
            {
                state.pace.patience = None;
            }
            return;
        };
        let began = Instant::now();
        let is_slow = state.is_slow(first, began, longest);
        if is_slow || state.pace.given_up == Some(first) {
            return;
        }
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

impl State {
    /// Takes down where a reader is now, and says whether it has been too slow for too long since it was waited for first.
    fn is_slow(&mut self, straggler: Straggler, now: Instant, longest: Duration) -> bool {
        let at_first = SLOW_WAITS * longest.as_secs_f64();
        let before = self.pace.patience.filter(|patience| patience.straggler.reader == straggler.reader);
        let left = before.map_or(at_first, |Patience { straggler: before, at, left }| {
            let read = self.bytes_between(before.position, straggler.position) as f64;
            let slower = now.saturating_duration_since(at).as_secs_f64() - read / LEAST_SPEED as f64;
            (left - slower).clamp(0.0, at_first)
        });
        self.pace.patience = Some(Patience { straggler, at: now, left });
        left == 0.0
    }

    fn bytes_between(&self, from: Position, to: Position) -> u64 {
        self.bytes_behind(from).saturating_sub(self.bytes_behind(to))
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
    fn a_reader_that_is_slow_for_long_is_not_waited_for_before_it_is_faster_or_has_caught_up() {
        let longest = Duration::from_millis(100);
        let (shared, reader) = shared(4 * MIB);
        let mut now = Instant::now();
        let mut is_slow = |block, seconds| {
            now += Duration::from_secs_f64(seconds);
            let mut state = shared.lock();
            let straggler = Straggler { reader, position: at(block) };
            state.is_slow(straggler, now, longest)
        };
        assert!(!is_slow(0, 0.0));
        // Three mebibytes take 47 ms at the least speed.
        assert!(!is_slow(0, 0.15));
        assert!(!is_slow(3, 0.09));
        assert!(is_slow(3, 0.02));
        assert!(is_slow(3, 0.0));
        assert!(!is_slow(4, 0.01), "it is faster");
        shared.locate(reader, at(4));
        shared.wait_for_readers(longest);
        assert!(shared.lock().pace.patience.is_none(), "it has caught up");
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
