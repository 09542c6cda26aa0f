//! From a chunk to lines in the buffers of files.

use std::time::Instant;

use crate::journal::StoredChunk;
use crate::pipeline::throttle_state::ThrottleState;

use super::archive::Archive;
use super::give_up::{GiveUp, Hopeless};

/// Makes lines of chunks.
pub(super) trait Lines: Send + std::fmt::Debug {
    /// Appends the lines of a chunk to the buffers of their files.
    fn take(&mut self, chunk: &StoredChunk, archive: &mut Archive);

    /// All lines so far are in their files, and slots of the archive are void.
    fn written(&mut self);

    /// What was written before is saved: it is never taken again.
    fn saved(&mut self);

    /// What was taken and is not saved is forgotten, and will be taken again or left behind; slots of the archive are void.
    fn abandoned(&mut self);

    /// What is given up of them; `None` where nothing can be.
    fn give_up(&mut self) -> Option<&mut GiveUp> {
        None
    }

    /// Hands over what a chunk, which was taken before, has for files that are being given up.
    fn hand_over(&mut self, _chunk: &StoredChunk, _files: &Hopeless) {}

    /// Chunks are read once more from where everything was written last, for [`hand_over`](Self::hand_over), as filters had
    /// counted there.
    fn begin_handing_over(&mut self) {}

    /// It is over: what filters had counted before holds again.
    fn end_handing_over(&mut self) {}

    /// What its filters have counted of the chunks so far.
    fn throttled(&self) -> ThrottleState {
        ThrottleState::default()
    }

    /// Goes on with the counts of a cursor; `None`: it holds none, and nothing is counted yet.
    fn resume(&mut self, _encoded: Option<&[u8]>) {}

    /// When [`keep_house`](Self::keep_house) is due.
    fn housekeeping_due(&self) -> Option<Instant> {
        None
    }

    /// Called right after a checkpoint, when all lines are durable.
    fn keep_house(&mut self, _now: Instant) {}
}
