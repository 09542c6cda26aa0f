//! The writing half of a connection: awaits receipts in order and acknowledges.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;

use super::ack_trail::AckTrail;
use super::budget::Reservation;
use crate::journal::{AppendError, Appended, Receipt};
use crate::metrics::InputMetrics;
use crate::wire::contents::Contents;

/// A message that waits for its turn.
#[derive(Debug)]
pub(super) struct Pending {
    /// What is acknowledged; `None` where nothing was to be stored.
    pub(super) stored: Option<Stored>,
    /// The acknowledgement; `None` where the sender wants none.
    pub(super) ack: Option<Vec<u8>>,
    /// When the message was complete.
    pub(super) received: Instant,
    pub(super) reservation: Reservation,
    /// Its part of `max_spool_size`, where it came through a file.
    pub(super) space: Option<Reservation>,
    /// One of `max_pending_acks`.
    pub(super) slot: OwnedSemaphorePermit,
}

/// A chunk that is on its way to the disk.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) receipt: Receipt,
    pub(super) tag: Bytes,
    pub(super) entries: u32,
    pub(super) bad_entries: u32,
    /// Whether it is a refused message, taken as it is.
    pub(super) is_refused: bool,
}

impl Stored {
    /// Of a chunk that was taken as what it is.
    pub(super) fn of(receipt: Receipt, tag: Bytes, contents: &Contents) -> Self {
        let Contents { entries, bad_entries, .. } = *contents;
        Self { receipt, tag, entries, bad_entries, is_refused: false }
    }
}

/// Why no more acknowledgements go out.
#[derive(Debug, thiserror::Error)]
pub(super) enum AckError {
    #[error("not acknowledged: {0}")]
    Journal(#[from] AppendError),
    #[error("the acknowledgement cannot be written: {0}")]
    Network(#[from] io::Error),
    #[error("the peer did not take an acknowledgement within {0:?}")]
    Stalled(Duration),
}

/// Acknowledges until the queue ends. Each acknowledgement is a write, and so a TLS record, of its own: Fluent Bit
/// reads once and expects one whole acknowledgement. A peer has `stall_timeout` to take one. `taken` says how many chunks
/// the journal has taken.
pub(super) async fn acknowledge<W: AsyncWrite + Unpin>(
    queue: &mut mpsc::UnboundedReceiver<Pending>,
    stream: &mut W,
    stall_timeout: Duration,
    metrics: &InputMetrics,
    trail: &AckTrail,
    taken: impl Fn() -> u64,
) -> Result<(), AckError> {
    while let Some(Pending { stored, ack, received, reservation, space, slot }) = queue.recv().await {
        if let Some(stored) = stored {
            let Stored { receipt, tag, entries, bad_entries, is_refused } = stored;
            let appended = receipt.await?;
            count(appended, &tag, entries, bad_entries, metrics);
            if is_refused && appended == Appended::Written {
                metrics.dead_messages.inc();
            }
        }
        drop(reservation);
        drop(space);
        drop(slot);
        if let Some(ack) = ack {
            trail.acknowledging(taken());
            let write = async {
                stream.write_all(&ack).await?;
                stream.flush().await
            };
            timeout(stall_timeout, write).await.map_err(|_| AckError::Stalled(stall_timeout))??;
            trail.acknowledged();
            metrics.ack_latency.observe(received.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

fn count(appended: Appended, tag: &[u8], entries: u32, bad_entries: u32, metrics: &InputMetrics) {
    match appended {
        Appended::Written => {
            metrics.chunks.inc();
            metrics.records(tag, u64::from(entries));
            metrics.bad_entries.inc_by(u64::from(bad_entries));
        }
        // Counted when it came for the first time.
        Appended::Duplicate => {}
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use tokio::sync::Semaphore;

    use super::super::budget::Budget;
    use super::*;
    use crate::metrics::Metrics;

    /// Keeps what was written between two flushes apart.
    #[derive(Default)]
    struct Writes {
        writes: Vec<Vec<u8>>,
        flushed: usize,
    }

    impl AsyncWrite for Writes {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.writes.push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.flushed = self.writes.len();
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A queue of acknowledgements for chunks that are durable.
    async fn queue(acks: &[&str], metrics: &InputMetrics) -> mpsc::UnboundedReceiver<Pending> {
        let budget = Budget::new(1000, 100, metrics.in_flight_bytes.clone());
        let slots = Arc::new(Semaphore::new(10));
        let (sender, queue) = mpsc::unbounded_channel();
        for ack in acks {
            let (resolve, receipt) = Receipt::channel();
            resolve.send(Ok(Appended::Written)).unwrap();
            let pending = Pending {
                stored: Some(Stored {
                    receipt,
                    tag: Bytes::from_static(b"t"),
                    entries: 1,
                    bad_entries: 0,
                    is_refused: false,
                }),
                ack: Some(ack.as_bytes().to_vec()),
                received: Instant::now(),
                reservation: budget.reserve(),
                space: None,
                slot: slots.clone().acquire_owned().await.unwrap(),
            };
            sender.send(pending).unwrap();
        }
        queue
    }

    #[tokio::test]
    async fn each_acknowledgement_is_one_write_also_when_several_are_ready() {
        let metrics = Metrics::new("test", 10).input("edge");
        let mut queue = queue(&["first", "second", "third"], &metrics).await;
        let mut stream = Writes::default();
        acknowledge(&mut queue, &mut stream, Duration::MAX, &metrics, &AckTrail::new(0), || 0).await.unwrap();
        assert_eq!(stream.writes, [&b"first"[..], b"second", b"third"]);
        assert_eq!(stream.flushed, 3);
        assert_eq!(metrics.chunks.get(), 3);
    }

    #[tokio::test]
    async fn a_peer_that_takes_no_acknowledgements_is_given_up() {
        let metrics = Metrics::new("test", 10).input("edge");
        let mut queue = queue(&["too long for the pipe"], &metrics).await;
        let (_peer, mut stream) = tokio::io::duplex(4);
        let (trail, timeout) = (AckTrail::new(0), Duration::from_millis(10));
        let result = acknowledge(&mut queue, &mut stream, timeout, &metrics, &trail, || 0).await;
        assert!(matches!(result, Err(AckError::Stalled(_))));
    }
}
