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
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn policy(heartbeat_interval: Option<Duration>) -> Policy {
        Policy {
            heartbeat_interval,
            phi_threshold: 16.0,
            hard_timeout: 60 * SECOND,
            recover_wait: 10 * SECOND,
        }
    }

    fn with_heartbeats() -> (Health, Instant) {
        let now = Instant::now();
        (Health::new(policy(Some(SECOND)), now), now)
    }

    fn without_heartbeats() -> (Health, Instant) {
        let now = Instant::now();
        (Health::new(policy(None), now), now)
    }

    /// Good heartbeats, one a second, until it is up; how many seconds that took.
    fn seconds_to_recover(health: &mut Health, now: &mut Instant) -> u64 {
        let start = *now;
        while health.heartbeat(*now).is_none() {
            assert!(!health.is_usable(*now));
            *now += SECOND;
        }
        assert!(health.is_up());
        now.duration_since(start).as_secs()
    }

    #[test]
    fn a_failed_delivery_takes_it_down_once() {
        let (mut health, now) = with_heartbeats();
        assert_eq!(health.failed(now, "reset"), Some(Turn::Down { reason: "reset".to_owned() }));
        assert_eq!(health.failed(now, "reset"), None);
        assert!(!health.is_up() && !health.is_usable(now));
    }

    #[test]
    fn heartbeats_must_be_good_for_recover_wait_without_a_break() {
        let (mut health, mut now) = with_heartbeats();
        health.failed(now, "reset");
        for _ in 0..10 {
            assert_eq!(health.heartbeat(now), None);
            now += SECOND;
        }
        health.heartbeat_failed("refused".to_owned());
        assert_eq!(seconds_to_recover(&mut health, &mut now), 10);
    }

    #[test]
    fn silence_takes_it_down_and_says_why() {
        let (mut health, now) = with_heartbeats();
        health.heartbeat_failed("connection refused".to_owned());
        assert_eq!(health.judge(now + 36 * SECOND), None);
        let reason = "no heartbeat for 37 s (connection refused)".to_owned();
        assert_eq!(health.judge(now + 37 * SECOND), Some(Turn::Down { reason }));
        assert_eq!(health.judge(now + 38 * SECOND), None, "once");
    }

    #[test]
    fn the_hard_timeout_ends_every_patience() {
        let (mut health, mut now) = with_heartbeats();
        for _ in 0..100 {
            now += 5 * SECOND;
            health.heartbeat(now);
        }
        assert_eq!(health.judge(now + 60 * SECOND), None);
        assert!(matches!(health.judge(now + 61 * SECOND), Some(Turn::Down { .. })));
    }

    #[test]
    fn a_server_that_fails_every_delivery_waits_longer_each_time() {
        let (mut health, mut now) = with_heartbeats();
        let mut waits = Vec::new();
        for _ in 0..5 {
            health.failed(now, "handshake refused");
            waits.push(seconds_to_recover(&mut health, &mut now));
        }
        assert_eq!(waits, [10, 20, 40, 60, 60]);
        assert_eq!(health.succeeded(now), None);
        health.failed(now, "reset");
        assert_eq!(seconds_to_recover(&mut health, &mut now), 10);
    }

    #[test]
    fn a_success_of_a_chunk_in_doubt_begins_the_recovery() {
        let (mut health, mut now) = with_heartbeats();
        health.failed(now, "reset");
        assert_eq!(health.succeeded(now), None);
        now += 4 * SECOND;
        assert_eq!(seconds_to_recover(&mut health, &mut now), 6);
    }

    #[test]
    fn as_the_last_resort_one_chunk_tries_it_once_its_heartbeats_are_good() {
        let (mut health, now) = with_heartbeats();
        health.failed(now, "reset");
        assert!(!health.is_last_resort(now));
        health.heartbeat(now);
        assert!(health.is_last_resort(now));
        health.picked(now);
        assert!(!health.is_last_resort(now), "one chunk at a time");
        assert!(health.is_last_resort(now + 10 * SECOND), "that chunk may never be heard of again");
        assert_eq!(health.failed(now, "reset"), None, "it was down all the time");
        assert!(!health.is_last_resort(now), "only heartbeats after the failure count");
        health.heartbeat(now);
        health.picked(now);
        assert_eq!(health.succeeded(now), Some(Turn::Up));
        assert!(!health.is_last_resort(now) && health.is_usable(now));
    }

    #[test]
    fn without_heartbeats_silence_means_nothing() {
        let (mut health, now) = without_heartbeats();
        assert_eq!(health.judge(now + 3_600 * SECOND), None);
    }

    #[test]
    fn without_heartbeats_one_chunk_tries_it_after_recover_wait() {
        let (mut health, now) = without_heartbeats();
        assert!(health.failed(now, "refused").is_some());
        assert!(!health.is_usable(now + 9 * SECOND));
        assert_eq!(health.next_change(), Some(now + 10 * SECOND));
        let now = now + 10 * SECOND;
        assert!(health.is_usable(now) && !health.is_up());
        health.picked(now);
        assert!(!health.is_usable(now), "one chunk at a time");
        assert!(health.is_usable(now + 10 * SECOND), "that chunk may never be heard of again");
        assert_eq!(health.failed(now, "refused"), None, "it was down all the time");
        assert_eq!(health.succeeded(now), Some(Turn::Up));
        assert!(health.is_up() && health.is_usable(now));
    }
}
