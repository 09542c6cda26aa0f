//! Says that senders wrote what is not theirs: counted each time, logged now and then.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::journal::StoredChunk;
use crate::metrics::OutputMetrics;
use crate::pipeline::Disowned;

/// One line a sender in so long.
const WINDOW: Duration = Duration::from_secs(10);

/// Senders that get a line in one window; those past it are counted only.
const MAX_SENDERS: usize = 100;

/// Counts disowned events, and names their senders in the log.
#[derive(Debug, Default)]
pub(super) struct DisownedReport {
    window: Option<Instant>,
    /// Events of each sender since its last line in this window.
    silent: HashMap<String, u64>,
}

impl DisownedReport {
    /// Counts what was taken of a chunk.
    pub(super) fn report(&mut self, chunk: &StoredChunk, disowned: &Disowned, metrics: &OutputMetrics) {
        for (reason, count) in disowned.iter() {
            metrics.disowned(chunk.input(), reason.name(), count);
            if let Some(before) = self.admit(chunk.sender(), count, Instant::now()) {
                tracing::warn!(
                    input = chunk.input(),
                    sender = chunk.sender(),
                    peer = chunk.source_address(),
                    position = %chunk.position,
                    reason = reason.name(),
                    events = count,
                    events_before = before,
                    "a sender wrote what is not its own: its events lie in the output with `invalid = true`. See `allow` \
                     and `owners` of the input"
                );
            }
        }
    }

    /// Whether this sender gets a line now, and how many events of it went without one before.
    fn admit(&mut self, sender: &str, count: u64, now: Instant) -> Option<u64> {
        let is_over = self.window.is_none_or(|started| now.duration_since(started) >= WINDOW);
        if let Some(silent) = self.silent.get_mut(sender) {
            let before = *silent;
            *silent = if is_over { 0 } else { before + count };
            if !is_over {
                return None;
            }
            self.begin(sender, now);
            return Some(before);
        }
        if is_over {
            self.begin(sender, now);
        } else if self.silent.len() >= MAX_SENDERS {
            return None;
        } else {
            self.silent.insert(sender.to_owned(), 0);
        }
        Some(0)
    }

    fn begin(&mut self, sender: &str, now: Instant) {
        self.window = Some(now);
        self.silent.clear();
        self.silent.insert(sender.to_owned(), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_gets_one_line_a_window_and_the_rest_is_told_with_the_next() {
        let mut report = DisownedReport::default();
        let start = Instant::now();
        assert_eq!(report.admit("a", 3, start), Some(0));
        assert_eq!(report.admit("a", 3, start), None);
        assert_eq!(report.admit("a", 4, start + WINDOW / 2), None);
        assert_eq!(report.admit("b", 1, start + WINDOW / 2), Some(0), "senders do not hide each other");
        assert_eq!(report.admit("a", 1, start + WINDOW), Some(7));
        assert_eq!(report.admit("a", 1, start + WINDOW), None);
    }

    #[test]
    fn many_senders_get_so_many_lines() {
        let mut report = DisownedReport::default();
        let start = Instant::now();
        let lines =
            (0..2 * MAX_SENDERS).filter(|sender| report.admit(&sender.to_string(), 1, start).is_some());
        assert_eq!(lines.count(), MAX_SENDERS);
        assert_eq!(report.silent.len(), MAX_SENDERS);
        assert_eq!(report.admit("one more", 1, start + WINDOW), Some(0));
    }
}
