//! The one thread that writes: many chunks share one sync.
//!
//! While a sync runs, the next chunks queue up; all of them are written and synced together. Since this thread alone
//! writes, and answers only after the sync, a chunk that is sent again while it is being synced gets its answer with
//! that sync as well.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Position;
use super::active_segment::ActiveSegment;
use super::append::{AppendError, Appended, ReceiptSender};
use super::dedup::Dedup;
use super::format::chunk_payload::chunk_payload_length;
use super::format::footer::{Footer, chunk_key};
use super::format::frame::FrameKind;
use super::format::segment_header::{SEGMENT_HEADER_LENGTH, SegmentHeader};
use super::large::LargeEntries;
use super::left_behind;
use super::shared::{Shared, Status};
use crate::chunk::Chunk;
use crate::event_time::EventTime;

/// Bytes of one group commit; more wait for the next.
const MAX_COMMIT: usize = 8 * 1024 * 1024;

/// How often a writer that waits for space looks again by itself.
pub(super) const SPACE_POLL: Duration = Duration::from_secs(1);

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Request {
    Append {
        chunk: Chunk,
        /// The file that holds its entries, where they are no part of the frame.
        large: Option<Box<LargeEntries>>,
        reply: ReceiptSender,
    },
    /// A cursor moved: segments may be removable.
    Release,
    /// Everything before this is to be written, nothing after it.
    Close,
}

/// The writer and all that it alone touches.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) active: ActiveSegment,
    pub(super) dedup: Dedup,
    /// Segments of which only the ids are left.
    pub(super) left_behind: BTreeSet<u64>,
    pub(super) segment_size: u64,
    pub(super) max_size: u64,
    pub(super) spare: Spare,
    pub(super) replies: Vec<(ReceiptSender, Appended)>,
}

/// The next segment, allocated before it is needed.
#[derive(Debug, Default)]
pub(super) struct Spare {
    file: Option<File>,
    /// When the disk last had no space for one.
    disk_was_full: Option<Instant>,
}

/// Why the writer ends.
#[derive(Debug)]
pub(super) enum End {
    Closed,
    Failed(String),
}

impl Writer {
    /// Runs until the journal is closed or has failed.
    pub(super) fn run(mut self) {
        let end = self.serve();
        let error = match end {
            End::Closed => AppendError::Stopped,
            End::Failed(reason) => {
                tracing::error!(
                    %reason,
                    "the journal has failed and takes nothing more: what was acknowledged is kept, senders will send \
                     the rest again. Check the disk (dmesg, smartctl), then restart"
                );
                let reason: Arc<str> = reason.into();
                self.shared.set_status(Status::Failed(Arc::clone(&reason)));
                AppendError::Failed(reason)
            }
        };
        self.requests.close();
        for (reply, _) in self.replies.drain(..) {
            refuse(reply, &error);
        }
        while let Ok(request) = self.requests.try_recv() {
            if let Request::Append { reply, .. } = request {
                refuse(reply, &error);
            }
        }
    }

    fn serve(&mut self) -> End {
        self.allocate_spare();
        while let Some(first) = self.requests.blocking_recv() {
            let mut next = Some(first);
            let mut closing = false;
            while let Some(request) = next.take() {
                match request {
                    Request::Append { chunk, large, reply } => {
                        if let Err(end) = self.take(&chunk, large, reply) {
                            return end;
                        }
                    }
                    Request::Release => {}
                    Request::Close => closing = true,
                }
                if !closing && self.active.pending_bytes() < MAX_COMMIT {
                    next = self.requests.try_recv().ok();
                }
            }
            if let Err(end) = self.commit() {
                return end;
            }
            if closing {
                return End::Closed;
            }
            self.release();
            self.allocate_spare();
            self.update_metrics();
        }
        End::Closed
    }

