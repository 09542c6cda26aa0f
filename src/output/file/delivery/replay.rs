//! Going elsewhere when a replay begins or ends.

use super::super::error::ArchiveError;
use super::checkpoint::replace;
use super::step::Next;
use super::{DeliveryError, FileOutput};
use crate::journal::SavedCursor;

impl FileOutput {
    /// Takes up what an operator asked for, right after a checkpoint; `false` where there is nothing to do.
    pub(super) fn obey(&mut self) -> Result<bool, DeliveryError> {
        let Some(asked) = self.cursor.asked(self.flushed)? else { return Ok(false) };
        let position = self.cursor.saved().position;
        if let Some(give_up) = self.lines.give_up() {
            give_up.release(position)?;
        }
        self.jump(asked)?;
        self.cursor.forget_request();
        match asked.replays.current {
            Some(replay) => tracing::info!(
                output = self.options.id, number = asked.replays.count, from = %asked.position, until = %replay.until,
                "a replay begins: what was delivered is delivered again"
            ),
            None => tracing::info!(output = self.options.id, "a replay was cancelled"),
        }
        Ok(true)
    }

    /// Goes on where the output was before the replay.
    pub(super) fn end_replay(&mut self) -> Result<Next, DeliveryError> {
        self.flush()?;
        let resumed = self.cursor.saved().resumed();
        self.jump(resumed)?;
        tracing::info!(output = self.options.id, number = resumed.replays.count, "a replay is delivered");
        Ok(Next::GoOn)
    }

    /// Saves a cursor that goes on elsewhere than the files are, and follows it. Everything must be flushed.
    fn jump(&mut self, to: SavedCursor) -> Result<(), ArchiveError> {
        // What filters had counted belongs to where the files are. Nobody knows what they would have counted up to there,
        // so that windows begin anew.
        self.cursor.keep(Vec::new());
        let cursor = &mut self.cursor;
        self.archive.checkpoint(&mut |generation| replace(cursor, SavedCursor { generation, ..to }))?;
        self.lines.saved();
        if let Some(give_up) = self.lines.give_up() {
            give_up.jumped(&to.replays);
        }
        self.reader = self.cursor.reader(to.position);
        self.flushed = to.position;
        self.lines.resume(None);
        self.throttled = self.lines.throttled();
        self.checkpoint_due = None;
        Ok(())
    }
}
