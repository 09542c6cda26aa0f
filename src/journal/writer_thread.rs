//! The thread that drives the writer, and does the waiting for it.

use super::append::AppendError;
use super::next_segment::SPACE_POLL;
use super::writer::{Moment, Step, Writer};

/// Runs until the journal is closed or has failed.
pub(super) fn run(mut writer: Writer) {
    writer.allocate_spare(Moment::now());
    while writer.wait_for_request() {
        loop {
            match writer.step(Moment::now()) {
                Step::Done => break,
                Step::NoSpace => writer.shared.wait_for_space(SPACE_POLL),
                Step::Ended => return,
            }
        }
        writer.shared.wait_for_readers(writer.pace);
    }
    writer.note_end();
    writer.end(&AppendError::Stopped);
}
