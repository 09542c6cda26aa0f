//! Whether one server is there.
//!
//! ```text
//!         a delivery failed, or silence (phi_threshold, hard_timeout)
//!    Up ─────────────────────────────────────────────────────────────▶ Down
//!     ◀───────────────────────────────────────────────────────────────
//!         heartbeats were good for recover_wait
//! ```
//!
//! Nothing tells as much as a delivery. Without heartbeats a server that is down gets one chunk on trial after
//! `recover_wait`, and where all servers are down one whose heartbeats are good gets one at once: when that is
//! delivered the server is up.

use std::time::{Duration, Instant};

use super::detector::FailureDetector;

/// What the configuration says about failures and recovery.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// `None`: there are no heartbeats.
    pub heartbeat_interval: Option<Duration>,
    pub phi_threshold: f64,
    pub hard_timeout: Duration,
    pub recover_wait: Duration,
}

impl Policy {
    /// How long heartbeats must be good after this many failures without a delivery in between.
    ///
    /// A server that takes connections and fails every delivery would else be up and down every `recover_wait`: it
    /// doubles, up to `hard_timeout`.
    fn wait(&self, failures: u32) -> Duration {
        let doubled = self.recover_wait.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        doubled.min(self.hard_timeout.max(self.recover_wait))
    }
}

#[derive(Debug)]
pub(super) struct Health {
    policy: Policy,
    state: State,
    detector: FailureDetector,
    /// Deliveries that took the server down, since the last one that succeeded.
    failures: u32,
    /// What became of the last heartbeat, where that was nothing good.
    heartbeat_error: Option<String>,
}

#[derive(Debug)]
enum State {
    Up,
    /// Heartbeats will tell.
    Down {
        good_since: Option<Instant>,
        /// When it was given a chunk on trial of which nothing has been heard.
        on_trial: Option<Instant>,
    },
    /// There are no heartbeats: from this time on it may be given one chunk.
    Unproven {
        from: Instant,
    },
}

/// A change that the rest of the world should know about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    Down { reason: String },
    Up,
}

impl Health {
    /// A new server counts as up until the contrary is known.
    pub(super) fn new(policy: Policy, now: Instant) -> Self {
        let detector = FailureDetector::new(policy.heartbeat_interval.unwrap_or_default(), now);
        Self { policy, state: State::Up, detector, failures: 0, heartbeat_error: None }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up)
    }

    /// Whether it may be given a chunk.
    pub(super) fn is_usable(&self, now: Instant) -> bool {
        match self.state {
            State::Up => true,
            State::Down { .. } => false,
            State::Unproven { from } => now >= from,
        }
    }

    /// Whether it may be given a chunk if there is no other: it is down, but its heartbeats are good again.
    pub(super) fn is_last_resort(&self, now: Instant) -> bool {
        matches!(self.state, State::Down { good_since: Some(_), on_trial } if on_trial.is_none_or(|since| {
            now.saturating_duration_since(since) >= self.policy.recover_wait
        }))
    }

    /// When it becomes usable by the mere passing of time.
    pub(super) fn next_change(&self) -> Option<Instant> {
        match self.state {
            State::Unproven { from } => Some(from),
            _ => None,
        }
    }

    /// It was given a chunk; a server on trial gets no second one before it is known what became of the first.
    pub(super) fn picked(&mut self, now: Instant) {
        match &mut self.state {
            State::Up => {}
            State::Down { on_trial, .. } => *on_trial = Some(now),
            State::Unproven { from } => *from = now + self.policy.recover_wait,
        }
    }

    /// A heartbeat came back.
    pub(super) fn heartbeat(&mut self, now: Instant) -> Option<Turn> {
        self.heartbeat_error = None;
        match &mut self.state {
            State::Up => self.detector.heartbeat(now),
            State::Down { good_since, .. } => {
                let since = *good_since.get_or_insert(now);
                if now.saturating_duration_since(since) >= self.policy.wait(self.failures) {
                    return Some(self.recover(now));
                }
            }
            State::Unproven { .. } => {}
        }
        None
    }

    /// A heartbeat did not come back. By itself that takes no server down: the detector judges the silence.
    pub(super) fn heartbeat_failed(&mut self, error: String) {
        self.heartbeat_error = Some(error);
        if let State::Down { good_since, .. } = &mut self.state {
            *good_since = None;
        }
    }

    /// Judges the silence; to be asked about every `heartbeat_interval`.
    pub(super) fn judge(&mut self, now: Instant) -> Option<Turn> {
        if !self.is_up() || self.policy.heartbeat_interval.is_none() {
            return None;
        }
        let silence = self.detector.silence(now);
        if silence <= self.policy.hard_timeout && self.detector.phi(now) <= self.policy.phi_threshold {
            return None;
        }
        let error = self.heartbeat_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        self.state = State::Down { good_since: None, on_trial: None };
        Some(Turn::Down { reason: format!("no heartbeat for {} s{error}", silence.as_secs()) })
    }

    /// Nobody listened to heartbeats for this long.
    pub(super) fn forgive(&mut self, deafness: Duration) {
        self.detector.forgive(deafness);
    }

    /// A delivery failed, or a connection could not be made.
    pub(super) fn failed(&mut self, now: Instant, reason: &str) -> Option<Turn> {
        let was_up = self.is_up();
        if was_up {
            self.failures = self.failures.saturating_add(1);
        }
        self.state = match self.policy.heartbeat_interval {
            Some(_) => State::Down { good_since: None, on_trial: None },
            None => State::Unproven { from: now + self.policy.recover_wait },
        };
        was_up.then(|| Turn::Down { reason: reason.to_owned() })
    }

    /// A delivery succeeded.
    pub(super) fn succeeded(&mut self, now: Instant) -> Option<Turn> {
        match &mut self.state {
            State::Up => {
                self.failures = 0;
                self.detector.sign_of_life(now);
                None
            }
            // Of several chunks under way one failed and another did not: heartbeats decide, this is as good as one.
            State::Down { good_since, on_trial: None } => {
                good_since.get_or_insert(now);
                None
            }
            State::Down { .. } | State::Unproven { .. } => {
                self.failures = 0;
                Some(self.recover(now))
            }
        }
    }

    fn recover(&mut self, now: Instant) -> Turn {
        self.state = State::Up;
        self.detector = FailureDetector::new(self.policy.heartbeat_interval.unwrap_or_default(), now);
        Turn::Up
    }
}

#[cfg(test)]
mod tests;
