//! Entries that go to the disk, and to readers, from the memory that they came in.
//!
//! ```text
//! file     ┌────────┬──────┬───────┬──────────────────────────────────┬───────┬───────┐
//!          │ header │ head │ first │ blocks                           │ rest  │ zeros │
//!          └────────┴──────┴───────┴──────────────────────────────────┴───────┴───────┘
//! memory     of the commit ────────▲ of the message                   ▲ of the commit
//!                                  at multiples of BLOCK, in the file and in both memories
//! ```
//!
//! For that the entries must lie in the file as they do in memory within a block: the head of the payload is padded for it. What
//! shares its block with something else is copied. Readers see the entries as a whole where they lie.

use std::ops::Range;

use bytes::Bytes;

use super::commit_buffer::BLOCK;
use super::format::chunk_payload::LEAST_PADDING;
use crate::planted::{Bug, is_planted};
use crate::storage::bytes_until_alike;

/// A head is padded with fewer bytes than this.
pub(super) const MAX_PADDING: usize = BLOCK + LEAST_PADDING;

/// Entries that keep so many times as many bytes of memory from other use are copied rather than kept in it.
const MAX_SLACK: usize = 2;

/// Entries of a commit that stay where they are. Places are in bytes of the commit's own memory behind where its first frame
/// begins.
#[derive(Debug, Clone)]
pub(super) struct InPlace {
    /// Where the header of their frame is.
    pub(super) frame: usize,
    /// Where their head ends.
    pub(super) head_end: usize,
    /// Where their blocks belong.
    pub(super) at: usize,
    /// All of them.
    pub(super) entries: Bytes,
    /// Which of them are written from where they lie.
    pub(super) blocks: Range<usize>,
    /// Bytes of memory that they keep.
    pub(super) memory: usize,
}

impl InPlace {
    /// What is written from where it lies.
    pub(super) fn blocks(&self) -> &[u8] {
        if is_planted(Bug::ShiftedBlocks) {
            return &self.entries[..self.blocks.len()];
        }
        &self.entries[self.blocks.clone()]
    }
}

/// Whether entries, which keep so much memory, have a whole block that can stay in it, and use enough of it.
pub(super) fn may_stay(entries: &Bytes, memory: usize) -> bool {
    entries.len() >= bytes_before_blocks(entries) + BLOCK && memory <= MAX_SLACK * entries.len()
}

/// By how many bytes a head is to be longer, so that its entries, which would follow it at an offset of the file, lie there
/// as they do in memory.
pub(super) fn padding(offset: u64, entries: &Bytes) -> usize {
    match bytes_until_alike(offset as usize, entries.as_ptr() as usize, BLOCK) {
        too_few if (1..LEAST_PADDING).contains(&too_few) => too_few + BLOCK,
        padding => padding,
    }
}

/// Bytes of the entries before the first whole block in memory.
pub(super) fn bytes_before_blocks(entries: &Bytes) -> usize {
    entries.as_ptr().align_offset(BLOCK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_head_puts_entries_where_they_lie_within_a_block() {
        let memory = Bytes::from(vec![1; 4 * BLOCK]);
        for start in [0, 1, 2, 3, 4, 5, 4093, 4094, 4095] {
            let entries = memory.slice(start..start + BLOCK);
            for offset in [64, 4095, 4096, 4097, 4098, 4099, 4100, 1_000_003] {
                let padding = padding(offset, &entries);
                assert!(padding == 0 || (LEAST_PADDING..MAX_PADDING).contains(&padding), "{padding}");
                let place = offset as usize + padding;
                assert_eq!((place + bytes_before_blocks(&entries)) % BLOCK, 0, "{start} {offset}");
            }
        }
    }

    #[test]
    fn few_entries_and_those_in_much_memory_do_not_stay() {
        let memory = Bytes::from(vec![1; 4 * BLOCK]);
        let block = memory.as_ptr().align_offset(BLOCK);
        for (start, end, is) in
            [(0, BLOCK, true), (0, BLOCK - 1, false), (1, BLOCK, false), (1, 2 * BLOCK, true)]
        {
            let entries = memory.slice(block + start..block + end);
            assert_eq!(may_stay(&entries, 2 * entries.len()), is, "{start} {end}");
            assert!(!may_stay(&entries, 2 * entries.len() + 1));
        }
    }
}
