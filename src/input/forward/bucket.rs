//! A token bucket that asks no clock.

use std::time::{Duration, Instant};

/// Nanoseconds of a second, and so the parts of a token: a rate times nanoseconds is a whole number of them, which
/// makes every sum exact.
const PARTS: u128 = 1_000_000_000;

/// Holds one second's worth of tokens and fills again at its rate.
///
/// What is taken is known only after a message was read, so it is paid afterwards: [`charge`](Self::charge) always
/// succeeds and may leave a debt, and [`wait`](Self::wait) says how long the next message must wait. Over any time `t`
/// no more than `rate × (t + 1 s)` tokens and the last message before a wait go through.
#[derive(Debug)]
pub(super) struct Bucket {
    /// Tokens a second.
    rate: u64,
    /// Parts of tokens that were taken and are not filled up again; more than the bucket holds is debt.
    taken: u128,
    /// When `taken` was last brought up to date.
    at: Instant,
}

impl Bucket {
    /// A full one, for at least one token a second.
    pub(super) fn new(rate: u64, now: Instant) -> Self {
        Self { rate: rate.max(1), taken: 0, at: now }
    }

    /// Takes tokens, if need be on credit.
    pub(super) fn charge(&mut self, tokens: u64, now: Instant) {
        self.fill(now);
        self.taken += u128::from(tokens) * PARTS;
    }

    /// How long until there is a token; zero where there is one.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        self.fill(now);
        self.time_until(self.capacity() - PARTS)
    }

    /// How long until it is full, and knows no more than a new one.
    pub(super) fn until_full(&mut self, now: Instant) -> Duration {
        self.fill(now);
        self.time_until(0)
    }

    fn capacity(&self) -> u128 {
        u128::from(self.rate) * PARTS
    }

    fn time_until(&self, taken: u128) -> Duration {
        let nanoseconds = self.taken.saturating_sub(taken).div_ceil(u128::from(self.rate));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    fn fill(&mut self, now: Instant) {
        // Connections of one sender read the clock before they take the lock, so that one may come late.
        let passed = now.saturating_duration_since(self.at).as_nanos();
        self.taken = self.taken.saturating_sub(passed.saturating_mul(u128::from(self.rate)));
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_second_s_worth_goes_at_once_and_the_next_token_at_its_time() {
        let start = Instant::now();
        let mut bucket = Bucket::new(4, start);
        for _ in 0..4 {
            assert_eq!(bucket.wait(start), Duration::ZERO);
            bucket.charge(1, start);
        }
        assert_eq!(bucket.wait(start), SECOND / 4);
        assert_eq!(bucket.wait(start + SECOND / 4 - Duration::from_nanos(1)), Duration::from_nanos(1));
        assert_eq!(bucket.wait(start + SECOND / 4), Duration::ZERO);
    }

    #[test]
    fn more_than_the_burst_is_paid_off_before_the_next() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10, start);
        bucket.charge(100, start);
        assert_eq!(bucket.wait(start), 9 * SECOND + SECOND / 10);
        assert_eq!(bucket.until_full(start), 10 * SECOND);
        assert_eq!(bucket.until_full(start + 20 * SECOND), Duration::ZERO);
        bucket.charge(10, start + 20 * SECOND);
        assert_eq!(bucket.wait(start + 20 * SECOND), SECOND / 10, "idle time is no credit");
    }

    #[test]
    fn a_clock_that_was_read_too_early_gives_nothing_twice() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1, start);
        bucket.charge(10, start + SECOND);
        bucket.charge(0, start);
        assert_eq!(bucket.until_full(start + SECOND), 10 * SECOND);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let start = Instant::now();
        let mut bucket = Bucket::new(u64::MAX, start);
        bucket.charge(u64::MAX, start);
        bucket.charge(u64::MAX, start);
        assert_eq!(bucket.until_full(start), 2 * SECOND);
        assert_eq!(bucket.wait(start + Duration::from_secs(u64::from(u32::MAX))), Duration::ZERO);
    }

    proptest! {
        /// Senders that push as hard as they can, with messages of any size and pauses of any length.
        #[test]
        fn the_long_run_rate_is_the_limit_and_a_sender_that_pushes_gets_all_of_it(
            rate in 1..1_000_000_u64,
            messages in prop::collection::vec((1..3_000_000_u64, 0..5_000_u64), 1..200),
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut bucket = Bucket::new(rate, start);
            let (mut tokens, mut paused) = (0_u64, Duration::ZERO);
            for (size, pause) in messages {
                let pause = Duration::from_micros(pause);
                now += pause;
                paused += pause;
                // Whoever was let in before left at most what fits into the time and one second more.
                now += bucket.wait(now);
                let passed = (now - start).as_secs_f64();
                prop_assert!(tokens as f64 <= rate as f64 * (passed + 1.0) + 1.0);
                bucket.charge(size, now);
                tokens += size;
            }
            // All of it: waiting takes no longer than the tokens need. A wait ends on a whole nanosecond.
            let last = now + bucket.wait(now);
            let needed = tokens as f64 / rate as f64;
            prop_assert!((last - start).as_secs_f64() <= needed + paused.as_secs_f64() + 1e-6);
        }
    }
}
