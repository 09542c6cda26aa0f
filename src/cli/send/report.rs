//! What `send` tells while it runs and when it is done.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::counted::counted;
use crate::client::delivery::Progress;

/// Counts, and a progress line while standard error is a terminal.
#[derive(Debug)]
pub(super) struct Report {
    started: Instant,
    /// How long latencies are those of a start, with all its handshakes.
    settle: Duration,
    bar: ProgressBar,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    delivered: u64,
    sent_again: u64,
    disconnects: u64,
    refused_lines: u64,
    /// Microseconds from sending a chunk to its acknowledgement, a value a chunk.
    latencies: Vec<u32>,
}

impl Report {
    /// `total`: how many events there will be, where that is known.
    pub(super) fn new(total: Option<u64>, settle: Duration) -> Self {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        let template = if total.is_some() {
            "{bar:30} {human_pos}/{human_len} events, {per_sec}, {eta} left"
        } else {
            "{spinner} {human_pos} events, {per_sec}"
        };
        bar.set_style(ProgressStyle::with_template(template).expect("the template is valid"));
        Self { started: Instant::now(), settle, bar, counts: Mutex::default() }
    }

    /// Notes what a connection reports.
    pub(super) fn note(&self, progress: Progress) {
        let mut counts = self.counts();
        match progress {
            Progress::Delivered { events, after } => {
                counts.delivered += events;
                if self.started.elapsed() >= self.settle {
                    counts.latencies.push(u32::try_from(after.as_micros()).unwrap_or(u32::MAX));
                }
                self.bar.inc(events);
            }
            Progress::SentAgain { events } => counts.sent_again += events,
            Progress::Disconnected => counts.disconnects += 1,
        }
    }

    /// Says what a person at a terminal needs to know.
    pub(super) fn hint(&self, text: &str) {
        self.bar.println(text);
    }

    /// Tells of a line that is no event.
    pub(super) fn refuse_line(&self, text: &str) {
        self.counts().refused_lines += 1;
        self.bar.suspend(|| super::super::complain(text));
    }

    /// How many lines were no events.
    pub(super) fn refused_lines(&self) -> u64 {
        self.counts().refused_lines
    }

    /// Prints the result: to standard output as JSON, or to standard error for a person.
    pub(super) fn finish(&self, json: bool, complete: bool) {
        self.bar.finish_and_clear();
        let elapsed = self.started.elapsed();
        let mut counts = self.counts();
        counts.latencies.sort_unstable();
        let [p50, p99] = [50, 99].map(|percent| percentile(&counts.latencies, percent));
        let rate = counts.delivered as f64 / elapsed.as_secs_f64().max(f64::EPSILON);
        let written = if json {
            let result = serde_json::json!({
                "complete": complete,
                "delivered_events": counts.delivered,
                "sent_again_events": counts.sent_again,
                "disconnects": counts.disconnects,
                "refused_lines": counts.refused_lines,
                "seconds": elapsed.as_secs_f64(),
                "events_per_second": rate,
                "ack_p50_seconds": p50.as_secs_f64(),
                "ack_p99_seconds": p99.as_secs_f64(),
            });
            writeln!(io::stdout(), "{result}")
        } else {
            let again = match (counts.sent_again, counts.disconnects) {
                (0, 0) => String::new(),
                (again, lost) => {
                    format!("; {}, {} sent again", counted(lost, "lost connection"), counted(again, "event"))
                }
            };
            writeln!(
                io::stderr(),
                "{} delivered in {:.1} s ({rate:.0} a second), acknowledged after {:.1} ms (median), {:.1} ms \
                 (99 %){again}",
                counted(counts.delivered, "event"),
                elapsed.as_secs_f64(),
                p50.as_secs_f64() * 1e3,
                p99.as_secs_f64() * 1e3,
            )
        };
        // Whoever closed our output does not want to know.
        let _ = written;
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn percentile(sorted: &[u32], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    Duration::from_micros(sorted.get(index).copied().unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_values() {
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&values, 50), Duration::from_micros(50));
        assert_eq!(percentile(&values, 99), Duration::from_micros(99));
        assert_eq!(percentile(&[7], 99), Duration::from_micros(7));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
