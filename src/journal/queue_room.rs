//! Room for chunks that wait for the writer.
//!
//! What waits for the writer waits in memory, and two commits of it keep the writer busy. So whoever can leave what comes next
//! where it is, in a socket, waits for room before reading it. Nobody is refused: what was read already waits beyond the limit.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus::IntGauge;
use tokio::sync::Notify;

/// Bytes of chunks that wait for the writer at which no further message is begun.
pub(crate) const MAX_QUEUED: usize = 8 * 1024 * 1024;

/// How many bytes of chunks wait. Cheap to clone.
#[derive(Debug, Clone)]
pub struct QueueRoom(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    bytes: AtomicUsize,
    /// Wakes one of those who wait for room.
    freed: Notify,
    gauge: IntGauge,
}

/// Bytes of a chunk that waits. There is room for others again when it is dropped.
#[derive(Debug)]
pub(crate) struct Queued {
    room: QueueRoom,
    bytes: usize,
}

impl Default for QueueRoom {
    /// Of which nobody looks at how much is taken.
    fn default() -> Self {
        Self::new(IntGauge::new("queued", "bytes").expect("the name is valid"))
    }
}

impl QueueRoom {
    /// Of which the gauge tells how much is taken.
    pub fn new(gauge: IntGauge) -> Self {
        Self(Arc::new(Queue { bytes: AtomicUsize::new(0), freed: Notify::new(), gauge }))
    }

    /// Whether there is any.
    pub fn is_free(&self) -> bool {
        self.0.bytes.load(Ordering::Acquire) < MAX_QUEUED
    }

    /// Waits until there is some, in the order of those who wait. Safe to cancel.
    pub async fn wait(&self) {
        loop {
            let mut freed = pin!(self.0.freed.notified());
            freed.as_mut().enable();
            if self.is_free() {
                break;
            }
            freed.await;
        }
        // Whoever goes on takes room only once it has a whole message, if it ever has: until then the next one may as well.
        self.0.freed.notify_one();
    }

    /// For a chunk of so many bytes.
    pub(crate) fn take(&self, bytes: usize) -> Queued {
        self.0.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.0.gauge.add(bytes as i64);
        Queued { room: self.clone(), bytes }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let queue = &self.room.0;
        queue.gauge.sub(self.bytes as i64);
        if queue.bytes.fetch_sub(self.bytes, Ordering::AcqRel) - self.bytes < MAX_QUEUED {
            queue.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll(future: std::pin::Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn at_the_limit_there_is_no_room_and_a_byte_less_leaves_some() {
        let room = QueueRoom::default();
        let most = room.take(MAX_QUEUED - 1);
        assert!(room.is_free());
        let last = room.take(1);
        assert!(!room.is_free());
        assert_eq!(room.0.gauge.get(), MAX_QUEUED as i64);
        drop(last);
        assert!(room.is_free());
        drop(most);
        assert_eq!(room.0.gauge.get(), 0);
    }

    #[test]
    fn all_who_wait_go_on_one_after_the_other_while_there_is_room() {
        let room = QueueRoom::default();
        let queued = room.take(MAX_QUEUED);
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(room.wait())).collect();
        assert!(waiting.iter_mut().all(|wait| poll(wait.as_mut()).is_pending()));
        drop(queued);
        for wait in &mut waiting {
            assert!(poll(wait.as_mut()).is_ready());
        }
    }

    #[test]
    fn who_was_woken_and_gave_up_leaves_its_turn_to_the_next() {
        let room = QueueRoom::default();
        let queued = room.take(MAX_QUEUED);
        let mut first = Box::pin(room.wait());
        let mut second = Box::pin(room.wait());
        assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
        drop(queued);
        drop(first);
        assert!(poll(second.as_mut()).is_ready());
    }

    #[test]
    fn who_finds_the_room_taken_again_waits_on() {
        let room = QueueRoom::default();
        let queued = room.take(MAX_QUEUED);
        let mut wait = Box::pin(room.wait());
        assert!(poll(wait.as_mut()).is_pending());
        drop(queued);
        let again = room.take(MAX_QUEUED);
        assert!(poll(wait.as_mut()).is_pending());
        drop(again);
        assert!(poll(wait.as_mut()).is_ready());
    }
}
