//! What writes: many chunks share one sync.
//!
//! While a sync runs, the next chunks queue up; all of them are written and synced together. Since this writer alone
//! writes, and answers only after the sync, a chunk that is sent again while it is being synced gets its answer with
//! that sync as well.
//!
//! It has no thread, waits for nothing and asks no clock: whoever drives it (`writer_thread.rs`, or a simulation) calls
//! [`Writer::step`] and does the waiting. Here is what a step is made of: taking chunks (`take.rs`), writing them and answering
//! their senders (`commit.rs`), and what happens where there is no space for them (`full.rs`).

mod commit;
mod full;
mod take;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::CursorFolder;
use super::active_segment::ActiveSegment;
use super::append::{AppendError, Appended, ReceiptSender};
use super::dedup::Dedup;
use super::format::packed_entries::Packing;
use super::kept_ids::KeptIds;
use super::large::LargeEntries;
use super::next_segment::Spare;
use super::packing::KeptChunk;
use super::queue_room::Queued;
use super::retention::Retention;
use super::shared::{Shared, Status};
use super::synced_mark::SyncedMark;
use crate::config::WhenFull;
use crate::event_time::EventTime;

/// Bytes of one group commit; more wait for the next.
pub(super) const MAX_COMMIT: usize = 4 * 1024 * 1024;

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Append {
        chunk: Box<KeptChunk>,
        /// The file that holds its entries, where they are no part of the frame.
        large: Option<Box<LargeEntries>>,
        reply: ReceiptSender,
        /// Until it is taken up.
        queued: Queued,
    },
    /// A cursor moved: segments may be removable.
    Release,
    /// As [`Release`](Self::Release), and somebody waits for space on the disk.
    MakeSpace,
    /// Everything before this is to be written, nothing after it.
    Close,
}

/// The writer and all that it alone touches.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) cursors: CursorFolder,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) active: ActiveSegment,
    pub(super) mark: SyncedMark,
    pub(super) dedup: Dedup,
    /// Of segments of which only the ids are left.
    pub(super) kept_ids: KeptIds,
    /// Bytes that these may take.
    pub(super) dedup_max_size: u64,
    pub(super) segment_size: u64,
    /// How the segments that it begins may be packed.
    pub(super) packing: Option<Packing>,
    pub(super) max_size: u64,
    pub(super) when_full: WhenFull,
    pub(super) retention: Retention,
    /// Bytes of segments that may be removed although somebody waits.
    pub(super) may_remove: u64,
    /// How long readers in memory are waited for after a commit, at most.
    pub(super) pace: Duration,
    pub(super) spare: Spare,
    pub(super) replies: Vec<(ReceiptSender, Appended)>,
    /// What is to be done first: it had to wait.
    pub(super) next: Option<Request>,
    pub(super) closing: bool,
    /// Since when outputs are waited for that were asked to give up the oldest segment.
    pub(super) asked_since: Option<Instant>,
}

/// What time it is: for those who store it, and for those who wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) wall: EventTime,
    pub(crate) monotonic: Instant,
}

impl Moment {
    /// By the clocks of this machine.
    pub(crate) fn now() -> Self {
        Self { wall: EventTime::now(), monotonic: Instant::now() }
    }
}

/// What a step of the writer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// What was asked is done and answered. There may be more.
    Done,
    /// There is no space for what was asked. It is kept, and the next step tries again.
    NoSpace,
    /// It is closed or has failed, and everybody was told.
    Ended,
}

/// Why what was asked can't be done.
#[derive(Debug)]
pub(super) enum Obstacle {
    NoSpace,
    Failed(String),
}

impl Writer {
    /// Waits for a request; `false` where nobody is left who could ask for anything.
    pub(super) fn wait_for_request(&mut self) -> bool {
        self.next = self.requests.blocking_recv();
        self.next.is_some()
    }

    /// Takes what was asked for, writes it, syncs once for all of it, and tidies up.
    pub(crate) fn step(&mut self, now: Moment) -> Step {
        let error = match self.take_all(now).and_then(|()| self.commit()) {
            Ok(()) if self.closing => AppendError::Stopped,
            Ok(()) => {
                self.release(now);
                self.allocate_spare(now);
                self.update_metrics();
                return if self.is_still_full() { Step::NoSpace } else { Step::Done };
            }
            Err(Obstacle::NoSpace) if self.shared.is_stopping() => AppendError::Stopped,
            Err(Obstacle::NoSpace) if self.when_full == WhenFull::Reject && self.refuse_waiting() => {
                AppendError::Stopped
            }
            Err(Obstacle::NoSpace) => return Step::NoSpace,
            Err(Obstacle::Failed(reason)) => {
                tracing::error!(
                    fatal = true, %reason,
                    "the journal has failed and takes nothing more: what was acknowledged is kept, senders will send \
                     the rest again. Check the disk (dmesg, smartctl), then restart"
                );
                let reason: Arc<str> = reason.into();
                self.shared.set_status(Status::Failed(Arc::clone(&reason)));
                AppendError::Failed(reason)
            }
        };
        if error == AppendError::Stopped {
            self.note_end();
        }
        self.end(&error);
        Step::Ended
    }

    /// Tells everybody who still waits for an answer.
    pub(super) fn end(&mut self, error: &AppendError) {
        self.requests.close();
        for (reply, _) in self.replies.drain(..) {
            refuse(reply, error);
        }
        while let Some(request) = self.next.take().or_else(|| self.requests.try_recv().ok()) {
            if let Request::Append { reply, .. } = request {
                refuse(reply, error);
            }
        }
    }

    /// Whether something was asked for that no step has taken up yet.
    pub(super) fn has_requests(&self) -> bool {
        self.next.is_some() || !self.requests.is_empty()
    }

    /// Takes up what was asked for, until there is enough for one commit.
    fn take_all(&mut self, now: Moment) -> Result<(), Obstacle> {
        if self.active.is_pending() && self.next.is_none() {
            // A commit that had no space comes first.
            return Ok(());
        }
        while !self.closing && self.active.pending_bytes() < MAX_COMMIT {
            match self.next.take().or_else(|| self.requests.try_recv().ok()) {
                Some(Request::Append { mut chunk, mut large, reply, queued }) => {
                    match self.take(&mut chunk, &mut large, now) {
                        Ok(appended) => self.replies.push((reply, appended)),
                        Err(obstacle) => {
                            self.next = Some(Request::Append { chunk, large, reply, queued });
                            return Err(obstacle);
                        }
                    }
                }
                Some(Request::Release) => {}
                // What is only retained makes room.
                Some(Request::MakeSpace) => {
                    self.remove_oldest_retained();
                }
                Some(Request::Close) => self.closing = true,
                None => break,
            }
        }
        Ok(())
    }

    pub(super) fn update_metrics(&mut self) {
        let metrics = &self.shared.metrics;
        metrics.retained_bytes.set(self.shared.bytes_of(&self.shared.removable()) as i64);
        metrics.bytes.set(self.shared.bytes_on_disk() as i64);
        metrics.segments.set(self.shared.segment_count() as i64);
        metrics.dedup_bytes.set(self.kept_ids.bytes() as i64);
        metrics.dedup_ids.set(self.dedup.len() as i64);
        metrics.dedup_evicted.inc_by(self.dedup.take_evicted());
    }
}

fn refuse(reply: ReceiptSender, error: &AppendError) {
    // As in `answer`: whoever is gone needs none.
    let _ = reply.send(Err(error.clone()));
}
