//! Going on further ahead when the output is too far behind.
//!
//! What is delivered is saved first, and only what lies behind that is left behind. Where it can't be saved, the files
//! are taken back to the last checkpoint, as after a crash, before anything more is written to them: so what was left
//! behind is in the archive nowhere, and in the journal's segments that were set aside once. Until its files can be
//! reached the output reads nothing, but may be asked to skip again. The same goes for a segment of which nobody can tell
//! whether it was set aside: once that can be read, durably, the output goes on before it or behind it. Where something was
//! handed over that no checkpoint covers (`give_up/`), nothing is left behind before one does.

use super::{DeliveryError, FileOutput};
use crate::journal::Skip;

impl FileOutput {
    /// Leaves everything before a place behind, unless it can be delivered and saved on the spot.
    pub(super) fn leave_behind(&mut self, skip: Skip) -> Result<(), DeliveryError> {
        if !self.must_recover {
            match self.save_all() {
                Ok(()) => {}
                Err(error @ (DeliveryError::HandingOver | DeliveryError::GiveUp(_))) => {
                    self.cursor.ask_again();
                    return Err(error);
                }
                Err(DeliveryError::Archive(error)) if error.needs_recovery() => {
                    self.abandon_after(&error);
                    if let Err(error) = self.find_out() {
                        self.cursor.ask_again();
                        return Err(error.into());
                    }
                }
                // What is left behind is whole segments, also what was handed over of them.
                Err(error) if self.lines.give_up().is_some_and(|give_up| give_up.is_ahead()) => {
                    self.cursor.ask_again();
                    return Err(error);
                }
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
        if self.lines.give_up().is_some_and(|give_up| give_up.is_ahead()) {
            // Not before a checkpoint covers it: until then the output goes on from its last one.
            self.cursor.ask_again();
            return Ok(());
        }
        let skipped = self.cursor.skip(skip);
        self.read_from_cursor();
        match skipped {
            Err(error) if error.is_uncertain() => {
                self.hold_up(&error);
                Err(error.into())
            }
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
}
