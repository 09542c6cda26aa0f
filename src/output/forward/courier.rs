//! Carries messages to servers, each as often as it takes.

use std::sync::Arc;
use std::time::Duration;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep};

use super::back_off::BackOff;
use super::connection::{ConnectionError, Connector};
use super::failures::Failures;
use super::idle::Idle;
use super::message::Message;
use super::pool::{Pool, ServerId, Target};
use super::sent_log::SentLog;
use crate::metrics::{ForwardOutputMetrics, OutputMetrics};

/// A write that takes longer counts as slow, as in Fluentd.
const SLOW: Duration = Duration::from_secs(20);

/// What all messages of an output share on their way.
#[derive(Debug)]
pub(super) struct Courier {
    pub(super) output: String,
    pub(super) pool: Pool,
    pub(super) connector: Connector,
    pub(super) idle: Idle,
    pub(super) failures: Failures,
    /// One permit for each message that may be under way.
    pub(super) slots: Arc<Semaphore>,
    /// One permit for each message in doubt that need not count as under way.
    pub(super) parking: Arc<Semaphore>,
    pub(super) in_doubt_timeout: Duration,
    /// Where messages went; `None` where there is only one place.
    pub(super) sent_log: Option<Arc<SentLog>>,
    pub(super) back_off: BackOff,
    pub(super) metrics: OutputMetrics,
    pub(super) forward_metrics: ForwardOutputMetrics,
}

/// A server that may have a message.
#[derive(Debug)]
struct Doubt {
    server: ServerId,
    /// Until when no other gets it.
    until: Instant,
    _counted: InDoubt,
}

/// Counts a message as in doubt while it is.
#[derive(Debug)]
struct InDoubt(IntGauge);

impl InDoubt {
    fn new(in_doubt: &IntGauge) -> Self {
        in_doubt.inc();
        Self(in_doubt.clone())
    }
}

impl Drop for InDoubt {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A message did not get through.
struct Failure {
    reason: ConnectionError,
    /// Whether the server may have it nevertheless.
    is_in_doubt: bool,
    /// Whether the connection had waited for it: that the server had closed it meanwhile says nothing of the server.
    was_kept: bool,
}

impl Courier {
    /// Brings a message to a server. Returns once it is delivered, whenever that is.
    pub(super) async fn carry(self: Arc<Self>, mut message: Message, slot: OwnedSemaphorePermit) {
        let mut place = slot;
        let mut is_parked = false;
        let mut back_off = self.back_off.clone();
        let mut failed_at: Vec<ServerId> = Vec::new();
        let mut doubt = self.doubt_of_before(&message).await;
        let mut noted: Option<ServerId> = doubt.as_ref().map(|doubt| doubt.server);
        loop {
            let target = self.target(doubt.as_ref()).await;
            if doubt.as_ref().is_some_and(|doubt| doubt.server != target.id) {
                self.moves(&message, &target);
                doubt = None;
            }
            if noted.replace(target.id) != Some(target.id) {
                self.note(&message, &target).await;
            }
            let Failure { reason, is_in_doubt, was_kept } = match self.attempt(&target, &message).await {
                Ok(()) => break,
                Err(failure) => failure,
            };
            let reason = reason.to_string();
            if !was_kept {
                self.pool.failed(target.id, &reason);
            }
            if is_in_doubt {
                self.failures.in_doubt(&target, &reason);
            }
            self.metrics.num_errors.inc();
            if is_in_doubt && doubt.is_none() {
                doubt = Some(Doubt {
                    server: target.id,
                    until: Instant::now() + self.in_doubt_timeout,
                    _counted: InDoubt::new(&self.forward_metrics.in_doubt),
                });
            }
            if doubt.is_some() && !is_parked {
                message.detach();
                if let Ok(parked) = Arc::clone(&self.parking).try_acquire_owned() {
                    place = parked;
                    is_parked = true;
                }
            }
            // Every other server is tried at once; after that, patience.
            if !was_kept && (doubt.is_some() || failed_at.contains(&target.id)) {
                failed_at.clear();
                self.wait(&mut back_off, doubt.as_ref()).await;
            }
            failed_at.push(target.id);
            self.metrics.retry_count.inc();
        }
        drop(doubt);
        self.metrics.retry_wait.set(0);
        self.metrics.delivered(&message.tag, message.events);
        self.metrics.delivered_bytes.inc_by(message.len() as u64);
        drop(place);
    }

