//! The chunks of a segment, one after the other.

use std::io;
use std::ops::ControlFlow;

use super::{InspectError, Inspection, OpenedSegment};
use crate::journal::Position;
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::journal::format::frame::FrameKind;
use crate::journal::format::reference::Reference;
use crate::journal::format::segment_header::SEGMENT_HEADER_LENGTH;
use crate::journal::frame_reader::Frame;
use crate::journal::large::{LargeFault, LargePlace, Pieces};
use crate::journal::reader::StoredChunk;

impl Inspection {
    /// Calls `visit` with every chunk of a segment, a piece of a large one at a time, until it says `false`. Damage is
    /// passed over.
    pub fn chunks(
        &self,
        segment: u64,
        mut visit: impl FnMut(Position, ChunkPayload) -> bool,
    ) -> Result<(), InspectError> {
        self.stored_chunks(segment, |chunk| visit(chunk.position, chunk.into_payload()))
    }

    /// As [`chunks`](Self::chunks), as a reader of the journal gives them to outputs.
    pub fn stored_chunks(
        &self,
        segment: u64,
        mut visit: impl FnMut(StoredChunk) -> bool,
    ) -> Result<(), InspectError> {
        let mut opened = self.open(segment)?;
        let mut behind = SEGMENT_HEADER_LENGTH;
        while let Some((offset, frame)) = opened.next_chunk(behind).map_err(self.error(segment))? {
            behind = frame.next;
            let Ok(chunk) = ChunkPayload::decode(frame.payload) else { continue };
            let position = Position::new(segment, offset);
            let next = Position::new(segment, frame.next);
            let goes_on = match frame.header.kind {
                FrameKind::Large => self.pieces(position, next, &chunk, &mut visit)?,
                _ => visit(StoredChunk::whole(position, next, chunk)),
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Calls `visit` with the place of every frame that holds a chunk, the place behind it, the bytes of its entries, and
    /// the chunk; of a large one only what its frame says.
    pub(in crate::journal) fn frames(
        &self,
        segment: u64,
        mut visit: impl FnMut(Position, Position, u64, &ChunkPayload) -> ControlFlow<()>,
    ) -> Result<(), InspectError> {
        let mut opened = self.open(segment)?;
        let mut behind = SEGMENT_HEADER_LENGTH;
        while let Some((offset, frame)) = opened.next_chunk(behind).map_err(self.error(segment))? {
            behind = frame.next;
            let is_large = frame.header.kind == FrameKind::Large;
            let decode = if is_large { ChunkPayload::decode } else { ChunkPayload::decode_head };
            let Ok(chunk) = decode(frame.payload) else { continue };
            let bytes = match Reference::decode(chunk.entries()).filter(|_| is_large) {
                Some(reference) => reference.length,
                None => chunk.kept_length(),
            };
            let (position, next) = (Position::new(segment, offset), Position::new(segment, frame.next));
            if visit(position, next, bytes, &chunk).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn pieces(
        &self,
        position: Position,
        next: Position,
        chunk: &ChunkPayload,
        visit: &mut impl FnMut(StoredChunk) -> bool,
    ) -> Result<bool, InspectError> {
        let path = self.folder.large_path(LargePlace { segment: position.segment, offset: position.offset });
        let mut pieces = match Pieces::open(self.folder.storage().as_ref(), &path, chunk) {
            Ok(pieces) => pieces,
            Err(LargeFault::Damaged { .. }) => return Ok(true),
            Err(LargeFault::Io(source)) => return Err(InspectError::Io { path, source }),
        };
        loop {
            match pieces.next_from(0) {
                Ok(Some(piece)) => {
                    if !visit(StoredChunk::piece(position, next, piece)) {
                        return Ok(false);
                    }
                }
                Ok(None) | Err(LargeFault::Damaged { .. }) => return Ok(true),
                Err(LargeFault::Io(source)) => return Err(InspectError::Io { path, source }),
            }
        }
    }
}

impl OpenedSegment {
    /// The first frame at or behind an offset that is one of a chunk, and where it begins. Damage is passed over.
    fn next_chunk(&mut self, mut offset: u64) -> io::Result<Option<(u64, Frame)>> {
        loop {
            if let Some(frame) = self.reader.frame_at(offset, self.length)? {
                let is_chunk = frame.header.kind != FrameKind::Footer;
                return Ok(is_chunk.then_some((offset, frame)));
            }
            match self.reader.find_frame(offset, self.length)?.frame {
                Some(next) => offset = next,
                None => return Ok(None),
            }
        }
    }
}
