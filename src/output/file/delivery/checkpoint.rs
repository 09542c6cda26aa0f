//! Writing everything in memory into its files, and saving the cursor behind it.

use std::io;

use super::super::error::{ArchiveError, SaveCursorError};
use super::{DeliveryError, FileOutput};
use crate::journal::{CursorError, OutputCursor, Position, SavedCursor};
use crate::output::OutputError;
use crate::pipeline::throttle_state::ThrottleState;

impl FileOutput {
    /// The last words of an output that has delivered everything.
    pub(crate) fn finish(&mut self) -> Result<(), OutputError> {
        if let Err(error) = self.save_all() {
            tracing::warn!(
                output = self.options.id, %error,
                "stopping with unsaved events: they are kept in the journal"
            );
        }
        Ok(())
    }

    /// Writes and saves everything that was read.
    pub(super) fn save_all(&mut self) -> Result<(), DeliveryError> {
        self.flush()?;
        Ok(self.checkpoint()?)
    }

    /// Writes everything in memory into its files, but for files that are given up.
    pub(super) fn write(&mut self) -> Result<(), ArchiveError> {
        let generation = self.archive.generation();
        let (cursor, flushed, throttled) = (&mut self.cursor, self.flushed, &self.throttled);
        let result = self.archive.flush(&mut |generation| save(cursor, flushed, throttled, generation));
        if self.archive.generation() != generation {
            self.lines.saved();
        }
        result?;
        self.flushed = self.reader.position();
        self.throttled = self.lines.throttled();
        self.flush_due = None;
        self.lines.written();
        self.update_gauges();
        Ok(())
    }

    pub(super) fn checkpoint(&mut self) -> Result<(), ArchiveError> {
        if self.cursor.saved().position != self.flushed {
            let (cursor, flushed, throttled) = (&mut self.cursor, self.flushed, &self.throttled);
            self.archive.checkpoint(&mut |generation| save(cursor, flushed, throttled, generation))?;
            self.lines.saved();
            self.all_is_well();
        }
        self.checkpoint_due = None;
        let position = self.cursor.saved().position;
        if let Some(give_up) = self.lines.give_up() {
            give_up.saved(position);
        }
        Ok(())
    }
}

/// Saves a cursor, and says what is on disk if that fails.
fn save(
    cursor: &mut OutputCursor,
    position: Position,
    throttled: &ThrottleState,
    generation: u64,
) -> Result<(), SaveCursorError> {
    cursor.keep(throttled.attribute());
    let saved = SavedCursor { position, generation, ..*cursor.saved() };
    replace(cursor, saved)
}

/// As [`save`], for a cursor that may be elsewhere.
pub(super) fn replace(cursor: &mut OutputCursor, with: SavedCursor) -> Result<(), SaveCursorError> {
    cursor.replace(with).map_err(|error| match error {
        CursorError::Uncertain { .. } => SaveCursorError::Uncertain(io::Error::other(error)),
        error => SaveCursorError::Unchanged(io::Error::other(error)),
    })
}
