//! Going on further ahead when the output is too far behind.
//!
//! What is delivered is saved first, and only what lies behind that is left behind. Where it can't be saved, the files
//! are taken back to the last checkpoint, as after a crash, before anything more is written to them: so what was left
//! behind is in the archive nowhere, and in the journal's segments that were set aside once. Until its files can be
//! reached the output reads nothing, but may be asked to skip again.

use super::super::archive::Archive;
use super::super::recovery::{RecoveryError, RecoveryOptions, recover};
use super::{DeliveryError, FileOutput};
use crate::journal::Skip;
use crate::journal::cursor_attributes::THROTTLE;

impl FileOutput {
    /// Leaves everything before a place behind, unless it can be delivered and saved on the spot.
    pub(super) fn leave_behind(&mut self, skip: Skip) -> Result<(), DeliveryError> {
        if !self.must_recover {
            match self.flush().and_then(|()| self.checkpoint()) {
                Ok(()) => {}
                Err(error) if error.needs_recovery() => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(
                        output = self.options.id, %error,
                        "cannot save what was delivered before going on further ahead: it is taken back"
                    );
                    self.abandon();
                }
            }
        }
        if self.cursor.saved().position >= skip.to {
            return Ok(());
        }
        let skipped = self.cursor.skip(skip);
        self.read_from_cursor();
        match skipped {
            Err(error) if error.is_uncertain() => Err(error.into()),
            Err(error) => {
                tracing::warn!(
                    output = self.options.id, %error,
                    "the output is too far behind and cannot leave its backlog behind: it holds the journal"
                );
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Takes the files back to the last checkpoint, after [`abandon`](Self::abandon).
    pub(super) fn take_back(&mut self) -> Result<(), RecoveryError> {
        let generation = self.cursor.saved().generation;
        let options = RecoveryOptions { generation, ..self.recovery.clone() };
        let report = recover(self.storage.as_ref(), &options)?;
        report.count(&self.metrics);
        self.must_recover = false;
        Ok(())
    }

    /// Forgets what is in memory, and what was written since the last checkpoint.
    fn abandon(&mut self) {
        let generation = self.cursor.saved().generation;
        let options = super::ArchiveOptions { generation, ..self.archive_options.clone() };
        self.archive = Archive::new(self.storage.clone(), options, self.metrics.clone());
        self.lines.abandoned();
        self.must_recover = true;
        self.read_from_cursor();
    }

    fn read_from_cursor(&mut self) {
        self.flushed = self.cursor.saved().position;
        // After a jump the cursor holds no counts: the windows of throttle filters begin anew.
        self.lines.resume(self.cursor.attribute(THROTTLE));
        self.throttled = self.lines.throttled();
        self.reader = self.cursor.reader(self.flushed);
        self.flush_due = None;
        self.checkpoint_due = None;
    }
}
