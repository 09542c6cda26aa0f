//! What an output waits for, and how it tries again.

use std::time::Instant;

use super::super::error::ArchiveError;
use super::super::recovery::RecoveryError;
use super::giving_up::{changed, settled};
use super::{DeliveryError, FileOutput};
use crate::journal::Status;
use crate::output::Controls;
use crate::storage::is_for_want_of_space;

impl FileOutput {
    /// Waits until something that failed is to be tried again.
    pub(super) fn retry(&mut self, error: &DeliveryError, controls: &mut Controls) {
        // That the output is held up was told when it began.
        if !self.is_held_up {
            tracing::error!(
                output = self.options.id, %error, wait_seconds = self.retry_wait.as_secs_f64(),
                "cannot deliver; everything is kept in the journal, trying again"
            );
        }
        self.make_room_after(error);
        self.metrics.retry_count.inc();
        self.metrics.retry_wait.set(self.retry_wait.as_secs() as i64);
        let until = Instant::now() + self.retry_wait;
        self.retry_wait = (self.retry_wait * 2).min(self.options.retry_max_interval);
        controls.runtime.clone().block_on(async {
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {}
                () = controls.stop.cancelled() => {}
                Ok(()) = self.skips.changed() => {}
            }
        });
        self.metrics.retry_wait.set(0);
    }

    /// Before an output tries again: where a full disk kept it from saving, there is a reserve.
    pub(crate) fn make_room_after(&self, error: &DeliveryError) {
        let (DeliveryError::Archive(ArchiveError::UndoLog { source, .. })
        | DeliveryError::Recovery(RecoveryError::Undone { source, .. })) = error
        else {
            return;
        };
        if is_for_want_of_space(source) {
            self.cursor.use_reserve();
        }
    }

    /// Waits for something to do.
    pub(super) fn wait(&mut self, controls: &mut Controls) {
        self.update_gauges();
        let due =
            [self.flush_due, self.checkpoint_due, self.lines.housekeeping_due()].into_iter().flatten().min();
        let saved = self.cursor.saved().position == self.reader.position();
        let (reader, status, skips) = (&mut self.reader, &mut self.journal_status, &mut self.skips);
        let (give_up, given_up_status) = (self.lines.give_up(), &mut self.given_up_status);
        controls.runtime.clone().block_on(async {
            tokio::select! {
                () = reader.wait() => {}
                () = controls.stop.cancelled() => {}
                _ = controls.flush_requests.changed() => controls.flush_requests.mark_changed(),
                Ok(()) = skips.changed() => {}
                () = settled(give_up) => {}
                // One that is full waits for whoever may still need what is in it.
                () = changed(given_up_status) => {}
                // A full journal waits for a checkpoint of what is read and not saved yet.
                _ = status.wait_for(Status::is_waiting), if !saved => {}
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {}
            }
        });
    }
}
