//! Frames that were written lately, in memory, so that readers that keep up never touch the disk.
//!
//! Memory that every reader has passed serves for the next commits. It is used in turn, and as little of it as will do: it
//! is then still in the processor's caches, and the system need not be asked for more.

mod block;

use std::collections::{BTreeMap, VecDeque};

pub(super) use block::RecentBlock;

use super::Position;
use super::commit_buffer::CommittedFrames;

/// Bytes of frames that are kept although no reader is known to want them. Few: the memory of those that go serves for the
/// next ones, and is the more in the processor's caches the less there is of it.
const ALWAYS_KEPT: u64 = 2 * 1024 * 1024;

/// The blocks in memory, and who reads.
#[derive(Debug, Default)]
pub(super) struct Recent {
    /// Oldest first.
    blocks: VecDeque<RecentBlock>,
    /// Bytes of memory that they take.
    size: u64,
    /// Where each reader was when it last looked for a block.
    readers: BTreeMap<u64, Position>,
    last_reader: u64,
}

/// A reader, and where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Straggler {
    pub(super) reader: u64,
    pub(super) position: Position,
}

impl Recent {
    /// The block that a position lies in.
    pub(super) fn find(&self, position: Position) -> Option<&RecentBlock> {
        let index = self.blocks.partition_point(|block| block.start <= position);
        self.blocks.get(index.checked_sub(1)?).filter(|block| block.covers(position))
    }

    /// Adds what was just written, and gives memory back that nobody wants any more. All blocks together take no more than
    /// `limit`.
    pub(super) fn push(&mut self, start: Position, frames: CommittedFrames, limit: u64) -> Vec<Vec<u8>> {
        let (block, unused) = RecentBlock::new(start, frames);
        let mut unused = Vec::from_iter(unused);
        self.size += block.size;
        self.blocks.push_back(block);
        while let Some(oldest) = self.blocks.front()
            && (self.size > limit || self.is_unwanted(oldest))
            && let Some(oldest) = self.blocks.pop_front()
        {
            self.size -= oldest.size;
            // Unless a reader still has a part of it.
            unused.extend(oldest.into_memory());
        }
        unused
    }

    /// Bytes of memory that it takes.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Who begins to read is to be named when it looks for blocks, and when it ends.
    pub(super) fn add_reader(&mut self, position: Position) -> u64 {
        self.last_reader += 1;
        self.readers.insert(self.last_reader, position);
        self.last_reader
    }

    pub(super) fn note_reader(&mut self, reader: u64, position: Position) {
        self.readers.insert(reader, position);
    }

    pub(super) fn remove_reader(&mut self, reader: u64) {
        self.readers.remove(&reader);
    }

    /// The reader that is furthest behind of those that find in memory what they want, where all from its block on is
    /// more than so many bytes.
    pub(super) fn straggler(&self, limit: u64) -> Option<Straggler> {
        let oldest = self.blocks.front()?.start;
        let in_memory = self.readers.iter().filter(|(_, position)| **position >= oldest);
        let (number, position) = in_memory.min_by_key(|(_, position)| **position)?;
        let mut behind = 0;
        let newest_first = self.blocks.iter().rev().take_while(|block| block.end() > *position);
        newest_first
            .map(|block| block.size)
            .any(|size| {
                behind += size;
                behind > limit
            })
            .then_some(Straggler { reader: *number, position: *position })
    }

    /// Whether no other reader still has to come by a position.
    pub(super) fn is_last(&self, reader: u64, position: Position) -> bool {
        self.readers.iter().all(|(other, at)| *other == reader || *at >= position)
    }

    /// Whether all have passed the oldest block and let go of it. Those that are a segment behind read the disk anyway;
    /// whoever is closer is to find the more in memory when it has caught up.
    fn is_unwanted(&self, oldest: &RecentBlock) -> bool {
        let is_near = |position: &&Position| position.segment + 1 >= oldest.start.segment;
        self.size > ALWAYS_KEPT
            && oldest.is_unique()
            && self.readers.values().filter(is_near).all(|position| *position >= oldest.end())
    }
}

#[cfg(test)]
mod tests;
