//! Is a silent server dead, or only late?
//!
//! The phi accrual failure detector (Hayashibara and others, 2004) in the form that Fluentd gives it: silence is judged
//! by how unlikely it is after the heartbeats that came before, not by one fixed time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Heartbeats that are remembered, as in Fluentd.
const SAMPLES: usize = 1_000;

/// What the gaps between the heartbeats of one server tell.
#[derive(Debug)]
pub(super) struct FailureDetector {
    interval: Duration,
    /// Between heartbeats, oldest first.
    gaps: VecDeque<Duration>,
    last_heartbeat: Instant,
    /// The last heartbeat, or something else that a dead server can't do.
    last_sign_of_life: Instant,
}

impl FailureDetector {
    /// Heartbeats are expected every `interval`; the first one after `now`.
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, gaps: VecDeque::from([interval]), last_heartbeat: now, last_sign_of_life: now }
    }

    pub(super) fn heartbeat(&mut self, now: Instant) {
        if self.gaps.len() == SAMPLES {
            self.gaps.pop_front();
        }
        self.gaps.push_back(now.saturating_duration_since(self.last_heartbeat));
        self.last_heartbeat = now;
        self.last_sign_of_life = now;
    }

    /// An acknowledgement came. That is no heartbeat: counted among the gaps it would make the detector expect a
    /// thousand heartbeats a second.
    pub(super) fn sign_of_life(&mut self, now: Instant) {
        self.last_sign_of_life = now;
    }

    /// Nobody listened for this long: it is no silence of the server.
    pub(super) fn forgive(&mut self, deafness: Duration) {
        self.last_heartbeat += deafness;
        self.last_sign_of_life += deafness;
    }

    /// For how long nothing was heard.
    pub(super) fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last_sign_of_life)
    }

    /// How suspicious the silence is: with 1 it is one in ten that the server lives, with 2 one in a hundred, …
    ///
    /// As Fluentd does, later gaps weigh more, and intervals are moved to 1 s so that a threshold means the same for
    /// every interval. Unlike there, heartbeats that come early (after late ones) don't make it more nervous.
    pub(super) fn phi(&self, now: Instant) -> f64 {
        let (sum, weights) = (1_u32..).zip(&self.gaps).fold((0.0, 0.0), |(sum, weights), (weight, gap)| {
            let weight = f64::from(weight);
            (sum + gap.as_secs_f64() * weight, weights + weight)
        });
        let moved = 1.0 - self.interval.as_secs_f64();
        let mean = (sum / weights + moved).max(1.0);
        (self.silence(now).as_secs_f64() + moved) / mean / std::f64::consts::LN_10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// After `count` heartbeats, each `gap` after the one before.
    fn after(count: u32, gap: Duration, interval: Duration) -> (FailureDetector, Instant) {
        let mut now = Instant::now();
        let mut detector = FailureDetector::new(interval, now);
        for _ in 0..count {
            now += gap;
            detector.heartbeat(now);
        }
        (detector, now)
    }

    /// Seconds of silence until phi passes 16.
    fn patience(detector: &FailureDetector, now: Instant) -> u64 {
        (0..).find(|seconds| detector.phi(now + SECOND * *seconds as u32) > 16.0).unwrap()
    }

    #[test]
    fn punctual_heartbeats_leave_37_seconds_as_in_fluentd() {
        for count in [0, 1, 100, 2_000] {
            let (detector, now) = after(count, SECOND, SECOND);
            assert_eq!(patience(&detector, now), 37, "after {count}");
        }
    }

    #[test]
    fn a_server_that_is_always_late_gets_more_time() {
        let (detector, now) = after(100, SECOND * 2, SECOND);
        assert!((70..=74).contains(&patience(&detector, now)), "{}", patience(&detector, now));
    }

    #[test]
    fn early_heartbeats_do_not_make_it_nervous() {
        let (detector, now) = after(100, Duration::from_millis(1), SECOND);
        assert_eq!(patience(&detector, now), 37);
        let (detector, now) = after(100, SECOND * 58, SECOND * 60);
        assert_eq!(patience(&detector, now), 36 + 60);
    }

    #[test]
    fn old_gaps_are_forgotten() {
        let (mut detector, mut now) = after(10, SECOND * 10, SECOND);
        for _ in 0..SAMPLES {
            now += SECOND;
            detector.heartbeat(now);
        }
        assert_eq!(patience(&detector, now), 37);
        assert_eq!(detector.gaps.len(), SAMPLES);
    }

    #[test]
    fn an_acknowledgement_ends_the_silence_and_is_no_heartbeat() {
        let (mut detector, now) = after(10, SECOND, SECOND);
        let now = now + SECOND * 30;
        for _ in 0..1_000 {
            detector.sign_of_life(now);
        }
        assert_eq!(detector.silence(now), Duration::ZERO);
        assert_eq!(patience(&detector, now), 37);
    }

    #[test]
    fn time_in_which_nobody_listened_is_no_silence() {
        let (mut detector, now) = after(10, SECOND, SECOND);
        detector.forgive(SECOND * 600);
        assert_eq!(detector.silence(now + SECOND * 601), SECOND);
        assert!(detector.phi(now + SECOND * 601) < 1.0);
    }
}
