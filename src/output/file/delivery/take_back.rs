//! Going back to the last checkpoint while the process goes on.
//!
//! After a failed sync, or a cursor of which nobody knows whether it was replaced, nothing that was written since the last
//! checkpoint can be relied on: the page cache may show bytes that never reached the disk, and the next sync succeed
//! without them. What is relied on then is what the start after a crash relies on, and nothing else:
//!
//! * Which cursor holds is read from the disk, once its name is durable.
//! * What lies before the checkpoint was synced before that cursor was. Only the last page of it was touched since, by
//!   what was appended: whichever version of it reached the disk holds the same bytes up to the checkpoint. The cut makes
//!   that page dirty again, so that the sync behind the cut writes it once more.
//! * What lies behind the checkpoint is cut off or removed, and delivered again from the journal.
//!
//! So the output goes the same way as at a start, in its own files alone, and tries as often as it takes. Until then it
//! reads nothing; everything else goes on. From then until a checkpoint holds it takes one after each chunk: a disk that
//! is still in trouble costs little, and it is soon known that all is well.

use super::super::archive::{Archive, ArchiveOptions};
use super::super::recovery::{RecoveryError, RecoveryOptions, recover};
use super::FileOutput;
use crate::journal::SkipError;
use crate::journal::cursor_attributes::THROTTLE;
use crate::planted::{Bug, is_planted};

impl FileOutput {
    /// Makes an output begin with [`take_back`](Self::take_back), as its files could not be recovered when the server
    /// started.
    #[must_use]
    pub(crate) fn recovering_first(mut self, error: &RecoveryError) -> Self {
        self.must_recover = true;
        self.hold_up(error);
        self
    }

    /// Forgets what is in memory, and what was written since the last checkpoint, after an error that leaves the files
    /// uncertain.
    pub(super) fn abandon_after(&mut self, error: &dyn std::error::Error) {
        self.metrics.num_errors.inc();
        self.metrics.taken_back.inc();
        self.hold_up(error);
        self.abandon();
    }

    /// Forgets what is in memory, and what was written since the last checkpoint.
    pub(super) fn abandon(&mut self) {
        self.begin_anew();
        self.must_recover = true;
    }

    /// Finds out which cursor is on disk and what was left behind, where that is uncertain. Nothing was read since.
    pub(super) fn find_out(&mut self) -> Result<(), SkipError> {
        if self.cursor.is_uncertain() {
            let before = *self.cursor.saved();
            self.cursor.find_out()?;
            let found = *self.cursor.saved();
            if found.generation != before.generation {
                self.lines.saved();
            }
            if let Some(give_up) = self.lines.give_up().filter(|_| found.replays != before.replays) {
                give_up.jumped(&found.replays);
            }
            self.read_from_cursor();
        }
        Ok(())
    }

    /// Takes the files back to the last checkpoint, and reads on from there.
    pub(super) fn take_back(&mut self) -> Result<(), RecoveryError> {
        let generation = self.cursor.saved().generation;
        let options = RecoveryOptions { generation, ..self.recovery.clone() };
        if !is_planted(Bug::NotTakenBack) {
            recover(self.storage.as_ref(), &options)?.count(&self.metrics);
        }
        self.lines.abandoned();
        self.begin_anew();
        self.must_recover = false;
        Ok(())
    }

    /// A checkpoint holds, or there is nothing to save.
    pub(super) fn all_is_well(&mut self) {
        if std::mem::take(&mut self.is_held_up) {
            self.held_up.send_replace(None);
            self.metrics.held_up.set(0);
            tracing::info!(output = self.options.id, "the output goes on: its checkpoints hold again");
        }
    }

    /// Tells why the output is held up: `/ready` always, the log once.
    pub(super) fn hold_up(&mut self, error: &dyn std::error::Error) {
        self.held_up.send_replace(Some(format!("the output {} is held up: {error}", self.options.id)));
        if !std::mem::replace(&mut self.is_held_up, true) {
            self.metrics.held_up.set(1);
            tracing::error!(
                output = self.options.id, %error,
                "the output goes back to its last checkpoint, and on from there as soon as its disk lets it; everything \
                 is kept in the journal, and all other outputs go on. /ready tells the reason until it is over"
            );
        }
    }

    pub(super) fn read_from_cursor(&mut self) {
        self.flushed = self.cursor.saved().position;
        // After a jump the cursor holds no counts: the windows of throttle filters begin anew.
        self.lines.resume(self.cursor.attribute(THROTTLE));
        self.throttled = self.lines.throttled();
        self.reader = self.cursor.reader(self.flushed);
        self.flush_due = None;
        self.checkpoint_due = None;
    }

    fn begin_anew(&mut self) {
        self.giving_up = None;
        let generation = self.cursor.saved().generation;
        let options = ArchiveOptions { generation, is_cautious: true, ..self.archive_options.clone() };
        self.archive = Archive::new(self.storage.clone(), options, self.metrics.clone());
        self.read_from_cursor();
    }
}
