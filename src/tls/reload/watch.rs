//! Looking at the files from time to time, and when asked to.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep_until};

use super::{Look, Outcome, Reloading, Source};
use crate::metrics::TlsMetrics;
use crate::tls::aging;

/// How long changed files must stay the same before they are taken up: longer than it takes to write them.
const SETTLE: Duration = Duration::from_secs(1);

/// How often it is said that a certificate or a revocation list comes to its end.
const REMINDER: Duration = Duration::from_secs(24 * 60 * 60);

impl<S: Source> Reloading<S> {
    /// Follows the files until it is dropped. `id` names the input or output in the log.
    pub async fn watch(self: &Arc<Self>, id: &str, metrics: &TlsMetrics) {
        let interval = Some(self.source.interval()).filter(|interval| !interval.is_zero());
        let after = |wait: Duration| Instant::now() + wait;
        let mut next_look = interval.map(after);
        let mut next_reminder = Instant::now();
        loop {
            let why = tokio::select! {
                () = self.requested.notified() => Look::Requested,
                () = at(next_look) => Look::Routine,
                () = sleep_until(next_reminder) => {
                    self.remind(id);
                    next_reminder = after(REMINDER);
                    continue;
                }
            };
            // A file on a network may take its time.
            let this = Arc::clone(self);
            let outcome = match tokio::task::spawn_blocking(move || this.look(why)).await {
                Ok(outcome) => outcome,
                Err(error) => {
                    tracing::error!(id, %error, "reading the TLS files panicked, please report this");
                    Outcome::Unchanged
                }
            };
            let settle = matches!(outcome, Outcome::Unsettled);
            next_look = interval.map(|interval| after(if settle { interval.min(SETTLE) } else { interval }));
            if matches!(outcome, Outcome::Loaded(_)) {
                next_reminder = Instant::now();
            }
            report(id, why, &outcome, metrics);
        }
    }

    fn remind(&self, id: &str) {
        for warning in aging::warnings(&self.current.load().expiries, SystemTime::now()) {
            tracing::warn!(id, "{warning}");
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn report(id: &str, why: Look, outcome: &Outcome, metrics: &TlsMetrics) {
    match outcome {
        Outcome::Unsettled => {}
        Outcome::Unchanged => {
            if why == Look::Requested {
                tracing::info!(id, "the TLS files are as they are in use");
            }
        }
        Outcome::Loaded(changed) => {
            let files: Vec<_> = changed.iter().map(|path| path.display().to_string()).collect();
            metrics.loaded();
            tracing::info!(id, files = files.join(", "), "took up changed TLS files; open connections go on");
        }
        Outcome::Restored => {
            metrics.restored();
            tracing::info!(id, "the TLS files are again as they are in use");
        }
        Outcome::Failed(error) => {
            metrics.failed();
            tracing::error!(
                id,
                "changed TLS files do not load, those read before stay in use until they do (a restart would fail): \
                 {error}"
            );
        }
    }
}