    /// Adds a chunk to the next commit, unless it is kept already.
    fn take(
        &mut self,
        chunk: &Chunk,
        large: Option<Box<LargeEntries>>,
        reply: ReceiptSender,
    ) -> Result<(), End> {
        let sender: Arc<str> = Arc::from(chunk.sender.identity.as_str());
        let key = chunk.id.as_ref().map(|id| chunk_key(&chunk.tag, id));
        if key.is_some_and(|key| self.dedup.contains(&sender, key)) {
            self.shared.metrics.duplicates.inc();
            self.replies.push((reply, Appended::Duplicate));
            return Ok(());
        }
        let room = self.make_room(chunk, large.as_deref(), key.map(|_| &*sender));
        let kind =
            match room.and_then(|()| large.map_or(Ok(FrameKind::Chunk), |large| self.name_large(*large))) {
                Ok(kind) => kind,
                Err(end) => {
                    refuse(reply, &AppendError::Stopped);
                    return Err(end);
                }
            };
        self.active.push(kind, chunk);
        if let Some(key) = key {
            let received_at = chunk.received_at.unix_nanoseconds();
            self.active.footer.add_id(&sender, received_at, key);
            self.dedup.insert(&sender, received_at, key, self.active.number);
        }
        self.shared.metrics.chunks.inc();
        self.replies.push((reply, Appended::Written));
        Ok(())
    }

    /// Sees to it that the active segment can take a chunk, whose sender is remembered with its id where it has one.
    fn make_room(
        &mut self,
        chunk: &Chunk,
        large: Option<&LargeEntries>,
        sender: Option<&str>,
    ) -> Result<(), End> {
        if let Some(large) = large {
            self.make_room_for_file(large.length())?;
        }
        let growth = sender.map_or(0, |sender| self.active.footer.growth(sender));
        match self.active.has_room_for(chunk_payload_length(chunk), growth) {
            true => Ok(()),
            false => self.roll(),
        }
    }

    /// Writes and syncs what is pending, shows it to the readers, and answers the senders: in this order.
    pub(super) fn commit(&mut self) -> Result<(), End> {
        if self.active.pending_bytes() > 0 {
            self.until_there_is_space("write to", |active| active.write())?;
            self.sync()?;
        }
        self.answer();
        Ok(())
    }

    /// Seals the active segment and goes on in the next one, as soon as there may be one.
    pub(super) fn roll(&mut self) -> Result<(), End> {
        if !self.active.is_sealed() {
            self.until_there_is_space("seal", ActiveSegment::seal)?;
            self.sync()?;
            self.answer();
        }
        let spare = self.wait_for_spare()?;
        let header = SegmentHeader {
            journal: self.shared.journal,
            segment: self.active.number + 1,
            created_at: EventTime::now(),
        };
        self.shared
            .folder
            .name_spare(&spare, &header)
            .map_err(|error| End::Failed(format!("cannot begin segment {}: {error}", header.segment)))?;
        self.shared.set_spare_bytes(0);
        self.active = ActiveSegment::new(
            header.segment,
            header.journal,
            spare,
            self.segment_size,
            SEGMENT_HEADER_LENGTH,
            Footer::default(),
        );
        self.shared.add_segment(header.segment, self.active.state());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), End> {
        let timer = self.shared.metrics.sync_time.start_timer();
        let written = self.active.sync().map_err(|error| {
            End::Failed(format!(
                "cannot sync {}: {error}",
                self.shared.folder.segment_path(self.active.number).display()
            ))
        })?;
        timer.observe_duration();
        self.shared.metrics.syncs.inc();
        let start = Position::new(self.active.number, written.start);
        // Without the spare capacity: these bytes stay in memory for the readers, and are counted by their length.
        let frames = Bytes::from(written.frames.into_boxed_slice());
        self.shared.publish(start, frames, self.active.state());
        Ok(())
    }

    fn answer(&mut self) {
        for (reply, appended) in self.replies.drain(..) {
            // A connection that is gone needs no answer; its sender will send again and be recognised.
            let _ = reply.send(Ok(appended));
        }
    }

