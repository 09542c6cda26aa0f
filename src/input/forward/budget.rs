//! How many bytes the connections of an input, and those of one sender, hold between reading and sync.

use std::sync::Arc;

use prometheus::IntGauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A whole message depends on the disk alone, one that is still being read depends on its peer: this part of each
/// limit is for whole messages only, so that peers that stop half way hold up none that was small enough to come at
/// once.
const FOR_WHOLE_MESSAGES: usize = 4;

/// Bounds memory by `max_in_flight`, and cannot lock up.
///
/// A message grows while it is read, its size often unknown until its end, so that connections hold a part of the
/// budget while they wait for more. If all of it is held that way, nobody can go on. Therefore `max_message_size` of
/// the budget is set aside as the *last lane*: whoever waits for bytes also waits for the lane, and who gets it reads
/// its message to the end without asking again. It comes free when that message is synced, so that there is always
/// one connection that moves. All queues are first come, first served.
///
/// A sender has such a budget of its own, which its messages pass first: it may hold up itself, and leaves the rest to
/// others. Who is in the last lane of all asks neither.
///
/// The bound is on bytes asked for; buffers that double while they grow can take up to twice as much for a moment.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    all: Pool,
    of_sender: Option<Pool>,
    gauge: IntGauge,
}

impl Budget {
    pub(super) fn new(max_in_flight: usize, max_message_size: usize, gauge: IntGauge) -> Self {
        Self { all: Pool::new(max_in_flight, max_message_size), of_sender: None, gauge }
    }

    /// The same budget, for a sender with a limit of its own.
    pub(super) fn of_sender(&self, pool: &Pool) -> Self {
        Self { of_sender: Some(pool.clone()), ..self.clone() }
    }

    /// A second budget for the same messages, of something else that they take. They share the last lane: were there
    /// two, their holders could wait for each other.
    pub(super) fn beside(&self, max: usize, max_of_message: usize, gauge: IntGauge) -> Self {
        let all = Pool { last_lane: Arc::clone(&self.all.last_lane), ..Pool::new(max, max_of_message) };
        Self { all, of_sender: None, gauge }
    }

    /// Nothing yet.
    pub(super) fn reserve(&self) -> Reservation {
        Reservation { budget: self.clone(), all: Held::default(), of_sender: Held::default() }
    }
}

/// Bytes up to a limit.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    shared: Arc<Semaphore>,
    for_whole: Arc<Semaphore>,
    last_lane: Arc<Semaphore>,
}

impl Pool {
    /// Of `limit` bytes, or of one message if that is more.
    pub(super) fn new(limit: usize, max_message_size: usize) -> Self {
        let spare = limit.saturating_sub(max_message_size).min(Semaphore::MAX_PERMITS);
        let for_whole = spare / FOR_WHOLE_MESSAGES;
        Self {
            shared: Arc::new(Semaphore::new(spare - for_whole)),
            for_whole: Arc::new(Semaphore::new(for_whole)),
            last_lane: Arc::new(Semaphore::new(1)),
        }
    }
}

/// The bytes that one message may take; given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Budget,
    all: Held,
    of_sender: Held,
}

impl Reservation {
    /// As [`Reservation::grow_to`], for a message that also has a reservation of the other budget. Whichever got the
    /// lane, both have it.
    pub(super) async fn grow_beside(&mut self, size: usize, other: &mut Self) {
        if self.all.last_lane.is_none() {
            self.all.last_lane.clone_from(&other.all.last_lane);
        }
        self.grow_to(size).await;
        other.all.last_lane.clone_from(&self.all.last_lane);
    }

    /// Waits until the message may take `size` bytes in all. Safe to cancel: what it has it keeps.
    pub(super) async fn grow_to(&mut self, size: usize) {
        self.grow(size, false).await;
    }

    /// As [`grow_to`](Self::grow_to), for a message that is whole: nothing of it is to come from its peer.
    pub(super) async fn grow_to_whole(&mut self, size: usize) {
        self.grow(size, true).await;
    }

    async fn grow(&mut self, size: usize, is_whole: bool) {
        if let Some(pool) = &self.budget.of_sender
            && self.all.last_lane.is_none()
        {
            self.of_sender.grow_to(size, is_whole, pool).await;
        }
        let before = self.all.size;
        self.all.grow_to(size, is_whole, &self.budget.all).await;
        self.budget.gauge.add(self.all.size as i64 - before as i64);
    }

    /// In bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.all.size
    }

    /// Gives back what a message of `size` bytes does not need.
    pub(super) fn shrink_to(&mut self, size: usize) {
        let before = self.all.size;
        self.all.shrink_to(size);
        self.of_sender.shrink_to(size);
        self.budget.gauge.sub(before as i64 - self.all.size as i64);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.gauge.sub(self.all.size as i64);
    }
}

/// What a message has of a pool.
#[derive(Debug, Default)]
struct Held {
    size: usize,
    shared: Option<OwnedSemaphorePermit>,
    for_whole: Option<OwnedSemaphorePermit>,
    /// Shared with the reservation beside it.
    last_lane: Option<Arc<OwnedSemaphorePermit>>,
}

enum Acquired {
    Shared(OwnedSemaphorePermit),
    ForWhole(OwnedSemaphorePermit),
    LastLane(OwnedSemaphorePermit),
}

