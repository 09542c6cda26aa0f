//! Warnings that a peer can cause as often as it likes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines a second and reason; the rest is folded into one.
const LINES_A_WINDOW: u64 = 5;

const WINDOW: Duration = Duration::from_secs(1);

/// Lets the first few warnings of each second and reason through and counts the others.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    by_reason: Mutex<HashMap<&'static str, Window>>,
}

#[derive(Debug)]
struct Window {
    started: Instant,
    count: u64,
}

impl Warnings {
    /// Whether this warning is to be written.
    pub(super) fn admit(&self, reason: &'static str, now: Instant) -> bool {
        let mut windows = self.by_reason.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.entry(reason).or_insert(Window { started: now, count: 0 });
        window.count += 1;
        window.count <= LINES_A_WINDOW
    }

    /// How many warnings of each reason were held back in windows that are over. To be asked about once a second.
    pub(super) fn folded(&self, now: Instant) -> Vec<(&'static str, u64)> {
        let mut folded = Vec::new();
        self.by_reason.lock().unwrap_or_else(PoisonError::into_inner).retain(|reason, window| {
            let over = now.duration_since(window.started) >= WINDOW;
            if over && window.count > LINES_A_WINDOW {
                folded.push((*reason, window.count - LINES_A_WINDOW));
            }
            !over
        });
        folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_pass_and_the_rest_is_counted() {
        let warnings = Warnings::default();
        let start = Instant::now();
        let passed = (0..125).filter(|_| warnings.admit("malformed", start)).count() as u64;
        assert_eq!(passed, LINES_A_WINDOW);
        assert!(warnings.admit("too_large", start), "reasons do not share a window");
        assert_eq!(warnings.folded(start + WINDOW / 2), []);
        assert_eq!(warnings.folded(start + WINDOW), [("malformed", 120)]);
        assert_eq!(warnings.folded(start + WINDOW), []);
        assert!(warnings.admit("malformed", start + WINDOW));
    }
}
