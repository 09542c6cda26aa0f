//! The frames of a commit, in memory that can go to the disk as it is.
//!
//! ```text
//! memory   ┌──────┬──────────┬───────────────────────┬───────┐
//!          │ skip │ before   │ frames                │ zeros │
//!          └──────┴──────────┴───────────────────────┴───────┘
//!                 ▲ at a multiple of BLOCK in memory and in the file
//! ```
//!
//! Entries that stay where they are belong between two parts of this memory (`in_place.rs`).
//!
//! `before` is what the file holds already of the block in which the frames begin, so that whole blocks can be written:
//! the same bytes once more, as the page cache would write them.

use std::io::IoSlice;
use std::ops::Range;

use bytes::Bytes;

use super::format::frame::FRAME_ALIGNMENT;
use super::in_place::{InPlace, bytes_before_blocks};

/// What memory, offset and length of a write past the page cache have to be multiples of, on all usual disks.
pub(super) const BLOCK: usize = 4096;

/// Memory comes in multiples of this, so that it serves for commits of different sizes.
const STEP: usize = 64 * 1024;

/// Pieces of memory that are kept for commits to come, beside the one in use: they are of different sizes.
const SPARES: usize = 4;

/// Frames that are to be written next.
#[derive(Debug, Default)]
pub(super) struct CommitBuffer {
    memory: Vec<u8>,
    /// Where the first block begins.
    start: usize,
    /// Where the first frame begins.
    frames: usize,
    /// Entries that are no part of this memory, in the order of their frames.
    in_place: Vec<InPlace>,
    /// Memory for commits to come.
    spares: Vec<Vec<u8>>,
}

impl CommitBuffer {
    /// Empty, for frames behind these bytes of their block.
    pub(super) fn new(before: &[u8]) -> Self {
        let mut buffer = Self::default();
        buffer.begin(before);
        buffer
    }

    /// Bytes of the frames so far.
    pub(super) fn len(&self) -> usize {
        self.copied() + self.in_place.iter().map(|entries| entries.blocks.len()).sum::<usize>()
    }

    /// Those of them that are in its own memory.
    pub(super) fn copied(&self) -> usize {
        self.memory.len() - self.frames
    }

    /// Where frames of so many bytes in all are to be appended. About so many `more` are expected before they are written.
    pub(super) fn room_for(&mut self, bytes: usize, more: usize) -> &mut Vec<u8> {
        // Zeros are put behind them.
        let wanted = self.memory.len() + bytes + BLOCK;
        if wanted > self.memory.capacity() {
            let memory = self.memory_for(BLOCK + wanted, BLOCK + wanted + more);
            let before = self.move_to(memory);
            self.reuse(before);
        }
        &mut self.memory
    }

    /// Appends a frame whose header and head `write_head` appends, as long as there is [room](Self::room_for) for it and two
    /// blocks. Its entries, which keep so much memory, follow where they are, but for what of them shares its block with
    /// something else: so their place within a block has to be the same in memory and behind the head.
    pub(super) fn push_in_place(
        &mut self,
        entries: &Bytes,
        memory: usize,
        write_head: impl FnOnce(&mut Vec<u8>),
    ) {
        let frame = self.copied();
        write_head(&mut self.memory);
        let head_end = self.copied();
        let first = bytes_before_blocks(entries);
        debug_assert_eq!((self.memory.len() + first - self.start) % BLOCK, 0);
        let blocks = first..entries.len() - (entries.len() - first) % BLOCK;
        self.memory.extend_from_slice(&entries[..first]);
        let at = self.copied();
        self.memory.extend_from_slice(&entries[blocks.end..]);
        // Whole blocks make no difference to that.
        let end = frame + (self.copied() - frame).next_multiple_of(FRAME_ALIGNMENT as usize);
        self.memory.resize(self.frames + end, 0);
        self.in_place.push(InPlace { frame, head_end, at, entries: entries.clone(), blocks, memory });
    }

