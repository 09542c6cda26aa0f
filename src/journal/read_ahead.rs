//! Reading from one end to the other beside those who write.
//!
//! A reader that has fallen behind reads as fast as it can, from the disk that senders wait for and on a processor that
//! serves them. What the system reads ahead of it, by itself, are requests of many mebibytes, each of which a commit
//! has to wait for. So the reader says itself what it will need: enough for the disk to be busy while it works, and little
//! enough to hold nobody up.

use crate::storage::StorageFile;

/// How far is read ahead, in bytes: a disk that gives a gigabyte a second is a millisecond busy with it.
const WINDOW: u64 = 1024 * 1024;

/// How much is asked for at once, in bytes.
const STEP: u64 = WINDOW / 2;

/// What was asked for of a file, of which the system reads no further by itself.
#[derive(Debug, Default)]
pub(super) struct ReadAhead {
    /// Where the last read ended.
    read_to: u64,
    /// Up to where everything was asked for.
    asked_to: u64,
}

impl ReadAhead {
    /// To be called before a range is read. Asks for what comes behind it, up to `end`, where it goes on from the last one; who
    /// reads here and there needs nothing else.
    pub(super) fn before_reading(&mut self, file: &dyn StorageFile, from: u64, to: u64, end: u64) {
        let goes_on = self.read_to > 0 && (from..=to).contains(&self.read_to);
        self.read_to = to;
        if !goes_on {
            self.asked_to = to;
            return;
        }
        // Whoever else is ready to run on this processor comes first: this one would not stop by itself.
        std::thread::yield_now();
        let asked_to = self.asked_to.max(to);
        let until = (to + WINDOW).min(end);
        if until >= asked_to + STEP || (until == end && until > asked_to) {
            file.read_ahead(asked_to, until - asked_to);
            self.asked_to = until;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fake_segment::FakeSegment;

    const KIB: u64 = 1024;

    #[test]
    fn what_lies_ahead_is_asked_for_once_and_never_more_than_the_window() {
        let file = FakeSegment::default();
        let mut ahead = ReadAhead::default();
        let end = 10_000 * KIB;
        let mut asked_to = 0;
        // Blocks begin with the frame that the one before had no end of.
        for from in (64..8_000 * KIB).step_by(250 * KIB as usize) {
            let to = from + 256 * KIB;
            ahead.before_reading(&file, from, to, end);
            for range in file.take_asked() {
                assert!(range.start == asked_to || asked_to == 0);
                assert!(range.end <= to + WINDOW && range.end - range.start >= STEP);
                asked_to = range.end;
            }
            assert!(from == 64 || asked_to >= to + STEP, "the disk has something to do");
        }
    }

    #[test]
    fn nothing_is_asked_for_behind_the_end() {
        let file = FakeSegment::default();
        let mut ahead = ReadAhead::default();
        ahead.before_reading(&file, 64, 256 * KIB, 600 * KIB);
        ahead.before_reading(&file, 250 * KIB, 506 * KIB, 600 * KIB);
        let asked = file.take_asked();
        assert_eq!((asked.len(), &asked[0]), (1, &(506 * KIB..600 * KIB)));
        ahead.before_reading(&file, 500 * KIB, 600 * KIB, 600 * KIB);
        assert_eq!(file.take_asked(), []);
    }

    #[test]
    fn who_reads_here_and_there_asks_for_nothing_else() {
        let file = FakeSegment::default();
        let mut ahead = ReadAhead::default();
        for at in [5_000, 1_000, 9_000, 3_000] {
            ahead.before_reading(&file, at * KIB, (at + 256) * KIB, 10_000 * KIB);
        }
        assert_eq!(file.take_asked(), []);
    }
}
