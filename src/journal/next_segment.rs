//! The next segment: allocated before it is needed, and begun when the active one is full.

use std::io;
use std::time::{Duration, Instant};

use super::active_segment::ActiveSegment;
use super::format::segment_header::SegmentHeader;
use super::removal::REMOVED_WHILE_ASKED;
use super::shared::Status;
use super::writer::{Moment, Obstacle, Writer};
use crate::storage::{StorageFile, is_for_want_of_space};

/// How often a writer that waits for space looks again by itself.
pub(super) const SPACE_POLL: Duration = Duration::from_secs(1);

/// The next segment, allocated before it is needed.
#[derive(Debug, Default)]
pub(super) struct Spare {
    file: Option<Box<dyn StorageFile>>,
    /// When one could last not be made, and what is to be said of that.
    refused: Option<(Instant, Status)>,
}

impl Spare {
    /// Whether the next segment could begin at once.
    pub(super) fn is_ready(&self) -> bool {
        self.file.is_some()
    }
}

impl Writer {
    /// Seals the active segment and goes on in the next one, as soon as there may be one.
    pub(super) fn roll(&mut self, now: Moment) -> Result<(), Obstacle> {
        if !self.active.is_sealed() {
            self.write("seal", ActiveSegment::seal)?;
            self.sync()?;
            self.answer();
        }
        let spare = self.take_spare(now)?;
        let header = SegmentHeader {
            journal: self.shared.journal,
            segment: self.active.number + 1,
            created_at: now.wall,
            may_be_packed: self.packing.is_some(),
        };
        let folder = &self.shared.folder;
        // Nothing is in it yet that anybody was told of, so that for want of space all of it may be done again.
        let begun = folder.begin_spare(spare.as_ref(), &header).and_then(|()| folder.name_spare(&header));
        if let Err(error) = begun {
            let is_full = is_for_want_of_space(&error);
            self.spare.file = Some(spare);
            if is_full {
                self.remove_oldest_retained();
                return Err(self.full(Status::DiskFull, now));
            }
            return Err(Obstacle::Failed(format!("cannot begin segment {}: {error}", header.segment)));
        }
        self.shared.set_spare_bytes(0);
        self.asked_since = None;
        self.shared.set_status(Status::Accepting);
        let next = ActiveSegment::begun(&header, spare, self.segment_size);
        let memory = std::mem::replace(&mut self.active, next).into_memory();
        self.active.reuse(memory, usize::MAX);
        self.shared.add_segment(header.segment, self.active.state());
        Ok(())
    }

    fn take_spare(&mut self, now: Moment) -> Result<Box<dyn StorageFile>, Obstacle> {
        self.may_remove = REMOVED_WHILE_ASKED;
        // Where that makes too little room, allocating the next one goes on.
        self.release(now);
        if let Some(output) = self.shared.blocking_output() {
            self.give_up_the_oldest(Some(&output), now);
            return Err(self.full(Status::Full, now));
        }
        self.allocate_spare(now);
        if self.spare.file.is_none() && self.spare.refused.is_none() && self.give_up_the_oldest(None, now) {
            self.allocate_spare(now);
        }
        match (self.spare.file.take(), self.spare.refused.clone()) {
            (Some(spare), _) => Ok(spare),
            (None, Some((_, status))) => Err(self.full(status, now)),
            (None, None) => Err(self.full(Status::Full, now)),
        }
    }

    /// Allocates the next segment, within the size limit and as far as the disk has space. What is only retained has
    /// to make room for it.
    pub(super) fn allocate_spare(&mut self, now: Moment) {
        let now = now.monotonic;
        let refused_at = self.spare.refused.as_ref().map(|(at, _)| *at);
        let tried_lately = refused_at.is_some_and(|at| now.saturating_duration_since(at) < SPACE_POLL);
        if self.spare.file.is_some() || tried_lately || !self.make_room_from_retained(self.segment_size) {
            return;
        }
        let mut allocated = self.shared.folder.allocate_spare(self.segment_size);
        while finds_no_space(&allocated) && self.remove_oldest_retained() {
            allocated = self.shared.folder.allocate_spare(self.segment_size);
        }
        match allocated {
            Ok(file) => {
                self.spare = Spare { file: Some(file), refused: None };
                self.shared.set_spare_bytes(self.segment_size);
            }
            Err(error) => {
                let folder = self.shared.folder.path().display().to_string();
                tracing::debug!(%error, folder, "cannot allocate the next journal segment yet");
                let status = match is_for_want_of_space(&error) {
                    true => Status::DiskFull,
                    false => Status::Stuck(format!("{error}, in {folder}").into()),
                };
                self.spare.refused = Some((now, status));
            }
        }
    }
}

/// Whether there was no space for what was tried.
pub(super) fn finds_no_space<T>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(is_for_want_of_space)
}
