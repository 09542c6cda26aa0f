//! Holds of outputs that do not run.
//!
//! A hold keeps what its output gave up, so that the output passes it over when it comes upon it once more. An output that
//! the configuration no longer has comes upon nothing. Where it was forgotten, or has passed all that it gave up, its hold
//! is for nothing and goes. Else it stays until the output is back or forgotten; it is never set aside, since nobody
//! would ever read it there.

use super::{GivenUp, Hold, HoldError};
use crate::journal::{CursorError, CursorFolder, HOLD, Journal, SetAsideError, is_hold};

impl GivenUp {
    /// Removes the holds that keep nothing any more. Once all outputs are open; `main` is the journal that they read.
    ///
    /// What can't be removed is told, and left to the next start.
    pub fn remove_orphans(&self, main: &Journal) {
        let ids = self.journal.cursor_ids().unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot look for what outputs gave up that are no more; the next start does");
            Vec::new()
        });
        for id in ids.iter().filter(|id| is_hold(id) && !self.journal.is_attached(id)) {
            let output = id.strip_prefix(HOLD).unwrap_or(id);
            match self.remove_orphan(id, output, main) {
                Ok(true) => tracing::info!(output, "what an output gave up is not kept for it any more"),
                Ok(false) => tracing::warn!(
                    output,
                    "an output that the configuration no longer has gave up messages that its cursor has not passed: \
                     given-up/ keeps them until it is back or forgotten, and when that is full, outputs that give up \
                     wait. If it is gone for good, stop the server and run: hikyaku journal forget {output}"
                ),
                Err(error) => {
                    tracing::warn!(output, %error, "cannot look at what an output gave up that is no more")
                }
            }
        }
        if let Err(error) = self.remove_set_aside_holds() {
            tracing::warn!(%error, "cannot remove segments that were set aside for nobody; the next start does");
        }
    }

    /// Whether the hold is removed.
    fn remove_orphan(&self, id: &str, output: &str, main: &Journal) -> Result<bool, HoldError> {
        if let Some(cursor) = main.saved_cursor(output)?.filter(|cursor| cursor.journal == main.id()) {
            let journal: String = main.id().iter().map(|byte| format!("{byte:02x}")).collect();
            let (hold, _) = Hold::open(self, output, &journal)?;
            if !hold.is_passed_at(cursor.resumed().position) {
                return Ok(false);
            }
        }
        self.journal.forget(id)?;
        Ok(true)
    }

    /// Earlier versions set aside what a hold of an output that did not run kept, as if it were to be delivered.
    fn remove_set_aside_holds(&self) -> Result<(), SetAsideError> {
        let set_aside = self.journal.set_aside();
        for id in set_aside.outputs()?.iter().filter(|id| is_hold(id)) {
            for found in set_aside.segments(id)? {
                set_aside.remove(id, found.segment)?;
            }
        }
        Ok(())
    }
}

/// Removes the hold of an output, where it has one, from the cursors of what outputs gave up; the caller has locked those.
pub fn forget_hold(cursors: &CursorFolder, output: &str) -> Result<(), CursorError> {
    let id = super::hold::id_of(output);
    match cursors.ids()?.contains(&id) {
        true => cursors.remove(&id),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
