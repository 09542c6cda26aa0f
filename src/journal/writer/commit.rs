//! Writing what was taken, syncing it once, and answering the senders.

use std::io;

use super::{Obstacle, Writer};
use crate::journal::Position;
use crate::journal::active_segment::ActiveSegment;
use crate::journal::append::Appended;
use crate::journal::backlog::start_of;
use crate::journal::next_segment::finds_no_space;
use crate::journal::shared::Status;
use crate::planted::{Bug, is_planted};
use crate::storage::is_for_want_of_space;

impl Writer {
    /// Writes and syncs what is pending, shows it to the readers, and answers the senders: in this order.
    pub(in crate::journal) fn commit(&mut self) -> Result<(), Obstacle> {
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

    pub(in crate::journal) fn sync(&mut self) -> Result<(), Obstacle> {
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

    pub(in crate::journal) fn answer(&mut self) {
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
    pub(in crate::journal) fn note_end(&mut self) {
        if self.active.is_sealed() {
            return;
        }
        let end = Position::new(self.active.number, self.active.state().end);
        if let Err(error) = self.mark.note(self.shared.journal, end) {
            tracing::warn!(%error, "cannot note where the journal ends: the next start takes it for one after a crash");
        }
    }

    /// Writes; for want of space alone it may be tried again.
    pub(in crate::journal) fn write(
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
}
