//! Large chunks, which are given in pieces.

use super::{ReadError, Reader, StoredChunk};
use crate::journal::Position;
use crate::journal::damage::set_large_aside;
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::journal::large::{LargeFault, LargePlace, Pieces};
use crate::storage::is_for_damage;

impl Reader {
    pub(super) fn open_large(&mut self, payload: &ChunkPayload, next: Position) -> Result<(), ReadError> {
        let folder = &self.shared.folder;
        match Pieces::open(folder.storage().as_ref(), &folder.large_path(self.large_place()), payload) {
            Ok(pieces) => self.large = Some((Box::new(pieces.given_up(self.is_given_up())), next)),
            Err(fault) => self.leave_large(fault, next)?,
        }
        Ok(())
    }

    /// The next piece of the large chunk that was opened; `None` where there is none, or it is over.
    pub(super) fn next_piece(&mut self) -> Result<Option<StoredChunk>, ReadError> {
        let Some((mut pieces, next)) = self.large.take() else { return Ok(None) };
        let chunk = self.position;
        match pieces.next_from(chunk.entry) {
            Ok(Some(piece)) => {
                let goes_on = piece.next.is_some();
                let piece = StoredChunk::piece(chunk, next, piece);
                self.position = piece.next;
                if goes_on {
                    self.large = Some((pieces, next));
                }
                Ok(Some(piece))
            }
            Ok(None) => {
                self.position = next;
                Ok(None)
            }
            Err(fault) => self.leave_large(fault, next).map(|()| None),
        }
    }

    /// Damage is left behind; what else went wrong is tried again from the same position.
    fn leave_large(&mut self, fault: LargeFault, next: Position) -> Result<(), ReadError> {
        match fault {
            LargeFault::Damaged { lost, reason } => {
                set_large_aside(&self.shared, self.position, lost, &reason);
                self.position = next;
                Ok(())
            }
            LargeFault::Io(error) if self.is_given_up() && is_for_damage(&error) => {
                let lost = self.shared.length_of_large(self.large_place());
                set_large_aside(&self.shared, self.position, lost, &error.to_string());
                self.pass_up_to(next.offset);
                Ok(())
            }
            LargeFault::Io(source) => {
                Err(ReadError { path: self.shared.folder.large_path(self.large_place()), source })
            }
        }
    }

    fn large_place(&self) -> LargePlace {
        LargePlace { segment: self.position.segment, offset: self.position.offset }
    }
}
