//! Whether the server takes events.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// What stands in the way of taking events: one sentence each, none when nothing does.
type Reasons = Box<dyn Fn() -> Vec<String> + Send + Sync>;

/// Shared between the server, which knows, and the health check, which asks. Lock-free; clones are the same.
#[derive(Clone, Default)]
pub struct Readiness {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Empty until the server has started.
    reasons: OnceLock<Reasons>,
    stopping: AtomicBool,
}

impl Readiness {
    /// Of a server that is still starting.
    pub fn starting() -> Self {
        Self::default()
    }

    /// From now on `reasons` decides. It is called for each health check, so it must not wait for anything. Only the
    /// first call counts.
    pub fn started(&self, reasons: impl Fn() -> Vec<String> + Send + Sync + 'static) {
        if self.shared.reasons.set(Box::new(reasons)).is_err() {
            tracing::warn!("the server was marked as started twice; the second time changes nothing");
        }
    }

    /// From now on the server is not ready, and won't be again.
    pub fn stopping(&self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
    }

    /// Why the server is not ready; empty when it is.
    pub fn reasons(&self) -> Vec<String> {
        if self.shared.stopping.load(Ordering::Relaxed) {
            return vec!["the server is stopping".to_owned()];
        }
        match self.shared.reasons.get() {
            Some(reasons) => reasons(),
            None => vec!["the server is starting".to_owned()],
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Readiness").field("reasons", &self.reasons()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_only_between_start_and_stop() {
        let readiness = Readiness::starting();
        assert_eq!(readiness.reasons(), ["the server is starting"]);
        readiness.started(Vec::new);
        assert!(readiness.reasons().is_empty());
        readiness.clone().stopping();
        assert_eq!(readiness.reasons(), ["the server is stopping"]);
    }

    #[test]
    fn the_first_start_counts() {
        let readiness = Readiness::starting();
        readiness.started(|| vec!["journal is full: senders wait".to_owned()]);
        readiness.started(Vec::new);
        assert_eq!(readiness.reasons(), ["journal is full: senders wait"]);
    }
}
