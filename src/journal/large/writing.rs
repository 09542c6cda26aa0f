//! What the writer does for large chunks.

use std::io;

use super::super::format::frame::FrameKind;
use super::super::shared::Status;
use super::super::writer::{Moment, Obstacle, Writer};
use super::{LargeEntries, LargePlace};
use crate::storage::is_for_want_of_space;

/// A segment takes files of large chunks up to this part of the journal, or one.
const SEGMENTS_OF_LARGE_FILES: u64 = 8;

impl Writer {
    /// Sees to it that the journal may have so many bytes more. Large files go with their segment, so that a segment
    /// must not hold too much of them, and none at all while the journal is full.
    pub(in crate::journal) fn make_room_for_file(
        &mut self,
        length: u64,
        now: Moment,
    ) -> Result<(), Obstacle> {
        self.make_room_from_retained(length);
        let held: u64 = self.shared.large_of(self.active.number).iter().map(|(_, length)| length).sum();
        let is_full = |writer: &Self| writer.shared.bytes_on_disk() + length > writer.max_size;
        let holds_too_much = held > 0 && held + length > self.max_size / SEGMENTS_OF_LARGE_FILES;
        if holds_too_much || (is_full(self) && self.active.footer.counts.chunks > 0) {
            self.roll(now)?;
        }
        if is_full(self) {
            // What was taken before may be what has to be delivered.
            self.commit()?;
            self.release(now);
            if !self.make_room_from_retained(length) {
                self.give_up_the_oldest(None, now);
            }
            if !self.make_room_from_retained(length) {
                return Err(self.full(Status::Full, now));
            }
        }
        self.asked_since = None;
        self.shared.set_status(Status::Accepting);
        Ok(())
    }

    /// Gives the file of a large chunk its name, durably, before the frame that refers to it is written.
    /// Where there is no room for the name, it is still the sender's.
    pub(in crate::journal) fn name_large(
        &mut self,
        large: &mut LargeEntries,
        now: Moment,
    ) -> Result<FrameKind, Obstacle> {
        let place = LargePlace { segment: self.active.number, offset: self.active.end() };
        let path = self.shared.folder.large_path(place);
        match large.rename(&path) {
            Ok(()) => {}
            // Also where the name is there and not known to be durable: nobody was told of it yet, and it is named again.
            Err(error) if is_for_want_of_space(&error) => {
                // What was taken before it does not wait with it.
                self.commit()?;
                self.remove_oldest_retained();
                return Err(self.full(Status::DiskFull, now));
            }
            Err(error) => {
                return Err(Obstacle::Failed(format!("cannot put {} in place: {error}", path.display())));
            }
        }
        self.shared.add_large(place, large.length());
        Ok(FrameKind::Large)
    }

    /// Removes files whose segment is gone. What is left of them over a crash, the next start removes.
    pub(in crate::journal) fn remove_large(&self, files: &[(LargePlace, u64)]) {
        for (place, _) in files {
            let path = self.shared.folder.large_path(*place);
            if let Err(error) = self.shared.folder.storage().remove(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, path = %path.display(), "cannot remove a large chunk; the next start does");
            }
        }
    }
}

#[cfg(test)]
mod tests;
