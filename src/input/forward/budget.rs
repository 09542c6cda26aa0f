//! How many bytes all connections of an input together hold between reading and sync.

use std::sync::Arc;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bounds memory by `max_in_flight`, and cannot lock up.
///
/// A message grows while it is read, its size often unknown until its end, so that connections hold a part of the
/// budget while they wait for more. If all of it is held that way, nobody can go on. Therefore `max_message_size` of
/// the budget is set aside as the *last lane*: whoever waits for bytes also waits for the lane, and who gets it reads
/// its message to the end without asking again. It comes free when that message is synced, so that there is always
/// one connection that moves. Both queues are first come, first served.
///
/// The bound is on bytes asked for; buffers that double while they grow can take up to twice as much for a moment.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    shared: Arc<Semaphore>,
    last_lane: Arc<Semaphore>,
    gauge: IntGauge,
}

impl Budget {
    pub(super) fn new(max_in_flight: usize, max_message_size: usize, gauge: IntGauge) -> Self {
        let shared = max_in_flight.saturating_sub(max_message_size).min(Semaphore::MAX_PERMITS);
        Self { shared: Arc::new(Semaphore::new(shared)), last_lane: Arc::new(Semaphore::new(1)), gauge }
    }

    /// A second budget for the same messages, of something else that they take. They share the last lane: were there
    /// two, their holders could wait for each other.
    pub(super) fn beside(&self, max: usize, max_of_message: usize, gauge: IntGauge) -> Self {
        Self { last_lane: Arc::clone(&self.last_lane), ..Self::new(max, max_of_message, gauge) }
    }

    /// Nothing yet.
    pub(super) fn reserve(&self) -> Reservation {
        Reservation { budget: self.clone(), size: 0, shared: None, last_lane: None }
    }
}

/// The bytes that one message may take; given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Budget,
    size: usize,
    shared: Option<OwnedSemaphorePermit>,
    last_lane: Option<Arc<OwnedSemaphorePermit>>,
}

impl Reservation {
    /// As [`Reservation::grow_to`], for a message that also has a reservation of the other budget. Whichever got the
    /// lane, both have it.
    pub(super) async fn grow_beside(&mut self, size: usize, other: &mut Self) {
        if self.last_lane.is_none() {
            self.last_lane.clone_from(&other.last_lane);
        }
        self.grow_to(size).await;
        other.last_lane.clone_from(&self.last_lane);
    }

    /// Waits until the message may take `size` bytes in all. Safe to cancel: what it has it keeps.
    pub(super) async fn grow_to(&mut self, size: usize) {
        let Some(more) = size.checked_sub(self.size).filter(|more| *more > 0) else { return };
        if self.last_lane.is_none() {
            let permits = u32::try_from(more).unwrap_or(u32::MAX);
            let acquired = tokio::select! {
                biased;
                permit = self.budget.shared.clone().acquire_many_owned(permits) => permit.map(Acquired::Shared),
                permit = self.budget.last_lane.clone().acquire_owned() => permit.map(Acquired::LastLane),
            };
            match acquired.expect("the semaphores are never closed") {
                Acquired::Shared(permit) => match &mut self.shared {
                    Some(shared) => shared.merge(permit),
                    shared => *shared = Some(permit),
                },
                Acquired::LastLane(permit) => self.last_lane = Some(Arc::new(permit)),
            }
        }
        self.size = size;
        self.budget.gauge.add(more as i64);
    }

    /// In bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Gives back what a message of `size` bytes does not need.
    pub(super) fn shrink_to(&mut self, size: usize) {
        let Some(less) = self.size.checked_sub(size).filter(|less| *less > 0) else { return };
        if let Some(shared) = &mut self.shared {
            drop(shared.split(shared.num_permits().saturating_sub(size)));
        }
        if self.shared.as_ref().is_some_and(|shared| shared.num_permits() >= size) {
            self.last_lane = None;
        }
        self.size = size;
        self.budget.gauge.sub(less as i64);
    }
}

