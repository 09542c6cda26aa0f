//! Going on further ahead when the output is too far behind.

use super::{Deliveries, Ended, ForwardOutput};
use crate::journal::cursor_attributes::THROTTLE;
use crate::journal::{Position, SavedCursor, Skip, SkipError};
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
        // Where the cursor can't be saved, what it does not say may be delivered, and is delivered again.
        if !deliveries.is_behind() {
            deliveries.skip(skip, controls)?;
        }
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
        Ok(())
    }
}

impl Deliveries {
    fn skip(&mut self, skip: Skip, controls: &Controls) -> Result<(), Ended> {
        loop {
            match self.progress.cursor.skip(skip) {
                Ok(()) => return Ok(()),
                Err(error) if error.is_uncertain() => self.find_out(error, controls)?,
                Err(error) => {
                    tracing::warn!(
                        output = self.id, %error,
                        "the output is too far behind and cannot leave its backlog behind: it holds the journal"
                    );
                    return Ok(());
                }
            }
        }
    }

    /// Waits until it is known, durably, what was left behind. To send any of it meanwhile could be to send it twice, and
    /// to go on behind it to lose it.
    fn find_out(&mut self, mut error: SkipError, controls: &Controls) -> Result<(), Ended> {
        tracing::error!(
            output = self.id, %error,
            "nobody can tell yet whether a journal segment was set aside for the output: it sends nothing until its disk \
             lets it look, and everything is kept. All other outputs go on. /ready tells the reason until it is over"
        );
        self.metrics.num_errors.inc();
        self.metrics.held_up.set(1);
        let mut back_off = self.back_off.clone();
        loop {
            self.held_up.send_replace(Some(format!("the output {} is held up: {error}", self.id)));
            let wait = back_off.wait();
            let waited = async { controls.stop.run_until_cancelled(tokio::time::sleep(wait)).await };
            if controls.runtime.block_on(waited).is_none() {
                return Err(Ended::Patience);
            }
            match self.progress.cursor.find_out() {
                Ok(()) => break,
                Err(now) => error = now,
            }
        }
        self.held_up.send_replace(None);
        self.metrics.held_up.set(0);
        tracing::info!(output = self.id, "the output goes on: it is known what was left behind");
        Ok(())
    }
}
