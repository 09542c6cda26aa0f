//! How fast a large message comes.

use std::time::Duration;

/// Time over which the rate of a sender is averaged.
pub(super) const RATE_WINDOW: Duration = Duration::from_secs(30);

/// Adds up what came while it was waited for. Time in which the server itself was busy is the sender's to keep.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes a second.
    min_rate: u64,
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(min_rate: u64, window: Duration) -> Self {
        Self { min_rate, window, waited: Duration::ZERO, bytes: 0 }
    }

    /// How long to wait at most until [`Pace::is_kept`] has to be asked.
    pub(super) fn patience(&self) -> Duration {
        self.window.saturating_sub(self.waited)
    }

    /// Whether the sender is fast enough, as so many bytes came in this time. Silence never is.
    pub(super) fn is_kept(&mut self, bytes: usize, waited: Duration) -> bool {
        self.bytes += bytes as u64;
        self.waited += waited;
        if self.waited < self.window {
            return true;
        }
        let least = (self.min_rate as f64 * self.waited.as_secs_f64()).max(1.0);
        let is_kept = self.bytes as f64 >= least;
        (self.bytes, self.waited) = (0, Duration::ZERO);
        is_kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_rate_is_averaged_over_the_window_and_holds_at_its_edge() {
        for (bytes, is_kept) in [(1000, true), (999, false)] {
            let mut pace = Pace::new(100, 10 * SECOND);
            assert!(pace.is_kept(0, 9 * SECOND), "a pause within the window");
            assert_eq!(pace.patience(), SECOND);
            assert_eq!(pace.is_kept(bytes, SECOND), is_kept);
            assert_eq!(pace.patience(), 10 * SECOND, "the next window");
        }
    }

    #[test]
    fn without_a_rate_only_silence_is_too_slow() {
        let mut pace = Pace::new(0, SECOND);
        assert!(pace.is_kept(1, SECOND));
        assert!(!pace.is_kept(0, SECOND));
    }
}
