//! The loop of a forward output: read, pack, hand over, and save how far the servers have acknowledged.

mod skip;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::back_off::BackOff;
use super::courier::{Carried, Courier};
use super::ledger::Ledger;
use super::message::Message;
use super::message_id::MessageIds;
use super::packer::Packer;
use super::progress::Progress;
use super::sending::Sending;
use super::unpack::{Due, unpack};
use crate::journal::{AppendError, Journal, OutputCursor, Position, Reader, SavedCursor, Skip, Status};
use crate::metrics::{OutputMetrics, TlsMetrics};
use crate::output::given_up::{Hold, Taken};
use crate::output::{Controls, Output, OutputError};
use crate::tls::client::ReloadingClientConfig;
use crate::tls::reload::ReloadTrigger;

/// An output that delivers to forward servers.
#[derive(Debug)]
pub struct ForwardOutput {
    id: String,
    reader: Reader,
    packer: Packer,
    /// Where the cursor was at the start: entries before it are delivered.
    resumed_at: Position,
    deliveries: Deliveries,
    tls_files: Option<TlsFiles>,
    /// What was given up before the start, and is passed over.
    taken: Taken,
    /// Whether a replay is over, so that the output goes on elsewhere once everything is acknowledged.
    replay_is_over: bool,
}

/// The certificates that connections are made with, to be followed as they change.
type TlsFiles = (Arc<ReloadingClientConfig>, TlsMetrics);

/// Messages under way, and everything that is waited for beside reading.
#[derive(Debug)]
struct Deliveries {
    id: String,
    courier: Arc<Courier>,
    progress: Progress,
    /// Each ends with the number of its message, where that ends, and how it ended.
    under_way: JoinSet<Result<(u64, Position, Carried), AppendError>>,
    /// Tells when there is something to leave behind.
    skips: watch::Receiver<Option<Skip>>,
    /// Why nothing is sent, while nobody can tell what was left behind.
    held_up: watch::Sender<Option<String>>,
    checkpoint_interval: Duration,
    /// When the cursor is due, once it is behind.
    checkpoint_due: Option<Instant>,
    /// Whether the cursor could not be saved the last time.
    saving_fails: bool,
    /// How long to wait where the cursor can't be saved or the journal can't be read: from the start, and next time.
    back_off: BackOff,
    retrying: BackOff,
    /// Whether an operator may have asked for something since it was last looked.
    is_asked: bool,
    journal_status: watch::Receiver<Status>,
    given_up_status: Option<watch::Receiver<Status>>,
    /// When to give up after being told to stop.
    patience_ends: Option<Instant>,
    metrics: OutputMetrics,
}

/// Why handing over ended early.
enum Ended {
    /// There was time enough to deliver after being told to stop.
    Patience,
    Panic(String),
    /// It is to leave its backlog behind.
    Skip(Skip),
}

impl ForwardOutput {
    pub(super) fn new(
        journal: &Journal,
        cursor: OutputCursor,
        packer: Packer,
        courier: Courier,
        checkpoint_interval: Duration,
        tls_files: Option<TlsFiles>,
        given_up: Option<(Hold, Taken)>,
    ) -> Self {
        let (hold, taken) = given_up.map_or((None, Taken::default()), |(hold, taken)| (Some(hold), taken));
        let resumed_at = cursor.saved().position;
        let id = courier.output.clone();
        // Only who gives up asks whether a server may have it; where there are several, the log tells.
        let sending = (courier.retry_limit.is_some() && courier.sent_log.is_none())
            .then(|| Sending::of(&cursor, journal.newest()));
        let metrics = courier.metrics.clone();
        let back_off = courier.back_off.clone();
        let skips = cursor.skip_requests();
        let ledger = Ledger::new(resumed_at, packer.throttled().clone());
        let progress = Progress::new(ledger, cursor, hold, courier.sent_log.clone(), sending);
        Self {
            id: id.clone(),
            reader: journal.reader(Position { entry: 0, ..resumed_at }),
            resumed_at,
            deliveries: Deliveries {
                id,
                under_way: JoinSet::new(),
                skips,
                held_up: watch::Sender::new(None),
                given_up_status: progress.given_up_status(),
                progress,
                courier: Arc::new(courier),
                checkpoint_interval,
                checkpoint_due: None,
                saving_fails: false,
                retrying: back_off.clone(),
                back_off,
                is_asked: true,
                journal_status: journal.status(),
                patience_ends: None,
                metrics,
            },
            packer,
            tls_files,
            taken,
            replay_is_over: false,
        }
    }

    /// What asks for the certificates to be read again at once; `None` without TLS.
    pub fn reload_trigger(&self) -> Option<ReloadTrigger> {
        self.tls_files.as_ref().map(|(config, _)| config.trigger())
    }

    /// Why the output can't go on before its disk lets it; `None` while all is well.
    pub fn held_up(&self) -> watch::Receiver<Option<String>> {
        self.deliveries.held_up.subscribe()
    }

    /// Follows the servers and the certificates, until the guard is dropped.
    fn watch(&mut self, controls: &Controls) -> DropGuard {
        let ended = CancellationToken::new();
        let (pool, stop) = (self.deliveries.courier.pool.clone(), ended.clone());
        controls.runtime.spawn(async move { pool.run(stop).await });
        if let Some((config, metrics)) = self.tls_files.take() {
            let (id, stop) = (self.id.clone(), ended.clone());
            controls
                .runtime
                .spawn(stop.run_until_cancelled_owned(async move { config.watch(&id, &metrics).await }));
        }
        ended.drop_guard()
    }
}