    /// Forgets what lies behind so many bytes of its own memory, behind the last entries that are elsewhere.
    pub(super) fn truncate(&mut self, copied: usize) {
        self.memory.truncate(self.frames + copied);
    }

    /// The frames, in parts that follow one another.
    pub(super) fn with_frames<T>(&self, write: impl FnOnce(&mut [IoSlice<'_>]) -> T) -> T {
        write(&mut self.parts(self.frames))
    }

    /// The frames within whole blocks: what is before them in the first, and zeros behind them in the last. Each part is of
    /// whole blocks, too.
    pub(super) fn with_blocks<T>(&mut self, write: impl FnOnce(&mut [IoSlice<'_>]) -> T) -> T {
        let end = self.memory.len();
        let padding = (end - self.start).next_multiple_of(BLOCK) - (end - self.start);
        self.room_for(0, 0).resize(end + padding, 0);
        let written = write(&mut self.parts(self.start));
        self.memory.truncate(end);
        written
    }

    fn parts(&self, from: usize) -> Vec<IoSlice<'_>> {
        let mut parts = Vec::with_capacity(2 * self.in_place.len() + 1);
        let mut done = from;
        for entries in &self.in_place {
            let at = self.frames + entries.at;
            parts.extend([&self.memory[done..at], entries.blocks()].map(IoSlice::new));
            done = at;
        }
        parts.push(IoSlice::new(&self.memory[done..]));
        parts
    }

    /// Takes the frames out, and begins with the next ones behind them.
    pub(super) fn take(&mut self) -> CommittedFrames {
        let end = self.memory.len();
        let last_block = end - (end - self.start) % BLOCK;
        let spares = std::mem::take(&mut self.spares);
        let next = Self { spares, ..Self::new(&self.memory[last_block..]) };
        let Self { memory, frames, in_place, .. } = std::mem::replace(self, next);
        CommittedFrames { memory, frames: frames..end, in_place }
    }

    /// Keeps memory for what comes next.
    pub(super) fn reuse(&mut self, memory: Vec<u8>) {
        if memory.capacity() >= STEP {
            let place = self.spares.partition_point(|spare| spare.capacity() < memory.capacity());
            self.spares.insert(place, memory);
        }
        if self.spares.len() > SPARES {
            self.spares.remove(0);
        }
    }

    /// Bytes of memory, with what is kept for what comes next.
    pub(super) fn size(&self) -> usize {
        self.memory.capacity() + self.spares.iter().map(Vec::capacity).sum::<usize>()
    }

    /// Gives memory back that is kept for what comes next, beginning with the smallest, until all of it is within a
    /// limit; but for the largest piece, which the next commit needs in any case.
    pub(super) fn shrink_to(&mut self, limit: usize) {
        while self.spares.len() > 1 && self.size() > limit {
            self.spares.remove(0);
        }
    }

    /// The memory that is kept for what comes next.
    pub(super) fn into_spares(self) -> Vec<Vec<u8>> {
        self.spares
    }

    fn begin(&mut self, before: &[u8]) {
        self.memory.extend_from_slice(before);
        self.frames = self.start + before.len();
    }

    /// The smallest that is enough for all that is expected, else any that is enough for what there is.
    fn memory_for(&mut self, wanted: usize, expected: usize) -> Vec<u8> {
        let place = self.spares.partition_point(|spare| spare.capacity() < expected);
        let place = place.min(self.spares.len().saturating_sub(1));
        match self.spares.get(place) {
            Some(spare) if spare.capacity() >= wanted => self.spares.remove(place),
            _ => Vec::with_capacity(expected.next_multiple_of(STEP)),
        }
    }

    /// Goes on in other memory that has room for at least as much. Gives back what it leaves.
    fn move_to(&mut self, mut memory: Vec<u8>) -> Vec<u8> {
        memory.clear();
        let start = memory.as_ptr().align_offset(BLOCK);
        memory.resize(start, 0);
        memory.extend_from_slice(&self.memory[self.start..]);
        self.frames = start + (self.frames - self.start);
        self.start = start;
        std::mem::replace(&mut self.memory, memory)
    }
}

/// Frames that were written, within the memory that they were written from.
#[derive(Debug)]
pub(super) struct CommittedFrames {
    pub(super) memory: Vec<u8>,
    pub(super) frames: Range<usize>,
    /// Entries that are no part of this memory, in the order of their frames.
    pub(super) in_place: Vec<InPlace>,
}

#[cfg(test)]
mod tests {
    use super::super::in_place::padding;
    use super::*;

    fn push(buffer: &mut CommitBuffer, bytes: &[u8]) {
        buffer.room_for(bytes.len(), 0).extend_from_slice(bytes);
    }

    /// What would be written, and whether it lies where it must.
    fn blocks(buffer: &mut CommitBuffer) -> Vec<u8> {
        buffer.with_blocks(|parts| {
            for part in &*parts {
                assert_eq!((part.as_ptr().align_offset(BLOCK), part.len() % BLOCK), (0, 0));
            }
            concat(parts)
        })
    }

    fn concat(parts: &[IoSlice<'_>]) -> Vec<u8> {
        parts.iter().flat_map(|part| part.iter().copied()).collect()
    }

    fn frames(buffer: &CommitBuffer) -> Vec<u8> {
        buffer.with_frames(|parts| concat(parts))
    }

    #[test]
    fn frames_are_written_in_whole_blocks_with_what_the_file_has_before_them() {
        for (before, frames) in [(0, 1), (64, 4032), (64, 4033), (4095, 1), (100, 200_000)] {
            let mut buffer = CommitBuffer::new(&vec![1; before]);
            push(&mut buffer, &vec![2; frames]);
            let blocks = blocks(&mut buffer);
            assert!(blocks.len() - before - frames < BLOCK);
            let expected =
                [vec![1; before], vec![2; frames], vec![0; blocks.len() - before - frames]].concat();
            assert!(blocks == expected, "{before} {frames}");
            assert!(super::tests::frames(&buffer).iter().all(|byte| *byte == 2));
            assert_eq!(buffer.len(), frames);
        }
    }

    #[test]
    fn the_next_commit_has_the_last_block_of_this_one_before_it() {
        let mut buffer = CommitBuffer::new(&[1; 64]);
        push(&mut buffer, &[2; 2 * BLOCK]);
        let taken = buffer.take();
        assert!(taken.memory[taken.frames] == [2; 2 * BLOCK]);
        push(&mut buffer, &[3; 10]);
        assert_eq!(blocks(&mut buffer)[..80], [&[2; 64][..], &[3; 10], &[0; 6]].concat());
        buffer.take();
        push(&mut buffer, &[4; 10]);
        assert_eq!(blocks(&mut buffer)[..90], [&[2; 64][..], &[3; 10], &[4; 10], &[0; 6]].concat());
    }

    #[test]
    fn entries_stay_where_they_are_but_for_what_shares_its_block() {
        let message = Bytes::from((0..10 * BLOCK).map(|number| (number % 251) as u8).collect::<Vec<_>>());
        for (start, length) in [(0, 2 * BLOCK), (1, 2 * BLOCK), (4095, 2 * BLOCK + 1), (77, 5 * BLOCK + 4019)]
        {
            let mut buffer = CommitBuffer::new(&[1; 64]);
            push(&mut buffer, &[2; 1000]);
            let entries = message.slice(start..start + length);
            let padding = padding((64 + 1000 + 24) as u64, &entries);
            buffer.room_for(24 + padding + 2 * BLOCK, 0);
            buffer.push_in_place(&entries, 0, |out| out.resize(out.len() + 24 + padding, 3));
            push(&mut buffer, &[4; 8]);

            let frame = [vec![3; 24 + padding], entries.to_vec()].concat();
            let zeros = vec![0; frame.len().next_multiple_of(8) - frame.len()];
            let expected = [vec![2; 1000], frame, zeros, vec![4; 8]].concat();
            assert_eq!(buffer.len(), expected.len());
            assert!(frames(&buffer) == expected, "{start} {length}");
            let blocks = blocks(&mut buffer);
            assert!(blocks[64..64 + expected.len()] == expected);
            let [in_place] = &buffer.take().in_place[..] else { panic!("one is in place") };
            assert_eq!((in_place.frame, in_place.head_end), (1000, 1024 + padding));
            assert_eq!(in_place.entries, entries);
            assert!(length - in_place.blocks.len() < 2 * BLOCK);
            push(&mut buffer, &[5; 1]);
            let before = (64 + expected.len()) % BLOCK;
            assert!(
                super::tests::blocks(&mut buffer)[..before]
                    == blocks[64 + expected.len() - before..64 + expected.len()]
            );
        }
    }

    #[test]
    fn memory_is_used_again_whatever_was_in_it() {
        let mut buffer = CommitBuffer::new(&[1; 64]);
        push(&mut buffer, &[2; 100_000]);
        let taken = buffer.take();
        let (address, capacity) = (taken.memory.as_ptr(), taken.memory.capacity());
        buffer.reuse(taken.memory);
        push(&mut buffer, &[3; 100_000]);
        let (before, frames) = ((64 + 100_000) % BLOCK, 100_000);
        assert_eq!(blocks(&mut buffer)[..before + frames], [vec![2; before], vec![3; frames]].concat());
        let again = buffer.take().memory;
        assert_eq!((again.as_ptr(), again.capacity()), (address, capacity));
    }

    #[test]
    fn memory_is_taken_for_all_that_is_expected_and_of_what_is_kept_the_smallest_that_will_do() {
        let mut buffer = CommitBuffer::new(&[]);
        assert!(buffer.room_for(1, 1_000_000).capacity() > 1_000_000);
        let mut buffer = CommitBuffer::new(&[]);
        for size in [5, 3, 2, 4, 1].map(|number| number * STEP) {
            buffer.reuse(Vec::with_capacity(size));
        }
        assert_eq!(
            buffer.spares.iter().map(Vec::capacity).collect::<Vec<_>>(),
            [2, 3, 4, 5].map(|n| n * STEP)
        );
        assert_eq!(buffer.room_for(1, 2 * STEP).capacity(), 3 * STEP);
        assert_eq!(buffer.room_for(4 * STEP, 100 * STEP).capacity(), 5 * STEP, "enough for what there is");
        assert_eq!(buffer.into_spares().len(), 3, "what was left is kept");
    }

    #[test]
    fn memory_beyond_a_limit_is_given_back_but_for_the_largest_piece() {
        let mut buffer = CommitBuffer::new(&[]);
        (1..4).for_each(|number| buffer.reuse(Vec::with_capacity(number * STEP)));
        let spares = |buffer: &CommitBuffer| buffer.spares.iter().map(Vec::capacity).collect::<Vec<_>>();
        buffer.shrink_to(6 * STEP);
        assert_eq!(spares(&buffer), [STEP, 2 * STEP, 3 * STEP]);
        buffer.shrink_to(6 * STEP - 1);
        assert_eq!(spares(&buffer), [2 * STEP, 3 * STEP]);
        buffer.shrink_to(0);
        assert_eq!(spares(&buffer), [3 * STEP]);
    }

    #[test]
    fn what_is_cut_off_is_not_written() {
        let mut buffer = CommitBuffer::new(&[]);
        push(&mut buffer, &[1; 10]);
        push(&mut buffer, &[2; BLOCK]);
        buffer.truncate(10);
        assert_eq!(blocks(&mut buffer), [&[1; 10][..], &[0; BLOCK - 10]].concat());
    }
}
