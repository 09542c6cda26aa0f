//! Going elsewhere when a replay begins or ends.

use super::{Ended, ForwardOutput};
use crate::journal::{Position, SavedCursor};
use crate::output::Controls;
use crate::output::forward::ledger::Ledger;
use crate::output::forward::message_id::MessageIds;

impl ForwardOutput {
    /// Begins, ends or gives up a replay, where there is something to do. Waits until everything under way is
    /// acknowledged: then the cursor is all that there is to know.
    pub(super) fn turn(&mut self, controls: &mut Controls) -> Result<(), Ended> {
        let at = self.deliveries.progress.ledger.delivered_up_to();
        let cursor = &self.deliveries.progress.cursor;
        let next = if self.replay_is_over { Ok(Some(cursor.saved().resumed())) } else { cursor.asked(at) };
        let next = match next {
            Ok(None) => {
                self.deliveries.is_asked = false;
                return Ok(());
            }
            Ok(Some(next)) => next,
            Err(error) => return self.deliveries.wait_after(&error, controls),
        };
        if !self.deliveries.progress.ledger.is_empty() {
            return self.deliveries.wait_for_event(controls);
        }
        let progress = &mut self.deliveries.progress;
        let generation = progress.cursor.saved().generation + 1;
        if let Err(error) = progress.turn(SavedCursor { generation, ..next }) {
            return self.deliveries.wait_after(&error, controls);
        }
        if !self.replay_is_over {
            progress.cursor.forget_request();
        }
        self.replay_is_over = false;
        self.resumed_at = next.position;
        self.reader = progress.cursor.reader(Position { entry: 0, ..next.position });
        self.packer.resume(None);
        progress.ledger = Ledger::new(next.position, self.packer.throttled().clone());
        self.packer.set_ids(MessageIds::new(&next.journal, &self.id, next.replays.number()));
        tracing::info!(
            output = self.id, number = next.replays.count, at = %next.position,
            "{}", if next.replays.current.is_some() {
                "a replay begins: what was delivered is delivered again"
            } else {
                "a replay is over: the output goes on where it was"
            }
        );
        Ok(())
    }
}
