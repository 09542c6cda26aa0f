//! Messages under way: they are sent off as there are slots, and the cursor follows what is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Ended;
use crate::journal::{AppendError, Journal, Position, Reader, Skip, Status};
use crate::metrics::OutputMetrics;
use crate::output::Controls;
use crate::output::forward::back_off::BackOff;
use crate::output::forward::courier::{Carried, Courier};
use crate::output::forward::message::Message;
use crate::output::forward::progress::Progress;

/// Messages under way, and everything that is waited for beside reading.
#[derive(Debug)]
pub(super) struct Deliveries {
    pub(super) id: String,
    pub(super) courier: Arc<Courier>,
    pub(super) progress: Progress,
    /// Each ends with the number of its message, where that ends, and how it ended.
    pub(super) under_way: JoinSet<Result<(u64, Position, Carried), AppendError>>,
    /// Tells when there is something to leave behind.
    pub(super) skips: watch::Receiver<Option<Skip>>,
    /// Why nothing is sent, while nobody can tell what was left behind.
    pub(super) held_up: watch::Sender<Option<String>>,
    checkpoint_interval: Duration,
    /// When the cursor is due, once it is behind.
    pub(super) checkpoint_due: Option<Instant>,
    /// Whether the cursor could not be saved the last time.
    pub(super) saving_fails: bool,
    /// How long to wait where the cursor can't be saved or the journal can't be read: from the start, and next time.
    pub(super) back_off: BackOff,
    pub(super) retrying: BackOff,
    /// Whether an operator may have asked for something since it was last looked.
    pub(super) is_asked: bool,
    pub(super) journal_status: watch::Receiver<Status>,
    pub(super) given_up_status: Option<watch::Receiver<Status>>,
    /// When to give up after being told to stop.
    pub(super) patience_ends: Option<Instant>,
    pub(super) metrics: OutputMetrics,
}

impl Deliveries {
    pub(super) fn new(
        journal: &Journal,
        progress: Progress,
        courier: Courier,
        checkpoint_interval: Duration,
    ) -> Self {
        let back_off = courier.back_off.clone();
        Self {
            id: courier.output.clone(),
            under_way: JoinSet::new(),
            skips: progress.cursor.skip_requests(),
            held_up: watch::Sender::new(None),
            given_up_status: progress.given_up_status(),
            progress,
            metrics: courier.metrics.clone(),
            courier: Arc::new(courier),
            checkpoint_interval,
            checkpoint_due: None,
            saving_fails: false,
            retrying: back_off.clone(),
            back_off,
            is_asked: true,
            journal_status: journal.status(),
            patience_ends: None,
        }
    }

    /// Sends a message off, as soon as there is a slot for it.
    pub(super) fn hand_over(
        &mut self,
        mut message: Message,
        reader: &Reader,
        controls: &mut Controls,
    ) -> Result<(), Ended> {
        let start = message.place.start;
        while let Err(error) = self.progress.about_to_send(start.segment) {
            self.wait_after(&error, controls)?;
        }
        message.may_have_arrived = self.progress.may_have_arrived(start);
        let runtime = controls.runtime.clone();
        let slots = Arc::clone(&self.courier.slots);
        let slot = runtime.block_on(async {
            loop {
                tokio::select! {
                    // First what has happened: there may always be a slot.
                    biased;
                    happened = self.next_event(controls) => happened?,
                    slot = Arc::clone(&slots).acquire_owned() => {
                        return slot.map_err(|error| Ended::Panic(error.to_string()));
                    }
                }
            }
        })?;
        let number = self.progress.ledger.sent(message.place.start, message.len() as u64);
        let end = message.place.end;
        let courier = Arc::clone(&self.courier);
        self.under_way.spawn_on(
            async move { courier.carry(message, slot).await.map(|carried| (number, end, carried)) },
            &runtime,
        );
        self.read_up_to(end);
        self.update_gauges(reader);
        Ok(())
    }

    /// A message is no longer under way.
    pub(super) fn carried(&mut self, (number, end, how): (u64, Position, Carried)) {
        self.progress.carried(number, end, how);
    }

    pub(super) fn read_up_to(&mut self, position: Position) {
        self.progress.ledger.read_up_to(position);
        self.note_progress();
    }

    pub(super) fn note_progress(&mut self) {
        if self.is_behind() {
            self.checkpoint_due.get_or_insert(Instant::now() + self.checkpoint_interval);
        }
    }

    /// Whether more is delivered than saved.
    pub(super) fn is_behind(&self) -> bool {
        self.progress.is_behind()
    }

    pub(super) fn save(&mut self) {
        self.checkpoint_due = None;
        if !self.is_behind() {
            return;
        }
        match self.progress.save() {
            Ok(()) => {
                self.metrics.checkpoints.inc();
                self.saving_fails = false;
                self.retrying = self.back_off.clone();
            }
            Err(error) => {
                let wait = self.retrying.wait();
                tracing::error!(
                    output = self.id, %error, wait_seconds = wait.as_secs_f64(),
                    "cannot save how far messages are acknowledged; after a crash some are sent again"
                );
                self.saving_fails = true;
                self.checkpoint_due = Some(Instant::now() + wait);
            }
        }
    }

    pub(super) fn update_gauges(&self, reader: &Reader) {
        let behind = self.progress.cursor.bytes_to_deliver(reader.position()) as i64;
        let staged = self.progress.ledger.bytes() as i64;
        self.metrics.buffer_stage_bytes.set(staged);
        self.metrics.buffer_queue_bytes.set(behind);
        self.metrics.buffer_total_bytes.set(staged + behind);
    }
}
