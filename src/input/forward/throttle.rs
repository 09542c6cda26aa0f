//! Making a sender wait for its rate.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::bucket::Bucket;
use crate::config::InputConfig;
use crate::metrics::InputMetrics;

/// The rates of one sender, over all its connections to an input.
#[derive(Debug)]
pub(super) struct Throttle {
    buckets: Mutex<Buckets>,
}

/// `None`: no limit.
#[derive(Debug)]
struct Buckets {
    events: Option<Bucket>,
    bytes: Option<Bucket>,
}

impl Throttle {
    pub(super) fn new(config: &InputConfig, now: Instant) -> Self {
        let bucket = |rate: Option<u64>| rate.map(|rate| Bucket::new(rate, now));
        let (events, bytes) = (bucket(config.max_events_per_second), bucket(config.max_bytes_per_second));
        Self { buckets: Mutex::new(Buckets { events, bytes }) }
    }

    /// Waits until the sender may send its next message, or until the server stops. Nothing is held meanwhile: what
    /// the sender goes on sending stays in its own socket.
    pub(super) async fn wait(&self, shutdown: &CancellationToken, metrics: &InputMetrics) {
        loop {
            let owed = self.lock().wait(Instant::now());
            let Some((limit, wait)) = owed else { return };
            let started = Instant::now();
            let stopped = tokio::select! {
                () = shutdown.cancelled() => true,
                () = tokio::time::sleep(wait) => false,
            };
            metrics.throttled(limit, started.elapsed());
            if stopped {
                return;
            }
        }
    }

    /// Counts what was read.
    pub(super) fn charge_bytes(&self, bytes: usize, now: Instant) {
        if let Some(bucket) = &mut self.lock().bytes {
            bucket.charge(bytes as u64, now);
        }
    }

    /// Counts what was found in it.
    pub(super) fn charge_events(&self, events: u32, now: Instant) {
        if let Some(bucket) = &mut self.lock().events {
            bucket.charge(u64::from(events), now);
        }
    }

    /// How long until nothing is known here that a new one does not know.
    pub(super) fn until_full(&self, now: Instant) -> Duration {
        let mut buckets = self.lock();
        let Buckets { events, bytes } = &mut *buckets;
        [events, bytes].into_iter().flatten().map(|bucket| bucket.until_full(now)).max().unwrap_or_default()
    }

    /// A panic elsewhere leaves a bucket whole: every change is one sum.
    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Buckets {
    /// The limit that takes longest, and how long; `None` where there is nothing to wait for.
    fn wait(&mut self, now: Instant) -> Option<(&'static str, Duration)> {
        let wait =
            |bucket: &mut Option<Bucket>| bucket.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait(now));
        let waits = [
            ("max_events_per_second", wait(&mut self.events)),
            ("max_bytes_per_second", wait(&mut self.bytes)),
        ];
        waits.into_iter().max_by_key(|(_, wait)| *wait).filter(|(_, wait)| !wait.is_zero())
    }
}
