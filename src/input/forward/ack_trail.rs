//! What the messages of a connection show about the acknowledgements that its sender has had.
//!
//! Whoever waits for each acknowledgement before it sends on had all of them when its next message comes. That it waited
//! is seen from here: when the acknowledgement went out, there was nothing to read, and something came only then.

use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use crate::chunk::AckProof;
use crate::journal::format::footer::ChunkKey;

/// Follows one connection. Its reading and its writing half tell it what they do.
#[derive(Debug)]
pub(super) struct AckTrail(Mutex<Trail>);

#[derive(Debug)]
struct Trail {
    /// Nothing was sent before the journal had taken so many chunks.
    opened_after: u64,
    /// The same of what comes next.
    sent_after: u64,
    /// Acknowledgements that the sender waits for.
    unacknowledged: usize,
    /// Whether there never was anything to read while the sender had to wait.
    waits: bool,
    /// Whether there was nothing to read when it was looked for last.
    is_empty: bool,
    /// Whether there was nothing to read when the last acknowledgement went out.
    in_order: bool,
    /// The chunk before, once it is on its way to the journal.
    previous: Option<ChunkKey>,
}

impl AckTrail {
    /// Begins with a connection on which nothing was sent before the journal had taken `opened_after` chunks.
    pub(super) fn new(opened_after: u64) -> Self {
        Self(Mutex::new(Trail {
            opened_after,
            sent_after: opened_after,
            unacknowledged: 0,
            waits: true,
            is_empty: false,
            in_order: true,
            previous: None,
        }))
    }

    /// There is something to read.
    pub(super) fn bytes_came(&self) {
        let mut trail = self.lock();
        trail.is_empty = false;
        trail.waits &= trail.unacknowledged == 0;
    }

    fn nothing_came(&self) {
        self.lock().is_empty = true;
    }

    /// What is shown for the chunk of the message that came last, which will be known by `key` to the next.
    pub(super) fn next_chunk(&self, key: Option<ChunkKey>) -> AckProof {
        let mut trail = self.lock();
        let previous = std::mem::replace(&mut trail.previous, key);
        match trail.waits && trail.in_order {
            true => AckProof { acknowledged: previous, sent_after: trail.sent_after },
            false => AckProof { acknowledged: None, sent_after: trail.opened_after },
        }
    }

    /// Whether the sender waits for an acknowledgement.
    pub(super) fn has_unacknowledged(&self) -> bool {
        self.lock().unacknowledged > 0
    }

    /// The sender waits for one more acknowledgement.
    pub(super) fn will_acknowledge(&self) {
        self.lock().unacknowledged += 1;
    }

    /// An acknowledgement goes out now, after the journal has taken so many chunks.
    pub(super) fn acknowledging(&self, taken: u64) {
        let mut trail = self.lock();
        trail.sent_after = taken;
        trail.in_order = trail.is_empty;
    }

    /// An acknowledgement has gone out.
    pub(super) fn acknowledged(&self) {
        let mut trail = self.lock();
        trail.unacknowledged = trail.unacknowledged.saturating_sub(1);
    }

    /// A panic elsewhere leaves this state whole: it changes by one assignment at a time.
    fn lock(&self) -> MutexGuard<'_, Trail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading half of a connection, which tells the trail what there is to read.
#[derive(Debug)]
pub(super) struct Watched<'a, R> {
    pub(super) stream: R,
    pub(super) trail: &'a AckTrail,
}

impl<R: AsyncRead + Unpin> AsyncRead for Watched<'_, R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Before it is known whether there is something: where not, the next poll is when something has come.
        this.trail.nothing_came();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            this.trail.bytes_came();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// As a sender that waits and a server do it; gives what is shown for the chunk.
    fn take(trail: &AckTrail, key: ChunkKey) -> AckProof {
        trail.bytes_came();
        let proof = trail.next_chunk(Some(key));
        trail.will_acknowledge();
        trail.nothing_came();
        proof
    }

    fn acknowledge(trail: &AckTrail, taken: u64) {
        trail.acknowledging(taken);
        trail.acknowledged();
    }

    #[test]
    fn a_sender_that_waits_had_each_acknowledgement_when_its_next_chunk_comes() {
        let trail = AckTrail::new(5);
        for (key, acknowledged, sent_after) in [(1, None, 5), (2, Some(1), 11), (3, Some(2), 12)] {
            assert_eq!(take(&trail, key), AckProof { acknowledged, sent_after });
            acknowledge(&trail, 10 + key as u64);
        }
    }

    #[test]
    fn what_came_between_two_chunks_takes_nothing_away() {
        let trail = AckTrail::new(0);
        take(&trail, 1);
        acknowledge(&trail, 1);
        // Metrics, which are acknowledged and no chunk.
        trail.bytes_came();
        trail.will_acknowledge();
        trail.nothing_came();
        acknowledge(&trail, 2);
        assert_eq!(take(&trail, 2), AckProof { acknowledged: Some(1), sent_after: 2 });
    }

    #[test]
    fn a_sender_that_once_did_not_wait_shows_nothing_more() {
        let trail = AckTrail::new(7);
        take(&trail, 1);
        let nothing = AckProof { acknowledged: None, sent_after: 7 };
        assert_eq!(take(&trail, 2), nothing);
        acknowledge(&trail, 20);
        acknowledge(&trail, 21);
        assert_eq!(take(&trail, 3), nothing);
    }

    #[test]
    fn what_nobody_looked_for_may_have_been_there_before_the_acknowledgement() {
        let trail = AckTrail::new(7);
        trail.bytes_came();
        trail.next_chunk(Some(1));
        trail.will_acknowledge();
        acknowledge(&trail, 20);
        assert_eq!(take(&trail, 2), AckProof { acknowledged: None, sent_after: 7 });
        acknowledge(&trail, 21);
        assert_eq!(take(&trail, 3), AckProof { acknowledged: Some(2), sent_after: 21 }, "it may have waited");
    }

    #[tokio::test]
    async fn reading_tells_what_there_was() {
        let trail = AckTrail::new(0);
        let (mut client, stream) = duplex(100);
        let mut watched = Watched { stream, trail: &trail };
        let mut buffer = [0; 10];
        client.write_all(b"first").await.unwrap();
        assert_eq!(watched.read(&mut buffer).await.unwrap(), 5);
        assert!(!trail.lock().is_empty);
        trail.will_acknowledge();
        {
            let mut reading = std::pin::pin!(watched.read(&mut buffer));
            let noop = std::task::Waker::noop();
            assert!(reading.as_mut().poll(&mut Context::from_waker(noop)).is_pending());
            assert!(trail.lock().is_empty && trail.lock().waits);
        }
        client.write_all(b"next").await.unwrap();
        assert_eq!(watched.read(&mut buffer).await.unwrap(), 4);
        assert!(!trail.lock().is_empty && !trail.lock().waits);
        drop(client);
        assert_eq!(watched.read(&mut buffer).await.unwrap(), 0);
    }
}