    /// The server that the process before sent a message to: nobody knows here whether it has it.
    async fn doubt_of_before(&self, message: &Message) -> Option<Doubt> {
        let address = self.sent_log.as_ref()?.take(message.id.as_ref()?)?;
        let target =
            self.pool.targets().await.into_iter().find(|target| *target.address.to_string() == *address);
        let Some(target) = target else {
            self.forward_metrics.moved_in_doubt.inc();
            tracing::warn!(
                output = self.output, server = &*address, position = %message.place.start, events = message.events,
                "a message may have gone to a server before the restart that is in the list no longer: another one gets it"
            );
            return None;
        };
        Some(Doubt {
            server: target.id,
            until: Instant::now() + self.in_doubt_timeout,
            _counted: InDoubt::new(&self.forward_metrics.in_doubt),
        })
    }

    /// Writes down where a message is about to go, on a thread that may wait for a disk.
    async fn note(&self, message: &Message, target: &Target) {
        let (Some(log), Some(id)) = (&self.sent_log, &message.id) else { return };
        let (log, id, start, address) =
            (Arc::clone(log), id.clone(), message.place.start, target.address.to_string());
        let noted = tokio::task::spawn_blocking(move || log.note(&id, start, &address)).await;
        if let Err(error) = noted {
            tracing::error!(output = self.output, %error, "cannot write down where a message goes: please report this");
        }
    }

    /// Where a message goes next.
    async fn target(&self, doubt: Option<&Doubt>) -> Target {
        let own = doubt.filter(|doubt| Instant::now() < doubt.until);
        match own.and_then(|doubt| self.pool.target(doubt.server)) {
            Some(target) => target,
            None => self.pool.pick().await,
        }
    }

    async fn attempt(&self, target: &Target, message: &Message) -> Result<(), Failure> {
        let kept = self.idle.take(target.id).await;
        let was_kept = kept.is_some();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connector.open(target).await.map_err(|reason| Failure {
                reason,
                is_in_doubt: false,
                was_kept: false,
            })?,
        };
        let started = Instant::now();
        let delivered = {
            let _waiting = self.forward_metrics.waits_for_ack(message.id.is_some());
            connection.deliver(message).await
        };
        let took = started.elapsed();
        self.metrics.write_count.inc();
        self.metrics.flush_time_count.inc_by(took.as_millis() as u64);
        if took > SLOW {
            self.metrics.slow_flush_count.inc();
        }
        match delivered {
            Ok(()) => {
                if message.id.is_some() {
                    self.forward_metrics.ack_latency.observe(took.as_secs_f64());
                }
                self.pool.succeeded(target.id);
                self.failures.succeeded(target);
                self.idle.put(target.id, connection);
                Ok(())
            }
            Err(reason) => Err(Failure {
                is_in_doubt: !reason.proves_nothing_arrived(),
                was_kept: was_kept && reason.is_of_the_connection(),
                reason,
            }),
        }
    }

    fn moves(&self, message: &Message, target: &Target) {
        self.forward_metrics.moved_in_doubt.inc();
        tracing::warn!(
            output = self.output, server = target.name, position = %message.place.start, events = message.events,
            "a message stayed in doubt for in_doubt_timeout: another server gets it, and may not be the only one"
        );
    }

    async fn wait(&self, back_off: &mut BackOff, doubt: Option<&Doubt>) {
        let mut wait = back_off.wait();
        if let Some(left) = doubt.and_then(|doubt| doubt.until.checked_duration_since(Instant::now())) {
            wait = wait.min(left);
        }
        self.metrics.retry_wait.set(wait.as_secs() as i64);
        sleep(wait).await;
    }
}
