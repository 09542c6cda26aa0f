//! What a forward output waits for beside reading, and what follows when it happens.

use std::fmt::Display;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::{Deliveries, Ended};
use crate::journal::{Reader, Status};
use crate::output::Controls;

impl Deliveries {
    /// Does what follows from everything that has happened, without waiting: chunks may go by of which nothing is sent.
    pub(super) fn catch_up_with_events(&mut self, controls: &mut Controls) -> Result<(), Ended> {
        controls.runtime.clone().block_on(async {
            loop {
                tokio::select! {
                    biased;
                    happened = self.next_event(controls) => happened?,
                    () = std::future::ready(()) => return Ok(()),
                }
            }
        })
    }

    /// Waits until there is more to read, or something else is done.
    pub(super) fn wait_for_more(
        &mut self,
        reader: &mut Reader,
        controls: &mut Controls,
    ) -> Result<(), Ended> {
        self.update_gauges(reader);
        controls.runtime.clone().block_on(async {
            tokio::select! {
                // A journal that is closed brings nothing more.
                () = reader.wait(), if !controls.stop.is_cancelled() => Ok(()),
                happened = self.next_event(controls) => happened,
            }
        })
    }

    /// Waits for one thing that happens beside reading.
    pub(super) fn wait_for_event(&mut self, controls: &mut Controls) -> Result<(), Ended> {
        controls.runtime.clone().block_on(self.next_event(controls))
    }

    /// The journal can't be read, or the cursor not be replaced; it is tried again.
    pub(super) fn wait_after(&mut self, error: &dyn Display, controls: &mut Controls) -> Result<(), Ended> {
        let wait = self.retrying.wait();
        tracing::error!(
            output = self.id, %error, wait_seconds = wait.as_secs_f64(),
            "cannot go on reading the journal; trying again"
        );
        self.metrics.num_errors.inc();
        let until = Instant::now() + wait;
        controls.runtime.clone().block_on(async {
            loop {
                tokio::select! {
                    () = sleep_until(until) => return Ok(()),
                    happened = self.next_event(controls) => happened?,
                }
            }
        })
    }

    /// Waits for one of the things that happen beside reading, and does what follows from it.
    pub(super) async fn next_event(&mut self, controls: &mut Controls) -> Result<(), Ended> {
        let is_behind = self.is_behind();
        let now = Instant::now();
        tokio::select! {
            Some(joined) = self.under_way.join_next() => match joined {
                Ok(Ok(carried)) => {
                    self.carried(carried);
                    self.note_progress();
                }
                Ok(Err(error)) => {
                    return Err(Ended::Panic(format!("it can't give up a message: {error}")));
                }
                Err(error) => return Err(Ended::Panic(format!("it panicked, please report this: {error}"))),
            },
            () = sleep_until(self.checkpoint_due.unwrap_or(now)), if self.checkpoint_due.is_some() => self.save(),
            Ok(()) = controls.flush_requests.changed() => {
                self.is_asked = true;
                self.save();
            }
            Ok(()) = self.skips.changed() => {
                // What is acknowledged need not be left behind.
                self.save();
                if let Some(skip) = self.progress.cursor.requested_skip() {
                    return Err(Ended::Skip(skip));
                }
            }
            // A full journal waits for a checkpoint of what is delivered and not saved yet.
            () = until_full(&mut self.journal_status), if is_behind && !self.saving_fails => self.save(),
            // What it holds there, without needing it, may be in the way of others.
            () = until_filled(&mut self.given_up_status) => self.progress.let_go(),
            () = controls.stop.cancelled(), if self.patience_ends.is_none() => {
                self.patience_ends = Some(now + controls.stop_patience);
            }
            () = sleep_until(self.patience_ends.unwrap_or(now)), if self.patience_ends.is_some() => {
                return Err(Ended::Patience);
            }
        }
        Ok(())
    }
}

/// Resolves when a journal changes to full; never where there is none.
async fn until_filled(status: &mut Option<watch::Receiver<Status>>) {
    if let Some(status) = status {
        while status.changed().await.is_ok() {
            if status.borrow_and_update().is_waiting() {
                return;
            }
        }
    }
    std::future::pending().await
}

async fn until_full(status: &mut watch::Receiver<Status>) {
    let is_full = Status::is_waiting;
    if status.wait_for(is_full).await.is_err() {
        // The journal is gone, and with it everybody who could wait for it.
        std::future::pending().await
    }
}