    /// Repeats a write that fails for want of space alone.
    fn until_there_is_space(
        &mut self,
        action: &str,
        mut write: impl FnMut(&mut ActiveSegment) -> io::Result<()>,
    ) -> Result<(), End> {
        let path = self.shared.folder.segment_path(self.active.number);
        loop {
            match write(&mut self.active) {
                Ok(()) => {
                    self.shared.set_status(Status::Accepting);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::StorageFull && !self.shared.is_stopping() => {
                    self.report(Status::DiskFull);
                    self.shared.wait_for_space(SPACE_POLL);
                }
                Err(error) => {
                    return Err(End::Failed(format!("cannot {action} {}: {error}", path.display())));
                }
            }
        }
    }

    fn wait_for_spare(&mut self) -> Result<File, End> {
        loop {
            self.release();
            self.allocate_spare();
            if let Some(spare) = self.spare.file.take() {
                self.shared.set_status(Status::Accepting);
                return Ok(spare);
            }
            if self.shared.is_stopping() {
                return Err(End::Closed);
            }
            self.update_metrics();
            self.report(if self.spare.disk_was_full.is_some() { Status::DiskFull } else { Status::Full });
            self.shared.wait_for_space(SPACE_POLL);
        }
    }

    pub(super) fn report(&self, status: Status) {
        if *self.shared.status().borrow() != status
            && let Some(reason) = status.refusal()
        {
            tracing::warn!("{reason}");
        }
        self.shared.set_status(status);
    }

    /// Allocates the next segment, within the size limit and as far as the disk has space.
    fn allocate_spare(&mut self) {
        let tried_lately = self.spare.disk_was_full.is_some_and(|at| at.elapsed() < SPACE_POLL);
        let too_large = self.shared.bytes_on_disk() + self.segment_size > self.max_size;
        if self.spare.file.is_some() || tried_lately || too_large {
            return;
        }
        match self.shared.folder.allocate_spare(self.segment_size) {
            Ok(file) => {
                self.spare = Spare { file: Some(file), disk_was_full: None };
                self.shared.set_spare_bytes(self.segment_size);
            }
            Err(error) => {
                let folder = self.shared.folder.path().display().to_string();
                tracing::debug!(%error, folder, "cannot allocate the next journal segment yet");
                self.spare.disk_was_full = Some(Instant::now());
            }
        }
    }

    /// Removes segments that every output has passed, and leaves their chunk ids behind while those are needed.
    pub(super) fn release(&mut self) {
        for segment in self.shared.removable() {
            let needed = self.dedup.ids_in_segment(segment) > 0;
            let large = self.shared.large_of(segment);
            match left_behind::remove_segment(&self.shared.folder, &self.shared.journal, segment, needed) {
                Ok(()) => {
                    self.shared.remove_segment(segment);
                    self.remove_large(&large);
                    if needed {
                        self.left_behind.insert(segment);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, segment, "cannot remove a journal segment that was delivered; will try again");
                    break;
                }
            }
        }
        let dedup = &self.dedup;
        let folder = &self.shared.folder;
        self.left_behind.retain(|segment| {
            dedup.ids_in_segment(*segment) > 0
                || folder
                    .remove(&folder.ids_path(*segment))
                    .inspect_err(|error| {
                        tracing::warn!(%error, segment, "cannot remove old chunk ids; will try again");
                    })
                    .is_err()
        });
    }

    pub(super) fn update_metrics(&mut self) {
        let metrics = &self.shared.metrics;
        metrics.bytes.set(self.shared.bytes_on_disk() as i64);
        metrics.segments.set(self.shared.segment_count() as i64);
        metrics.dedup_ids.set(self.dedup.len() as i64);
        metrics.dedup_evicted.inc_by(self.dedup.take_evicted());
    }
}

fn refuse(reply: ReceiptSender, error: &AppendError) {
    // As in `answer`: whoever is gone needs none.
    let _ = reply.send(Err(error.clone()));
}
