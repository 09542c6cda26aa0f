//! The numbers of made-up events, which the connections take as they need them.

use std::ops::Range;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// How early an event may be, so that those of a high rate need not wait for each.
const RATE_STEP: Duration = Duration::from_millis(10);

/// Counts events from 0, in the order in which they are taken.
#[derive(Debug)]
pub(super) struct Numbers {
    next: Mutex<u64>,
    count: u64,
    pace: Option<Pace>,
    stop: CancellationToken,
}

/// When events are due.
#[derive(Debug)]
struct Pace {
    start: Instant,
    /// Events a second.
    rate: f64,
}

impl Numbers {
    /// `rate` is in events a second; without, they are due at once. There are no more once `stop` is cancelled.
    pub(super) fn new(count: u64, rate: Option<u64>, stop: CancellationToken) -> Self {
        let pace = rate.map(|rate| Pace { start: Instant::now(), rate: rate as f64 });
        Self { next: Mutex::new(0), count, pace, stop }
    }

    /// Takes as many as are due, `most` of them at most, and waits where none is. `None` where there are no more.
    pub(super) async fn take(&self, most: u64) -> Option<Range<u64>> {
        // Who waits keeps the others waiting behind it: the next event is everyone's next one.
        let mut next = self.next.lock().await;
        let first = *next;
        if first >= self.count || self.stop.is_cancelled() {
            return None;
        }
        let due = match &self.pace {
            None => most,
            Some(pace) => {
                tokio::select! {
                    () = pace.wait(first) => (),
                    () = self.stop.cancelled() => return None,
                }
                pace.due().saturating_sub(first)
            }
        };
        *next = first + due.clamp(1, most.max(1)).min(self.count - first);
        Some(first..*next)
    }
}

impl Pace {
    /// Until an event is due. A wait lasts to the very time, and what is due soon then goes with it.
    async fn wait(&self, number: u64) {
        let due = self.start + Duration::from_secs_f64(number as f64 / self.rate);
        if due > Instant::now() + RATE_STEP {
            sleep_until(due).await;
        }
    }

    /// How many events of all are due by now, or will be soon.
    fn due(&self) -> u64 {
        ((self.start.elapsed() + RATE_STEP).as_secs_f64() * self.rate) as u64 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_number_is_taken_once() {
        let numbers = Numbers::new(10, None, CancellationToken::new());
        let mut taken = Vec::new();
        while let Some(range) = numbers.take(4).await {
            taken.push(range);
        }
        assert_eq!(taken, [0..4, 4..8, 8..10]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_does_not_wait_for_more() {
        let numbers = Numbers::new(1_000, Some(10), CancellationToken::new());
        let start = Instant::now();
        for number in 0..20 {
            assert_eq!(numbers.take(100).await, Some(number..number + 1));
            // Timers have milliseconds.
            assert!(
                start.elapsed().abs_diff(Duration::from_millis(100 * number)) <= Duration::from_millis(1)
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_high_rate_is_kept_in_messages_of_what_is_due_within_a_step() {
        let numbers = Numbers::new(100_000, Some(100_000), CancellationToken::new());
        let start = Instant::now();
        let mut next = 0;
        while let Some(range) = numbers.take(300).await {
            assert!(range.start == next && range.end - range.start <= 300, "{range:?} behind {next}");
            next = range.end;
        }
        assert_eq!(next, 100_000);
        let early = Duration::from_secs(1).saturating_sub(start.elapsed());
        assert!(early <= 2 * RATE_STEP && start.elapsed() <= Duration::from_secs(1), "{early:?} early");
    }

    #[tokio::test(start_paused = true)]
    async fn a_taker_that_goes_away_while_it_waits_leaves_the_number_to_the_next() {
        let numbers = Numbers::new(10, Some(1), CancellationToken::new());
        assert_eq!(numbers.take(10).await, Some(0..1));
        tokio::time::timeout(Duration::from_millis(100), numbers.take(10)).await.unwrap_err();
        assert_eq!(numbers.take(10).await, Some(1..2));
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_no_more_once_it_is_stopped_even_for_who_waits() {
        let stop = CancellationToken::new();
        let numbers = Numbers::new(10, Some(1), stop.clone());
        assert_eq!(numbers.take(10).await, Some(0..1));
        let (taken, ()) = tokio::join!(numbers.take(10), async { stop.cancel() });
        assert_eq!(taken, None);
        assert_eq!(numbers.take(10).await, None);
    }
}
