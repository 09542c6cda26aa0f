//! Frames that were written lately, in memory, so that readers that keep up never touch the disk.
//!
//! Memory that every reader has passed serves for the next commits. It is used in turn, and as little of it as will do: it
//! is then still in the processor's caches, and the system need not be asked for more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::Position;
use super::commit_buffer::CommittedFrames;
use super::format::JournalId;
use super::format::frame::{FRAME_HEADER_LENGTH, FrameHeader, seed};
use super::frame_reader::Frame;
use super::in_place::InPlace;

/// Bytes of frames that are kept although no reader is known to want them.
const ALWAYS_KEPT: u64 = 8 * 1024 * 1024;

/// Memory that a block may take, in multiples of the length of its frames: where it takes more they are copied.
const MAX_SLACK: usize = 8;

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
    reader: u64,
    position: Position,
}

/// The frames of one commit.
#[derive(Debug, Clone)]
pub(super) struct RecentBlock {
    pub(super) start: Position,
    /// With something before the frames, which is none of theirs.
    memory: Bytes,
    /// Where the frames begin in it.
    frames: usize,
    /// Entries that are no part of this memory, in the order of their frames.
    in_place: Arc<[InPlace]>,
    /// Bytes of all frames.
    length: u64,
    /// Bytes of memory that it takes.
    size: u64,
}

impl RecentBlock {
    /// The frame at an offset of the segment; `None` where its header does not check, which only broken memory makes.
    pub(super) fn frame_at(&self, journal: &JournalId, offset: u64) -> Option<Frame> {
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
    fn is_unique(&self) -> bool {
        self.memory.is_unique() && self.in_place.iter().all(|in_place| in_place.entries.is_unique())
    }

    /// Whether a position of the same segment lies in it.
    pub(super) fn covers(&self, position: Position) -> bool {
        self.start <= position && position < self.end()
    }

    fn end(&self) -> Position {
        Position::new(self.start.segment, self.start.offset + self.length)
    }
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
        let CommittedFrames { memory, frames, in_place } = frames;
        let elsewhere: usize = in_place.iter().map(|in_place| in_place.blocks.len()).sum();
        let kept_elsewhere: usize = in_place.iter().map(|in_place| in_place.memory).sum();
        let length = frames.len() + elsewhere;
        let mut unused = Vec::new();
        // All of the memory counts, and not what is used of it alone.
        let (memory, frames, size) = if memory.capacity() > MAX_SLACK * length {
            let copy = Bytes::copy_from_slice(&memory[frames]);
            unused.push(memory);
            (copy.clone(), 0, copy.len())
        } else {
            let size = memory.capacity();
            (memory.into(), frames.start, size)
        };
        let block = RecentBlock {
            start,
            memory,
            frames,
            in_place: in_place.into(),
            length: length as u64,
            size: (size + kept_elsewhere) as u64,
        };
        self.size += block.size;
        self.blocks.push_back(block);
        while let Some(oldest) = self.blocks.front()
            && (self.size > limit || self.is_unwanted(oldest))
            && let Some(oldest) = self.blocks.pop_front()
        {
            self.size -= oldest.size;
            // Unless a reader still has a part of it.
            unused.extend(oldest.memory.try_into_mut().map(Vec::from));
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
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn frames(length: usize) -> CommittedFrames {
        let mut memory = Vec::with_capacity(length);
        memory.resize(length, 1);
        CommittedFrames { memory, frames: 10..length, in_place: Vec::new() }
    }

    /// Blocks of a mebibyte each, one behind the other, as many as are given; what was given back for them.
    fn push(recent: &mut Recent, numbers: std::ops::Range<u64>) -> usize {
        let start = |number| Position::new(1, 64 + number * (MIB as u64 - 10));
        numbers.map(|number| recent.push(start(number), frames(MIB), 32 * MIB as u64).len()).sum()
    }

    #[test]
    fn the_last_reader_is_the_one_that_nobody_is_behind() {
        let mut recent = Recent::default();
        let [first, second] = [at(3), at(5)].map(|position| recent.add_reader(position));
        assert!(recent.is_last(first, at(3)) && !recent.is_last(second, at(5)));
        recent.note_reader(first, at(5));
        assert!(recent.is_last(first, at(5)) && recent.is_last(second, at(5)));
        recent.note_reader(first, at(6));
        recent.remove_reader(second);
        assert!(recent.is_last(first, at(6)));
    }

    fn at(number: u64) -> Position {
        Position::new(1, 64 + number * (MIB as u64 - 10) + 5)
    }

    #[test]
    fn what_no_reader_is_before_goes_beyond_what_is_always_kept() {
        let mut recent = Recent::default();
        assert_eq!(push(&mut recent, 0..8), 0);
        assert_eq!(push(&mut recent, 8..20), 12);
        assert!(recent.find(at(11)).is_none());
        assert!((12..20).all(|number| recent.find(at(number)).is_some_and(|block| block.covers(at(number)))));
        assert!(recent.find(at(20)).is_none());
    }

    #[test]
    fn what_a_reader_is_in_stays_with_all_behind_it_up_to_the_limit() {
        let mut recent = Recent::default();
        let reader = recent.add_reader(at(0));
        assert_eq!(push(&mut recent, 0..32), 0);
        assert!(recent.find(at(0)).is_some());
        assert_eq!(push(&mut recent, 32..33), 1);
        assert!(recent.find(at(0)).is_none());
        recent.remove_reader(reader);
        push(&mut recent, 33..40);
        assert_eq!(recent.size, ALWAYS_KEPT);
    }

    #[test]
    fn whoever_is_a_segment_behind_keeps_nothing_in_memory() {
        let mut recent = Recent::default();
        recent.add_reader(Position::new(1, 64));
        let start = |segment, number| Position::new(segment, 64 + number * (MIB as u64 - 10));
        let mut push = |segment, numbers: std::ops::Range<u64>| {
            numbers
                .for_each(|number| drop(recent.push(start(segment, number), frames(MIB), 32 * MIB as u64)));
            recent.size / MIB as u64
        };
        assert_eq!(push(2, 0..20), 20);
        assert_eq!(push(3, 0..31), 32, "the oldest are of the segment behind the reader's");
        assert_eq!(push(3, 31..32), 8);
    }

    #[test]
    fn what_a_reader_holds_on_to_is_not_used_again() {
        let mut recent = Recent::default();
        push(&mut recent, 0..8);
        let held = recent.find(at(0)).map(|block| block.memory.clone());
        assert_eq!(push(&mut recent, 8..20), 0);
        drop(held);
        assert_eq!(push(&mut recent, 20..21), 13, "all but what is always kept");
    }

    #[test]
    fn a_few_frames_in_much_memory_are_copied_out_of_it() {
        let mut recent = Recent::default();
        let mut little = frames(MIB);
        little.frames = MIB - 100..MIB;
        let unused = recent.push(Position::new(1, 64), little, 32 * MIB as u64);
        assert_eq!(unused.iter().map(Vec::capacity).collect::<Vec<_>>(), [MIB]);
        assert_eq!(recent.size, 100);
        assert!(recent.find(Position::new(1, 163)).is_some_and(|block| block.memory.len() == 100));
        assert!(recent.find(Position::new(1, 164)).is_none());
    }
}
