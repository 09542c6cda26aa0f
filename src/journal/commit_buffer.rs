//! The frames of a commit, in memory that can go to the disk as it is.
//!
//! ```text
//! memory   ┌──────┬──────────┬───────────────────────┬───────┐
//!          │ skip │ before   │ frames                │ zeros │
//!          └──────┴──────────┴───────────────────────┴───────┘
//!                 ▲ at a multiple of BLOCK in memory and in the file
//! ```
//!
//! `before` is what the file holds already of the block in which the frames begin, so that whole blocks can be written:
//! the same bytes once more, as the page cache would write them.

use std::ops::Range;

/// What memory, offset and length of a write past the page cache have to be multiples of, on all usual disks.
pub(super) const BLOCK: usize = 4096;

/// Memory comes in multiples of this, so that it serves for commits of different sizes.
const STEP: usize = 64 * 1024;

/// Frames that are to be written next.
#[derive(Debug, Default)]
pub(super) struct CommitBuffer {
    memory: Vec<u8>,
    /// Where the first block begins.
    start: usize,
    /// Where the first frame begins.
    frames: usize,
}

impl CommitBuffer {
    /// Empty, for frames behind these bytes of their block.
    pub(super) fn new(before: &[u8]) -> Self {
        let mut buffer = Self::default();
        buffer.begin(before);
        buffer
    }

    /// The frames so far.
    pub(super) fn frames(&self) -> &[u8] {
        &self.memory[self.frames..]
    }

    /// Bytes of the frames so far.
    pub(super) fn len(&self) -> usize {
        self.memory.len() - self.frames
    }

    /// Where frames of so many bytes in all are to be appended.
    pub(super) fn room_for(&mut self, bytes: usize) -> &mut Vec<u8> {
        // Zeros are put behind them.
        let wanted = self.memory.len() + bytes + BLOCK;
        if wanted > self.memory.capacity() {
            let more = (BLOCK + wanted).max(2 * self.memory.capacity());
            self.move_to(Vec::with_capacity(more.next_multiple_of(STEP)));
        }
        &mut self.memory
    }

    /// Forgets what lies behind so many bytes of frames.
    pub(super) fn truncate(&mut self, length: usize) {
        self.memory.truncate(self.frames + length);
    }

    /// The frames within whole blocks: what is before them in the first, and zeros behind them in the last.
    pub(super) fn with_blocks<T>(&mut self, write: impl FnOnce(&[u8]) -> T) -> T {
        let end = self.memory.len();
        let padding = (end - self.start).next_multiple_of(BLOCK) - (end - self.start);
        self.room_for(0).resize(end + padding, 0);
        let written = write(&self.memory[self.start..]);
        self.memory.truncate(end);
        written
    }

    /// Takes the frames out, and begins with the next ones behind them.
    pub(super) fn take(&mut self) -> CommittedFrames {
        let end = self.memory.len();
        let last_block = end - (end - self.start) % BLOCK;
        let next = Self::new(&self.memory[last_block..]);
        let Self { memory, frames, .. } = std::mem::replace(self, next);
        CommittedFrames { memory, frames: frames..end }
    }

    /// Uses this memory for what comes next, if that is any better than new one.
    pub(super) fn reuse(&mut self, mut memory: Vec<u8>) {
        if memory.capacity() >= STEP && self.len() == 0 {
            memory.clear();
            self.move_to(memory);
        }
    }

    fn begin(&mut self, before: &[u8]) {
        self.memory.extend_from_slice(before);
        self.frames = self.start + before.len();
    }

    /// Goes on in other, empty memory that has room for at least as much.
    fn move_to(&mut self, mut memory: Vec<u8>) {
        let length = self.frames - self.start;
        let start = memory.as_ptr().align_offset(BLOCK);
        memory.resize(start, 0);
        memory.extend_from_slice(&self.memory[self.start..]);
        *self = Self { memory, start, frames: start + length };
    }
}

/// Frames that were written, within the memory that they were written from.
#[derive(Debug)]
pub(super) struct CommittedFrames {
    pub(super) memory: Vec<u8>,
    pub(super) frames: Range<usize>,
}