impl Held {
    async fn grow_to(&mut self, size: usize, is_whole: bool, pool: &Pool) {
        let Some(more) = size.checked_sub(self.size).filter(|more| *more > 0) else { return };
        if self.last_lane.is_none() {
            let permits = u32::try_from(more).unwrap_or(u32::MAX);
            let acquired = tokio::select! {
                biased;
                permit = pool.shared.clone().acquire_many_owned(permits) => permit.map(Acquired::Shared),
                permit = pool.for_whole.clone().acquire_many_owned(permits), if is_whole => permit.map(Acquired::ForWhole),
                permit = pool.last_lane.clone().acquire_owned() => permit.map(Acquired::LastLane),
            };
            match acquired.expect("the semaphores are never closed") {
                Acquired::Shared(permit) => merge(&mut self.shared, permit),
                Acquired::ForWhole(permit) => merge(&mut self.for_whole, permit),
                Acquired::LastLane(permit) => self.last_lane = Some(Arc::new(permit)),
            }
        }
        self.size = size;
    }

    fn shrink_to(&mut self, size: usize) {
        if size >= self.size {
            return;
        }
        if let Some(shared) = &mut self.shared {
            drop(shared.split(shared.num_permits().saturating_sub(size)));
        }
        if self.shared.as_ref().is_some_and(|shared| shared.num_permits() >= size) {
            self.last_lane = None;
        }
        self.size = size;
    }
}

fn merge(held: &mut Option<OwnedSemaphorePermit>, more: OwnedSemaphorePermit) {
    match held {
        Some(held) => held.merge(more),
        held => *held = Some(more),
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

    fn grows_whole(reservation: &mut Reservation, size: usize) -> bool {
        matches!(
            pin!(reservation.grow_to_whole(size)).poll(&mut Context::from_waker(Waker::noop())),
            Poll::Ready(())
        )
    }

    #[test]
    fn at_the_limit_the_next_one_waits() {
        let budget = budget(183, 50);
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
        assert_eq!(budget.all.shared.available_permits(), 100);
    }

    #[test]
    fn when_everybody_holds_a_part_and_wants_more_one_goes_on_to_the_end() {
        let budget = budget(183, 50);
        let mut all: Vec<_> = (0..10).map(|_| budget.reserve()).collect();
        assert!(all.iter_mut().all(|reservation| grows(reservation, 10)));
        for _ in 0..10 {
            let mut first = all.remove(0);
            assert!(grows(&mut first, 20));
            assert!(grows(&mut first, 50));
        }
        assert_eq!(budget.all.shared.available_permits(), 100);
    }

    #[test]
    fn the_last_lane_is_given_back_by_who_turns_out_not_to_need_it() {
        let budget = budget(183, 50);
        let (mut first, mut second, mut third) = (budget.reserve(), budget.reserve(), budget.reserve());
        assert!(grows(&mut first, 90) && grows(&mut second, 10) && grows(&mut second, 40));
        assert!(!grows(&mut third, 1));
        second.shrink_to(11);
        assert!(!grows(&mut third, 1));
        second.shrink_to(10);
        assert!(grows(&mut third, 1));
    }

    #[test]
    fn whole_messages_pass_those_that_wait_for_their_peers() {
        let budget = budget(183, 50);
        let (mut stalled, mut lane, mut waiting) = (budget.reserve(), budget.reserve(), budget.reserve());
        assert!(grows(&mut stalled, 100) && grows(&mut lane, 1) && !grows(&mut waiting, 1));
        let (mut whole, mut last, mut too_many) = (budget.reserve(), budget.reserve(), budget.reserve());
        assert!(grows_whole(&mut whole, 30) && grows_whole(&mut last, 3));
        assert!(!grows_whole(&mut too_many, 1));
        drop(whole);
        assert!(grows_whole(&mut too_many, 30));
        drop((stalled, lane, waiting, last, too_many));
        assert_eq!(budget.gauge.get(), 0);
        assert_eq!(budget.all.for_whole.available_permits(), 33);
    }

    #[test]
    fn a_sender_at_its_own_limit_holds_up_itself_alone() {
        let budget = budget(1000, 50);
        let [one, other] = [(); 2].map(|()| budget.of_sender(&Pool::new(183, 50)));
        let (mut first, mut lane, mut late) = (one.reserve(), one.reserve(), one.reserve());
        assert!(grows(&mut first, 100) && grows(&mut lane, 50));
        assert!(!grows(&mut late, 1));
        assert!(grows(&mut other.reserve(), 100));
        first.shrink_to(99);
        assert!(grows(&mut late, 1));
    }

    #[test]
    fn who_is_in_the_last_lane_of_all_waits_for_nobody_of_its_sender() {
        let budget = budget(50, 50);
        let of_sender = budget.of_sender(&Pool::new(183, 50));
        let (mut lane, mut waiting) = (of_sender.reserve(), of_sender.reserve());
        assert!(grows(&mut lane, 10));
        // It has nearly all of its sender's bytes and waits for the last lane of all.
        assert!(!grows(&mut waiting, 90));
        let mut of_lane = of_sender.reserve();
        assert!(!grows(&mut of_lane, 50));
        assert!(grows(&mut lane, 50), "else nobody could ever go on");
        drop(lane);
        assert!(grows(&mut waiting, 90));
    }

    #[test]
    fn a_message_that_has_the_lane_waits_for_neither_of_two_budgets() {
        let memory = budget(183, 50);
        let space = memory.beside(1833, 500, IntGauge::new("space", "bytes").unwrap());
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
