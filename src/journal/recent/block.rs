//! What one commit wrote, in memory.

use std::sync::Arc;

use bytes::Bytes;

use crate::journal::Position;
use crate::journal::commit_buffer::CommittedFrames;
use crate::journal::format::JournalId;
use crate::journal::format::frame::{FRAME_HEADER_LENGTH, FrameHeader, seed};
use crate::journal::frame_reader::Frame;
use crate::journal::in_place::InPlace;

/// Memory that a block may take, in multiples of the length of its frames: where it takes more they are copied.
const MAX_SLACK: usize = 8;

/// The frames of one commit.
#[derive(Debug, Clone)]
pub(in crate::journal) struct RecentBlock {
    pub(in crate::journal) start: Position,
    /// With something before the frames, which is none of theirs.
    pub(super) memory: Bytes,
    /// Where the frames begin in it.
    frames: usize,
    /// Entries that are no part of this memory, in the order of their frames.
    pub(super) in_place: Arc<[InPlace]>,
    /// Bytes of all frames.
    length: u64,
    /// Bytes of memory that it takes.
    pub(super) size: u64,
}

impl RecentBlock {
    /// What was just written, and memory that it does not need.
    pub(super) fn new(start: Position, frames: CommittedFrames) -> (Self, Option<Vec<u8>>) {
        let CommittedFrames { memory, frames, in_place } = frames;
        let elsewhere: usize = in_place.iter().map(|in_place| in_place.blocks.len()).sum();
        let kept_elsewhere: usize = in_place.iter().map(|in_place| in_place.memory).sum();
        let length = frames.len() + elsewhere;
        // All of the memory counts, and not what is used of it alone.
        let (memory, frames, size, unused) = if memory.capacity() > MAX_SLACK * length {
            let copy = Bytes::copy_from_slice(&memory[frames]);
            (copy.clone(), 0, copy.len(), Some(memory))
        } else {
            let size = memory.capacity();
            (Bytes::from(memory), frames.start, size, None)
        };
        let (length, size) = (length as u64, (size + kept_elsewhere) as u64);
        (Self { start, memory, frames, in_place: in_place.into(), length, size }, unused)
    }

    /// The memory of the commit, unless somebody has a part of it.
    pub(super) fn into_memory(self) -> Option<Vec<u8>> {
        self.memory.try_into_mut().ok().map(Vec::from)
    }

    /// The frame at an offset of the segment; `None` where its header does not check, which only broken memory makes.
    pub(in crate::journal) fn frame_at(&self, journal: &JournalId, offset: u64) -> Option<Frame> {
        let mut at = usize::try_from(offset.checked_sub(self.start.offset)?).ok()?;
        let mut in_place = None;
        for entries in &*self.in_place {
            if at < entries.at {
                in_place = Some(entries).filter(|entries| entries.frame == at);
                break;
            }
            at = at.checked_sub(entries.blocks.len())?;
        }
        let at = self.frames + at;
        let seed = seed(journal, self.start.segment, offset);
        let header = FrameHeader::decode(self.memory.get(at..)?, seed)?;
        let start = at + FRAME_HEADER_LENGTH as usize;
        let end = match in_place {
            None => start.checked_add(header.payload_length as usize)?,
            Some(entries) => self.frames + entries.head_end,
        };
        if end > self.memory.len() {
            return None;
        }
        let entries = in_place.map(|in_place| in_place.entries.clone());
        Some(Frame {
            header,
            payload: self.memory.slice(start..end),
            entries,
            next: offset + header.frame_length(),
        })
    }

    /// Whether nobody else has a part of it.
    pub(super) fn is_unique(&self) -> bool {
        self.memory.is_unique() && self.in_place.iter().all(|in_place| in_place.entries.is_unique())
    }

    /// Whether a position of the same segment lies in it.
    pub(super) fn covers(&self, position: Position) -> bool {
        self.start <= position && position < self.end()
    }

    pub(super) fn end(&self) -> Position {
        Position::new(self.start.segment, self.start.offset + self.length)
    }
}