impl Output for ForwardOutput {
    fn id(&self) -> &str {
        &self.id
    }

    fn run(mut self: Box<Self>, mut controls: Controls) -> Result<(), OutputError> {
        let watching = self.watch(&controls);
        let ended = loop {
            match self.deliver(&mut controls) {
                Err(Ended::Skip(skip)) => {
                    if let Err(error) = self.leave_behind(skip, &controls) {
                        break Err(error);
                    }
                }
                ended => break ended,
            }
        };
        drop(watching);
        while let Some(Ok(Ok(carried))) = self.deliveries.under_way.try_join_next() {
            self.deliveries.carried(carried);
        }
        self.deliveries.under_way.abort_all();
        controls.runtime.block_on(self.deliveries.courier.idle.close());
        self.deliveries.save();
        match ended {
            Err(Ended::Skip(_)) => Ok(()),
            Err(Ended::Panic(reason)) => Err(OutputError { id: self.id, reason }),
            Err(Ended::Patience) => {
                tracing::warn!(
                    output = self.id,
                    "stopping with undelivered events: they are kept in the journal"
                );
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

impl ForwardOutput {
    /// Until everything is delivered that is there when it is told to stop.
    fn deliver(&mut self, controls: &mut Controls) -> Result<(), Ended> {
        loop {
            self.replay_is_over |=
                self.deliveries.progress.cursor.saved().ends_replay(self.reader.position());
            if self.deliveries.is_asked || self.replay_is_over {
                self.turn(controls)?;
                continue;
            }
            let chunk = self.reader.try_next();
            if let Ok(chunk) = &chunk {
                let next = chunk.as_ref().map_or(Position::END, |chunk| chunk.position);
                self.replay_is_over = self.deliveries.progress.cursor.saved().ends_replay(next);
                if self.replay_is_over {
                    continue;
                }
            }
            match chunk {
                Ok(Some(chunk)) => {
                    self.deliveries.metrics.emit_count.inc();
                    let (deliveries, reader) = (&mut self.deliveries, &self.reader);
                    unpack(
                        &mut self.packer,
                        &self.taken,
                        self.resumed_at,
                        &chunk,
                        |message, due| match due {
                            Due::Sending => deliveries.hand_over(message, reader, controls),
                            Due::Nothing => {
                                deliveries.read_up_to(message.place.end);
                                Ok(())
                            }
                        },
                    )?;
                    if chunk.next.entry == 0 {
                        deliveries.progress.ledger.counted_up_to(self.packer.throttled());
                    }
                    deliveries.read_up_to(chunk.next);
                    deliveries.catch_up_with_events(controls)?;
                }
                Ok(None) if controls.stop.is_cancelled() && self.deliveries.progress.ledger.is_empty() => {
                    return Ok(());
                }
                Ok(None) => {
                    // It may have gone on into a segment in which nothing is yet: the one before can be removed then, and
                    // somebody may wait for its space.
                    self.deliveries.read_up_to(self.reader.position());
                    self.deliveries.wait_for_more(&mut self.reader, controls)?;
                }
                Err(error) => self.deliveries.wait_after(&error, controls)?,
            }
        }
    }

    /// Begins, ends or gives up a replay, where there is something to do. Waits until everything under way is
    /// acknowledged: then the cursor is all that there is to know.
    fn turn(&mut self, controls: &mut Controls) -> Result<(), Ended> {
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

impl Deliveries {
    /// Sends a message off, as soon as there is a slot for it.
    fn hand_over(
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

    /// Does what follows from everything that has happened, without waiting: chunks may go by of which nothing is sent.
    fn catch_up_with_events(&mut self, controls: &mut Controls) -> Result<(), Ended> {
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
    fn wait_for_more(&mut self, reader: &mut Reader, controls: &mut Controls) -> Result<(), Ended> {
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
    fn wait_for_event(&mut self, controls: &mut Controls) -> Result<(), Ended> {
        controls.runtime.clone().block_on(self.next_event(controls))
    }

    /// The journal can't be read, or the cursor not be replaced; it is tried again.
    fn wait_after(&mut self, error: &dyn Display, controls: &mut Controls) -> Result<(), Ended> {
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
    async fn next_event(&mut self, controls: &mut Controls) -> Result<(), Ended> {
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

    /// A message is no longer under way.
    fn carried(&mut self, (number, end, how): (u64, Position, Carried)) {
        self.progress.carried(number, end, how);
    }

    fn read_up_to(&mut self, position: Position) {
        self.progress.ledger.read_up_to(position);
        self.note_progress();
    }

    fn note_progress(&mut self) {
        if self.is_behind() {
            self.checkpoint_due.get_or_insert(Instant::now() + self.checkpoint_interval);
        }
    }

    /// Whether more is delivered than saved.
    fn is_behind(&self) -> bool {
        self.progress.is_behind()
    }

    fn save(&mut self) {
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

    fn update_gauges(&self, reader: &Reader) {
        let behind = self.progress.cursor.bytes_to_deliver(reader.position()) as i64;
        let staged = self.progress.ledger.bytes() as i64;
        self.metrics.buffer_stage_bytes.set(staged);
        self.metrics.buffer_queue_bytes.set(behind);
        self.metrics.buffer_total_bytes.set(staged + behind);
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
