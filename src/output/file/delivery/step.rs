//! One step of a file output: whatever is due, and one chunk.

use std::time::Instant;

use super::{DeliveryError, FileOutput};
use crate::journal::Position;

/// Between two checkpoints an output reads no more than this part of the journal, so that it can be let go in time.
const CHECKPOINTS_IN_A_JOURNAL: u64 = 4;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    CaughtUp,
}

impl FileOutput {
    /// Does whatever is due, or `asked` for, and takes one chunk. It asks no clock and waits for nothing.
    ///
    /// After an error that leaves the files uncertain, it begins with recovering them the next time.
    pub(crate) fn advance(&mut self, now: Instant, asked: bool) -> Result<Next, DeliveryError> {
        let advanced = self.step(now, asked);
        match &advanced {
            Err(DeliveryError::Archive(error)) if error.needs_recovery() => self.abandon_after(error),
            // What kept the files from being recovered may be another thing by now.
            Err(error @ DeliveryError::Recovery(_)) => self.hold_up(error),
            Err(error) if self.is_held_up => self.hold_up(error),
            _ => {}
        }
        advanced
    }

    fn step(&mut self, now: Instant, asked: bool) -> Result<Next, DeliveryError> {
        self.find_out()?;
        if let Some(give_up) = self.lines.give_up() {
            give_up.set_time(now);
        }
        if let Some(skip) = self.cursor.requested_skip() {
            self.leave_behind(skip)?;
        }
        if self.must_recover {
            self.take_back()?;
        }
        self.go_on_giving_up()?;
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let housekeeping = is_due(self.lines.housekeeping_due());
        let unproven = self.is_held_up && self.cursor.saved().position != self.reader.position();
        let checkpoint =
            asked || housekeeping || unproven || is_due(self.checkpoint_due) || self.journal_needs_space();
        let is_full = self.archive.buffered_bytes() >= self.options.buffer_memory;
        let is_unfinished = self.archive.is_half_flushed();
        if checkpoint
            || is_unfinished
            || is_due(self.flush_due)
            || is_full
            || self.archive.is_worth_flushing()
        {
            self.flush()?;
        }
        if checkpoint {
            self.checkpoint()?;
        }
        if housekeeping {
            self.lines.keep_house(now);
        }
        if asked && self.obey()? {
            return Ok(Next::GoOn);
        }
        if self.cursor.saved().ends_replay(self.reader.position()) {
            return self.end_replay();
        }
        self.leave_room_for_more()?;
        let chunk = self.reader.try_next()?;
        let next = chunk.as_ref().map_or(Position::END, |chunk| chunk.position);
        if self.cursor.saved().ends_replay(next) {
            return self.end_replay();
        }
        let Some(chunk) = chunk else {
            if self.is_held_up {
                self.flush()?;
                self.checkpoint()?;
                self.all_is_well();
            }
            self.let_go_of_what_was_given_up();
            return Ok(Next::CaughtUp);
        };
        self.lines.take(&chunk, &mut self.archive);
        self.checkpoint_due.get_or_insert(now + self.options.checkpoint_interval);
        if self.archive.buffered_bytes() > 0 {
            self.flush_due.get_or_insert(now + self.options.flush_interval);
        }
        self.metrics.emit_count.inc();
        self.update_gauges();
        Ok(Next::GoOn)
    }

    /// Writes the large pieces that are under way, as the thread would that a simulation does not have.
    #[cfg(feature = "simulation")]
    pub(crate) fn write_pieces(&mut self) {
        self.archive.write_pieces();
    }
    /// Whether senders wait for this output, or soon would.
    fn journal_needs_space(&self) -> bool {
        let saved = self.cursor.saved().position;
        if saved == self.reader.position() {
            return false;
        }
        let read = self.reader.bytes_since(saved);
        let is_full = self.journal_status.borrow().is_waiting();
        is_full || read > self.options.journal_max_size / CHECKPOINTS_IN_A_JOURNAL
    }
}
