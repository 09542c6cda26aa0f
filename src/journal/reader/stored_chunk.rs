//! What a reader gives: a chunk with its place.

use std::ops::Deref;

use crate::journal::Position;
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::journal::large::Piece;

/// A chunk in the journal, or a piece of a large one, with its place. Of a piece, [`ChunkPayload::entries`] are plain,
/// and [`Position::entry`] is the index of the first of them.
#[derive(Debug, Clone)]
pub struct StoredChunk {
    /// Where it lies.
    pub position: Position,
    /// What to save as the cursor once it is delivered.
    pub next: Position,
    payload: ChunkPayload,
    /// Whether it is a piece of a large chunk.
    pub is_piece: bool,
    /// Whether the start mark of the group that a piece begins in was put before it.
    repeats_mark: bool,
}

impl StoredChunk {
    /// The index, within the whole chunk, of what its entries begin with. One less than `position.entry` where the mark
    /// of a group is repeated before it.
    pub fn first_index(&self) -> u32 {
        self.position.entry.wrapping_sub(u32::from(self.repeats_mark))
    }

    /// All of a chunk, with what comes behind it.
    pub(in crate::journal) fn whole(position: Position, next: Position, payload: ChunkPayload) -> Self {
        Self { position, next, payload, is_piece: false, repeats_mark: false }
    }

    /// A piece of the large chunk at a place, with what comes behind that chunk.
    pub(in crate::journal) fn piece(chunk: Position, behind: Position, piece: Piece) -> Self {
        let Piece { first, repeats_mark, next, payload } = piece;
        let position = Position { entry: first, ..chunk };
        let next = next.map_or(behind, |entry| Position { entry, ..chunk });
        Self { position, next, payload, is_piece: true, repeats_mark }
    }

    pub(in crate::journal) fn into_payload(self) -> ChunkPayload {
        self.payload
    }
}

impl Deref for StoredChunk {
    type Target = ChunkPayload;

    fn deref(&self) -> &ChunkPayload {
        &self.payload
    }
}
