//! What an output holds of the journal: how far it has come, and what it is asked to do about that.

use tokio::sync::watch;

use super::cursor_attributes::find_attribute;
use super::replay::Refused;
use super::{CursorError, CursorFolder, Journal, Position, Reader, SavedCursor, Skip, SkipError};
use crate::config::BacklogConfig;

/// How far one output has come.
#[derive(Debug)]
pub struct OutputCursor {
    pub(super) id: String,
    pub(super) saved: SavedCursor,
    /// What was saved with it.
    pub(super) attributes: Vec<u8>,
    /// What is to be saved with it next.
    pub(super) kept: Vec<u8>,
    /// Whether `saved` may not be what is on disk.
    pub(super) is_uncertain: bool,
    pub(super) cursors: CursorFolder,
    /// What the output is asked to leave behind.
    pub(super) skips: watch::Receiver<Option<Skip>>,
    pub(super) journal: Journal,
}

impl OutputCursor {
    /// The id of its output.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The value of an [attribute](super::cursor_attributes) that was saved with it.
    pub fn attribute(&self, kind: u8) -> Option<&[u8]> {
        find_attribute(&self.attributes, kind)
    }

    /// What is saved with it from now on: attributes, which have to belong to the position that is saved.
    pub fn keep(&mut self, attributes: Vec<u8>) {
        self.kept = attributes;
    }

    /// What was saved last.
    pub fn saved(&self) -> &SavedCursor {
        &self.saved
    }

    /// Gives up the space that is set aside for a full disk, so that what has to be written before a cursor can be
    /// saved finds room. It is set aside again with the first cursor that is saved when there is space.
    pub fn use_reserve(&self) {
        self.cursors.use_reserve();
    }

    /// Limits how far the output may be behind. Whoever sets another limit than none must answer
    /// [`requested_skip`](Self::requested_skip).
    pub fn limit_backlog(&self, config: &BacklogConfig) {
        self.journal.shared.limit_backlog(&self.id, config);
    }

    /// What the output was asked to leave behind since the last time, if it is still before that.
    pub fn requested_skip(&mut self) -> Option<Skip> {
        if !self.skips.has_changed().unwrap_or(false) {
            return None;
        }
        self.skips.borrow_and_update().filter(|skip| self.saved.position < skip.to)
    }

    /// Makes the last skip be requested once more.
    pub(crate) fn ask_again(&mut self) {
        self.skips.mark_changed();
    }

    /// Tells whenever there may be something to leave behind.
    pub fn skip_requests(&self) -> watch::Receiver<Option<Skip>> {
        self.skips.clone()
    }

    /// Goes on further ahead. What lies between is set aside or lost to this output, and counted. Blocks. After an error
    /// the output may have come some of the way.
    pub fn skip(&mut self, skip: Skip) -> Result<(), SkipError> {
        let before = self.saved.position;
        let skipped = super::skip::skip(&self.journal.shared, &self.cursors, &self.id, &mut self.saved, skip);
        self.is_uncertain |= skipped.as_ref().is_err_and(SkipError::is_uncertain);
        self.left(before);
        skipped
    }

    /// What was kept belongs to where the output was. Nobody can tell what filters would have counted up to here.
    fn left(&mut self, before: Position) {
        if self.saved.position != before {
            self.attributes.clear();
            self.kept.clear();
        }
        self.journal.release();
    }

    /// Reads from a position on.
    pub fn reader(&self, position: Position) -> Reader {
        self.journal.reader(position)
    }

    /// Saves durably that everything before `position` is delivered, and lets the journal go of it.
    pub fn save(&mut self, position: Position, generation: u64) -> Result<(), CursorError> {
        self.replace(SavedCursor { position, generation, ..self.saved })
    }

    /// Bytes that the output still has to deliver once it has come to `position`: the rest of a replay, and what was
    /// never delivered.
    pub(crate) fn bytes_to_deliver(&self, position: Position) -> u64 {
        let cursor = SavedCursor { position, ..self.saved };
        cursor.bytes_to_deliver(|position| self.journal.bytes_behind(position))
    }

    /// What becomes of the cursor by what an operator asked for, where the output has delivered everything before
    /// `position`; `None` where nothing is to be done. A request that comes to nothing is removed, and told.
    pub(crate) fn asked(&self, position: Position) -> Result<Option<SavedCursor>, CursorError> {
        let request = match self.cursors.request(&self.id) {
            Ok(None) => return Ok(None),
            Ok(Some(request)) => request,
            Err(error @ CursorError::DamagedRequest { .. }) => {
                tracing::error!(output = self.id, %error, "a request can't be read and is removed");
                self.cursors.forget_request(&self.id)?;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let cursor = SavedCursor { position, ..self.saved };
        match request.apply(&cursor, self.journal.shared.oldest()) {
            Ok(asked) => Ok(Some(asked)),
            Err(reason) => {
                if reason != Refused::Done {
                    tracing::warn!(output = self.id, %reason, "what was asked of an output comes to nothing");
                }
                self.cursors.forget_request(&self.id)?;
                Ok(None)
            }
        }
    }

    /// Removes what was asked, once it is saved. Where that fails it is seen again, and known to be done.
    pub(crate) fn forget_request(&self) {
        if let Err(error) = self.cursors.forget_request(&self.id) {
            tracing::warn!(output = self.id, %error, "a request was taken up and can't be removed");
        }
    }

    /// Saves all of a cursor, durably.
    pub(crate) fn replace(&mut self, cursor: SavedCursor) -> Result<(), CursorError> {
        let saved = self.cursors.save_with(&self.id, &cursor, &self.kept);
        self.is_uncertain |= matches!(saved, Err(CursorError::Uncertain { .. }));
        saved?;
        self.is_uncertain = false;
        self.attributes.clone_from(&self.kept);
        self.follow(cursor);
        Ok(())
    }

    /// Whether nobody knows which cursor is on disk, or what was left behind, until [`find_out`](Self::find_out) has.
    pub(crate) fn is_uncertain(&self) -> bool {
        self.is_uncertain
    }

    /// Finds out which cursor is on disk and what is set aside, durably, after one was not replaced for certain. What was
    /// left behind (`skip`) stays so. Until it succeeds the output must not go on; then it is asked for its last skip again.
    pub(crate) fn find_out(&mut self) -> Result<(), SkipError> {
        self.cursors.sync()?;
        if let Some(found) = self.cursors.load(&self.id)?
            && found.generation > self.saved.generation
        {
            self.attributes = self.cursors.load_attributes(&self.id)?;
            self.follow(found);
        }
        let before = self.saved.position;
        let found = super::skip::find_out(&self.journal.shared, &self.cursors, &self.id, &mut self.saved);
        self.left(before);
        found?;
        self.is_uncertain = false;
        self.ask_again();
        Ok(())
    }

    fn follow(&mut self, cursor: SavedCursor) {
        self.saved = cursor;
        self.journal.shared.set_cursor(&self.id, self.journal.held(&self.id, &cursor));
        self.journal.release();
    }
}
