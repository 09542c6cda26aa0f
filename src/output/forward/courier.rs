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
use super::retry_limit::{RetryLimit, Tries};
use super::sent_log::SentLog;
use crate::journal::AppendError;
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
    /// `None`: messages are tried for ever.
    pub(super) retry_limit: Option<RetryLimit>,
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

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    Delivered,
    /// It is elsewhere, durably.
    GivenUp,
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
    /// Brings a message to a server. Returns once it is delivered, whenever that is, or given up.
    ///
    /// # Errors
    ///
    /// Where it can't be given up, since the journal for that has failed.
    pub(super) async fn carry(
        self: Arc<Self>,
        mut message: Message,
        slot: OwnedSemaphorePermit,
    ) -> Result<Carried, AppendError> {
        let mut place = slot;
        let mut is_parked = false;
        let mut back_off = self.back_off.clone();
        let mut failed_at: Vec<ServerId> = Vec::new();
        let mut doubt = self.doubt_of_before(&message).await;
        let mut noted: Option<ServerId> = doubt.as_ref().map(|doubt| doubt.server);
        let mut was_in_doubt = doubt.is_some() || message.may_have_arrived;
        let mut tries = Tries::default();
        loop {
            let target = self.unless_given_up(&message, &tries, self.target(doubt.as_ref())).await;
            let Some(target) = target else {
                return self.give_up(&message, tries, was_in_doubt).await;
            };
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
            if let Some(limit) = self.retry_limit.as_ref().filter(|_| !was_kept) {
                limit.failed();
                tries.failed_since.get_or_insert_with(Instant::now);
            }
            tries.attempts = tries.attempts.saturating_add(1);
            tries.last_error.clone_from(&reason);
            was_in_doubt |= is_in_doubt;
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
                let wait = self.wait(&mut back_off, doubt.as_ref());
                if self.unless_given_up(&message, &tries, wait).await.is_none() {
                    return self.give_up(&message, tries, was_in_doubt).await;
                }
            }
            failed_at.push(target.id);
            self.metrics.retry_count.inc();
        }
        if let Some(limit) = &self.retry_limit {
            limit.succeeded();
        }
        drop(doubt);
        self.metrics.retry_wait.set(0);
        self.metrics.delivered(&message.tag, message.events);
        self.metrics.delivered_bytes.inc_by(message.len() as u64);
        drop(place);
        Ok(Carried::Delivered)
    }

    /// Waits for something, but not longer than a message may; `None` once it is to be given up.
    async fn unless_given_up<T>(
        &self,
        message: &Message,
        tries: &Tries,
        wait: impl Future<Output = T>,
    ) -> Option<T> {
        let Some(limit) = &self.retry_limit else { return Some(wait.await) };
        tokio::select! {
            biased;
            done = wait => Some(done),
            () = limit.reached(message, tries) => None,
        }
    }

    /// Hands a message to whoever takes what is given up.
    async fn give_up(
        &self,
        message: &Message,
        tries: Tries,
        was_in_doubt: bool,
    ) -> Result<Carried, AppendError> {
        let Some(limit) = &self.retry_limit else { return std::future::pending().await };
        let (to, attempts, error) = (limit.to(), tries.attempts, tries.last_error.clone());
        match limit.give_up(message, tries, was_in_doubt).await {
            Ok(()) => {}
            Err(AppendError::Failed(reason)) => return Err(AppendError::Failed(reason)),
            // Stopping; it is in the journal, and tried again by the next process.
            Err(AppendError::Stopped) => return std::future::pending().await,
            Err(error @ (AppendError::TooLarge | AppendError::Full)) => {
                tracing::error!(
                    output = self.output, position = %message.place.start, events = message.events, %error,
                    "a message can't be given up, and not be delivered: it stays in the journal, and holds it; \
                     take the output out of the configuration or mend its servers"
                );
                return std::future::pending().await;
            }
        }
        self.metrics.retry_wait.set(0);
        self.forward_metrics.given_up.given_up(to, was_in_doubt, message.events);
        tracing::error!(
            output = self.output, to, position = %message.place.start, events = message.events, attempts, error,
            in_doubt = was_in_doubt,
            "gave up a message that could not be delivered within retry_timeout"
        );
        Ok(Carried::GivenUp)
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
