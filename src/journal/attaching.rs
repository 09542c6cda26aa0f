//! Outputs and their cursors.

use std::time::SystemTime;

use super::shared::Held;
use super::{CursorError, Journal, OutputCursor, Replays, SavedCursor};
use crate::config::StartAt;

impl Journal {
    /// The cursor of an output; one that is new begins where `start` says, and holds the journal from now on.
    pub fn attach(&self, id: &str, start: StartAt) -> Result<OutputCursor, CursorError> {
        let newest = self.shared.newest();
        let loaded = self.cursors.load(id)?;
        let saved = match loaded {
            Some(saved) if saved.journal != self.shared.journal => {
                tracing::warn!(
                    output = id,
                    "the journal is another one than before: starting at its oldest chunk"
                );
                let replays = Replays { current: None, ..saved.replays };
                let position = self.shared.oldest();
                SavedCursor { journal: self.shared.journal, position, replays, ..saved }
            }
            Some(saved) => saved,
            None => {
                let position = match start {
                    StartAt::Newest => newest,
                    StartAt::Oldest => self.shared.oldest(),
                };
                SavedCursor {
                    journal: self.shared.journal,
                    position,
                    generation: 0,
                    replays: Replays::default(),
                }
            }
        };
        // A cursor that is there already needs no space on a disk that may be full.
        if loaded != Some(saved) {
            self.cursors.save(id, &saved)?;
        }
        self.shared.set_cursor(id, self.held(id, &saved));
        // What was kept belongs to the position that it was saved with.
        let attributes = if loaded == Some(saved) { self.cursors.load_attributes(id)? } else { Vec::new() };
        Ok(OutputCursor {
            id: id.to_owned(),
            saved,
            kept: attributes.clone(),
            attributes,
            is_uncertain: false,
            cursors: self.cursors.clone(),
            skips: self.shared.attach(id),
            journal: self.clone(),
        })
    }

    /// What an output holds: what it is asked to deliver again counts from the start.
    pub(super) fn held(&self, id: &str, saved: &SavedCursor) -> Held {
        let held = Held::by(saved);
        match self.cursors.request(id) {
            Ok(Some(request)) => {
                let asked = request.apply(saved, self.shared.oldest());
                Held { from: asked.map_or(held.from, |asked| asked.position.min(held.from)), ..held }
            }
            // A request that can't be read is told when it would be taken up.
            Ok(None) | Err(_) => held,
        }
    }

    /// Removes the cursor of an output that is no more, and lets go of what only that still needed.
    pub(crate) fn forget(&self, id: &str) -> Result<(), CursorError> {
        self.cursors.remove(id)?;
        self.shared.forget(id);
        self.release();
        Ok(())
    }

    /// Whether an output runs.
    pub(crate) fn is_attached(&self, id: &str) -> bool {
        self.shared.lock().attached.contains_key(id)
    }

    /// Outputs that have a cursor, sorted.
    pub fn cursor_ids(&self) -> Result<Vec<String>, CursorError> {
        self.cursors.ids()
    }

    /// The cursor of an output as it was saved; `None` where it has none.
    pub(crate) fn saved_cursor(&self, id: &str) -> Result<Option<SavedCursor>, CursorError> {
        self.cursors.load(id)
    }

    /// Outputs of which an operator asks something, and since when, sorted.
    pub(crate) fn requests(&self) -> Result<Vec<(String, SystemTime)>, CursorError> {
        self.cursors.requests()
    }
}
