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
mod tests;
