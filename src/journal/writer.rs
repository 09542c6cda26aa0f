//! What writes: many chunks share one sync.
//!
//! While a sync runs, the next chunks queue up; all of them are written and synced together. Since this writer alone
//! writes, and answers only after the sync, a chunk that is sent again while it is being synced gets its answer with
//! that sync as well.
//!
//! It has no thread, waits for nothing and asks no clock: whoever drives it (`writer_thread.rs`, or a simulation) calls
//! [`Writer::step`] and does the waiting.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::CursorFolder;
use super::Position;
use super::active_segment::ActiveSegment;
use super::append::{AppendError, Appended, ReceiptSender};
use super::backlog::start_of;
use super::dedup::{Dedup, Doubt, Verdict, owner_of_id};
use super::format::footer::{ChunkKey, chunk_key};
use super::format::frame::FrameKind;
use super::format::packed_entries::Packing;
use super::in_place::MAX_PADDING;
use super::kept_ids::KeptIds;
use super::large::LargeEntries;
use super::next_segment::{SPACE_POLL, Spare, finds_no_space};
use super::packing::KeptChunk;
use super::queue_room::Queued;
use super::retention::Retention;
use super::shared::{Shared, Status};
use super::synced_mark::SyncedMark;
use crate::config::WhenFull;
use crate::event_time::EventTime;
use crate::planted::{Bug, is_planted};
use crate::storage::is_for_want_of_space;

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

    /// Refuses what waits for space; whether the journal is to be closed. What is half written waits all the same: it
    /// can't be taken back.
    fn refuse_waiting(&mut self) -> bool {
        if self.active.is_pending() {
            return false;
        }
        self.answer();
        while let Some(request) = self.next.take().or_else(|| self.requests.try_recv().ok()) {
            match request {
                Request::Append { reply, .. } => refuse(reply, &AppendError::Full),
                Request::Release | Request::MakeSpace => {}
                Request::Close => return true,
            }
        }
        false
    }

    /// Whether something was asked for that no step has taken up yet.
    pub(super) fn has_requests(&self) -> bool {
        self.next.is_some() || !self.requests.is_empty()
    }

    /// Whether senders are refused, and nobody waits who would notice that there is space again.
    fn is_still_full(&self) -> bool {
        let is_full = self.shared.status().borrow().is_waiting();
        if is_full && self.spare.is_ready() && self.shared.blocking_output().is_none() {
            self.shared.set_status(Status::Accepting);
            return false;
        }
        is_full && self.when_full == WhenFull::Reject
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

    /// Adds a chunk to the next commit, unless it is kept already. Where it can't be, because there is no room, nothing
    /// has happened.
    fn take(
        &mut self,
        chunk: &mut KeptChunk,
        large: &mut Option<Box<LargeEntries>>,
        now: Moment,
    ) -> Result<Appended, Obstacle> {
        let received_at = chunk.received_at.unix_nanoseconds();
        let identity = chunk.sender.identity.as_str();
        let (sender, received_at) =
            owner_of_id(identity, chunk.id.as_deref(), received_at, chunk.handed_over.as_deref())
                .unwrap_or_else(|| (Arc::from(identity), received_at));
        let key = chunk.id.as_ref().map(|id| chunk_key(&chunk.tag, id));
        let verdict = key.map_or(Verdict::New, |key| self.dedup.judge(&sender, key, chunk, large.is_some()));
        let acknowledged = self.dedup.newly_acknowledged(&sender, &chunk.proof);
        if let Verdict::Resend(doubt) = verdict {
            self.next_turn(&sender, acknowledged);
            self.shared.metrics.doubtful_resend(doubt.map(Doubt::label));
            return Ok(Appended::Duplicate);
        }
        // Only what is news is kept with it.
        chunk.chunk.proof.acknowledged = acknowledged;
        self.make_room(chunk, &sender, large.as_deref(), key.is_some(), now)?;
        let kind = match large {
            None => FrameKind::Chunk,
            Some(entries) => self.name_large(entries, now)?,
        };
        *large = None;
        self.active.push(kind, chunk, self.requests.len());
        self.next_turn(&sender, acknowledged);
        if let Some(key) = acknowledged {
            self.active.footer.add_acknowledged(&sender, key);
        }
        if let Some(key) = key {
            self.active.footer.add_id(&sender, received_at, key);
            self.dedup.insert(&sender, received_at, key, self.active.number);
        }
        if verdict == Verdict::Equal {
            self.shared.metrics.equal_chunks.inc();
        }
        Ok(Appended::Written)
    }

    fn next_turn(&mut self, sender: &str, acknowledged: Option<ChunkKey>) {
        self.dedup.next_turn(sender, acknowledged);
        self.shared.set_taken(self.dedup.turn());
    }

    /// Sees to it that the active segment can take a chunk, and remember its id where it has one.
    fn make_room(
        &mut self,
        chunk: &mut KeptChunk,
        sender: &str,
        large: Option<&LargeEntries>,
        has_id: bool,
        now: Moment,
    ) -> Result<(), Obstacle> {
        if let Some(large) = large {
            self.make_room_for_file(large.length(), now)?;
        }
        let shows_acknowledgement = chunk.proof.acknowledged.is_some();
        let growth = match has_id || shows_acknowledgement {
            true => self.active.footer.growth(sender, shows_acknowledgement),
            false => 0,
        };
        let (length, is_plain) = match self.active.may_be_packed() {
            true => (chunk.payload_length(), chunk.packed.is_none()),
            false => (chunk.plain_payload_length(), true),
        };
        let may_be_padded = large.is_none() && is_plain && chunk.memory.is_some();
        let padding = if may_be_padded { MAX_PADDING as u64 } else { 0 };
        if !self.active.has_room_for(length + padding, growth) {
            return self.roll(now);
        }
        if !self.active.may_be_packed() {
            // A segment that was begun before `journal.compression` was set stays readable by those who read it then.
            chunk.packed = None;
        }
        Ok(())
    }

    /// Writes and syncs what is pending, shows it to the readers, and answers the senders: in this order.
    pub(super) fn commit(&mut self) -> Result<(), Obstacle> {
        if is_planted(Bug::AckBeforeSync) {
            self.answer();
        }
        if self.active.is_pending() {
            self.write("write to", ActiveSegment::write)?;
            self.sync()?;
        }
        self.answer();
        Ok(())
    }

    pub(super) fn sync(&mut self) -> Result<(), Obstacle> {
        let timer = self.shared.metrics.sync_time.start_timer();
        let written = match self.active.sync() {
            Ok(written) => written,
            // What was pending still is: it is written and synced as a whole again, before anything is said of it.
            Err(error) if is_for_want_of_space(&error) => {
                self.remove_oldest_retained();
                self.report(Status::DiskFull);
                return Err(Obstacle::NoSpace);
            }
            Err(error) => {
                let path = self.shared.folder.segment_path(self.active.number);
                return Err(Obstacle::Failed(format!("cannot sync {}: {error}", path.display())));
            }
        };
        timer.observe_duration();
        self.shared.set_status(Status::Accepting);
        self.shared.metrics.syncs.inc();
        let start = Position::new(self.active.number, written.start);
        let (unused, room) = self.shared.publish(start, written.frames, self.active.state());
        self.active.reuse(unused, room);
        Ok(())
    }

    pub(super) fn answer(&mut self) {
        let metrics = &self.shared.metrics;
        for (reply, appended) in self.replies.drain(..) {
            match appended {
                Appended::Written => metrics.chunks.inc(),
                Appended::Duplicate => metrics.duplicates.inc(),
            }
            // A connection that is gone needs no answer; its sender will send again and be recognised.
            let _ = reply.send(Ok(appended));
        }
    }

    /// Sees to it that the active segment is known of before anything in it is acknowledged: a start could not tell
    /// otherwise that it is missing.
    fn note_segment(&mut self) -> io::Result<()> {
        let (journal, segment) = (self.shared.journal, self.active.number);
        if self.mark.knows(&journal, segment) {
            return Ok(());
        }
        self.mark.note(journal, start_of(segment))
    }

    /// Notes how far everything is synced, so that a start can tell damage at the end from what was half written. Where that
    /// fails it is as after a kill.
    pub(super) fn note_end(&mut self) {
        if self.active.is_sealed() {
            return;
        }
        let end = Position::new(self.active.number, self.active.state().end);
        if let Err(error) = self.mark.note(self.shared.journal, end) {
            tracing::warn!(%error, "cannot note where the journal ends: the next start takes it for one after a crash");
        }
    }

    /// Writes; for want of space alone it may be tried again.
    pub(super) fn write(
        &mut self,
        action: &str,
        write: impl Fn(&mut ActiveSegment) -> io::Result<()>,
    ) -> Result<(), Obstacle> {
        let mut written = self.note_segment().and_then(|()| write(&mut self.active));
        while finds_no_space(&written) && self.remove_oldest_retained() {
            written = self.note_segment().and_then(|()| write(&mut self.active));
        }
        match written {
            Ok(()) => Ok(()),
            Err(error) if is_for_want_of_space(&error) => {
                self.report(Status::DiskFull);
                Err(Obstacle::NoSpace)
            }
            Err(error) => {
                let path = self.shared.folder.segment_path(self.active.number);
                Err(Obstacle::Failed(format!("cannot {action} {}: {error}", path.display())))
            }
        }
    }

    /// Says that there is no space. That outputs take a moment to give up the oldest segment is nothing to say.
    pub(super) fn full(&mut self, status: Status, now: Moment) -> Obstacle {
        self.update_metrics();
        let since = *self.asked_since.get_or_insert(now.monotonic);
        let is_asked = self.when_full == WhenFull::DropOldest && status == Status::Full;
        if !is_asked || now.monotonic.saturating_duration_since(since) >= SPACE_POLL {
            self.report(status);
        }
        Obstacle::NoSpace
    }

    pub(super) fn report(&self, status: Status) {
        if *self.shared.status().borrow() != status
            && let Some(reason) = status.refusal()
        {
            tracing::warn!("{reason}");
        }
        self.shared.set_status(status);
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