enum Acquired {
    Shared(OwnedSemaphorePermit),
    LastLane(OwnedSemaphorePermit),
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.gauge.sub(self.size as i64);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn budget(max_in_flight: usize, max_message_size: usize) -> Budget {
        Budget::new(max_in_flight, max_message_size, IntGauge::new("in_flight", "bytes").unwrap())
    }

    /// Whether it gets the bytes without waiting.
    fn grows(reservation: &mut Reservation, size: usize) -> bool {
        matches!(
            pin!(reservation.grow_to(size)).poll(&mut Context::from_waker(Waker::noop())),
            Poll::Ready(())
        )
    }

    #[test]
    fn at_the_limit_the_next_one_waits() {
        let budget = budget(150, 50);
        let mut first = budget.reserve();
        assert!(grows(&mut first, 100));
        let (mut lane, mut late) = (budget.reserve(), budget.reserve());
        assert!(grows(&mut lane, 1), "the last lane is free");
        assert!(!grows(&mut late, 1));
        assert_eq!(budget.gauge.get(), 101);
        first.shrink_to(99);
        assert!(grows(&mut late, 1));
        drop((first, lane, late));
        assert_eq!(budget.gauge.get(), 0);
        assert_eq!(budget.shared.available_permits(), 100);
    }

    #[test]
    fn when_everybody_holds_a_part_and_wants_more_one_goes_on_to_the_end() {
        let budget = budget(150, 50);
        let mut all: Vec<_> = (0..10).map(|_| budget.reserve()).collect();
        assert!(all.iter_mut().all(|reservation| grows(reservation, 10)));
        for _ in 0..10 {
            let mut first = all.remove(0);
            assert!(grows(&mut first, 20));
            assert!(grows(&mut first, 50));
        }
        assert_eq!(budget.shared.available_permits(), 100);
    }

    #[test]
    fn the_last_lane_is_given_back_by_who_turns_out_not_to_need_it() {
        let budget = budget(150, 50);
        let (mut first, mut second, mut third) = (budget.reserve(), budget.reserve(), budget.reserve());
        assert!(grows(&mut first, 90) && grows(&mut second, 10) && grows(&mut second, 40));
        assert!(!grows(&mut third, 1));
        second.shrink_to(11);
        assert!(!grows(&mut third, 1));
        second.shrink_to(10);
        assert!(grows(&mut third, 1));
    }

    #[test]
    fn a_message_that_has_the_lane_waits_for_neither_of_two_budgets() {
        let memory = budget(150, 50);
        let space = memory.beside(1500, 500, IntGauge::new("space", "bytes").unwrap());
        let grows = |reservation: &mut Reservation, size, other: &mut Reservation| {
            let grown =
                pin!(reservation.grow_beside(size, other)).poll(&mut Context::from_waker(Waker::noop()));
            grown.is_ready()
        };
        let (mut first, mut first_space) = (memory.reserve(), space.reserve());
        let (mut second, mut second_space) = (memory.reserve(), space.reserve());
        // Each has all that there is of one budget, and wants of the other.
        assert!(grows(&mut first, 100, &mut first_space));
        assert!(grows(&mut second_space, 1000, &mut second));
        assert!(grows(&mut first_space, 1, &mut first), "on the lane");
        assert!(!grows(&mut second, 1, &mut second_space), "there is only one");
        assert!(grows(&mut first_space, 500, &mut first) && grows(&mut first, 50, &mut first_space));
        drop(first_space);
        assert!(!grows(&mut second, 1, &mut second_space), "the other half has it still");
        drop(first);
        assert!(grows(&mut second, 1, &mut second_space));
    }

    #[test]
    fn a_budget_of_one_message_takes_one_at_a_time() {
        let budget = budget(50, 50);
        let (mut first, mut second) = (budget.reserve(), budget.reserve());
        assert!(grows(&mut first, 50));
        assert!(!grows(&mut second, 1));
        drop(first);
        assert!(grows(&mut second, 1));
    }
}
