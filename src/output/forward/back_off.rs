//! Waits that grow from failure to failure.

use std::time::Duration;

use aws_lc_rs::rand;

/// How far a wait may lie from its middle, as in Fluentd: ±12.5 %, so that many clients do not come back at once.
const SPREAD: f64 = 0.125;

/// Doubles from `min` to `max`.
#[derive(Debug, Clone)]
pub(super) struct BackOff {
    next: Duration,
    max: Duration,
}

impl BackOff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self { next: min, max }
    }

    /// How long to wait this time.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.max);
        wait.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * fraction())
    }
}

/// From 0 to 1. In the middle where the system gives no random numbers: the wait is what matters.
fn fraction() -> f64 {
    let mut bytes = [0; 2];
    match rand::fill(&mut bytes) {
        Ok(()) => f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut back_off = BackOff::new(Duration::from_secs(1), Duration::from_secs(5));
        for middle in [1.0, 2.0, 4.0, 5.0, 5.0] {
            let wait = back_off.wait().as_secs_f64();
            assert!((middle * 0.875..=middle * 1.125).contains(&wait), "{wait} should be near {middle}");
        }
    }
}
