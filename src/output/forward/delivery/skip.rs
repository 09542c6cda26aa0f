//! Going on further ahead when the output is too far behind.

use super::{Ended, ForwardOutput};
use crate::journal::cursor_attributes::THROTTLE;
use crate::journal::{Position, SavedCursor, Skip};
use crate::output::Controls;
use crate::output::forward::ledger::Ledger;
use crate::output::forward::message_id::MessageIds;

impl ForwardOutput {
    /// Leaves everything before a place behind. Messages under way are given up: a server that has one and did not say
    /// so gets it again if the dead letters are delivered.
    pub(super) fn leave_behind(&mut self, skip: Skip, controls: &Controls) -> Result<(), Ended> {
        let deliveries = &mut self.deliveries;
        deliveries.under_way.abort_all();
        controls.runtime.block_on(async {
            while let Some(joined) = deliveries.under_way.join_next().await {
                // One that was cut off is not delivered, nor one that could not be handed over.
                if let Ok(Ok(carried)) = joined {
                    deliveries.carried(carried);
                }
            }
        });
        deliveries.save();
        let skipped = match deliveries.is_behind() {
            // The cursor can't be saved: what it does not say may be delivered, and is delivered again.
            true => Ok(()),
            false => deliveries.progress.cursor.skip(skip),
        };
        self.resumed_at = deliveries.progress.cursor.saved().position;
        // A replay has ended with it.
        self.replay_is_over = false;
        let SavedCursor { journal, replays, .. } = deliveries.progress.cursor.saved();
        self.packer.set_ids(MessageIds::new(journal, &self.id, replays.number()));
        self.reader = deliveries.progress.cursor.reader(Position { entry: 0, ..self.resumed_at });
        // After a jump the cursor holds no counts: the windows of throttle filters begin anew.
        self.packer.resume(deliveries.progress.cursor.attribute(THROTTLE));
        deliveries.progress.ledger = Ledger::new(self.resumed_at, self.packer.throttled().clone());
        deliveries.checkpoint_due = None;
        match skipped {
            Err(error) if error.is_uncertain() => Err(Ended::Panic(error.to_string())),
            Err(error) => {
                tracing::warn!(
                    output = self.id, %error,
                    "the output is too far behind and cannot leave its backlog behind: it holds the journal"
                );
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}
