//! The loop of a forward output: read, pack and hand over (here), what is under way and how far the servers have acknowledged
//! (`deliveries.rs`), and what happens meanwhile (`waiting.rs`, `replay.rs`, `skip.rs`).

mod deliveries;
mod replay;
mod skip;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::courier::Courier;
use super::ledger::Ledger;
use super::packer::Packer;
use super::progress::Progress;
use super::sending::Sending;
use super::unpack::{Due, unpack};
use crate::journal::{Journal, OutputCursor, Position, Reader, Skip};
use crate::metrics::TlsMetrics;
use crate::output::given_up::{Hold, Taken};
use crate::output::{Controls, Output, OutputError};
use crate::tls::client::ReloadingClientConfig;
use crate::tls::reload::ReloadTrigger;
use deliveries::Deliveries;

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
        // Only who gives up asks whether a server may have it; where there are several, the log tells.
        let sending = (courier.retry_limit.is_some() && courier.sent_log.is_none())
            .then(|| Sending::of(&cursor, journal.newest()));
        let ledger = Ledger::new(resumed_at, packer.throttled().clone());
        let progress = Progress::new(ledger, cursor, hold, courier.sent_log.clone(), sending);
        Self {
            id: courier.output.clone(),
            reader: journal.reader(Position { entry: 0, ..resumed_at }),
            resumed_at,
            deliveries: Deliveries::new(journal, progress, courier, checkpoint_interval),
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
}
