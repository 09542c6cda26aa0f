//! Large pieces of files that only grow, past the page cache.
//!
//! ```text
//! file     ──────────┬──────┬──────────────────────┬──────┐
//!          was there │ head │ blocks               │ tail │
//!          ──────────┴──────┴──────────────────────┴──────┘
//!                           ▲ at a multiple of a block in the file and in memory
//! ```
//!
//! The head makes the last block of the file whole, the tail begins the next one: both through the page cache.

/// What a storage makes of large pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LargeWrites {
    /// Bytes that their place in memory and in the file, and their length, are multiples of.
    pub block: usize,
    /// Bytes from which it is worth it.
    pub from: usize,
    /// Whether somebody else's thread may do it; where not, all calls come from one thread.
    pub on_a_thread: bool,
}

impl Default for LargeWrites {
    fn default() -> Self {
        Self { block: 4096, from: 256 * 1024, on_a_thread: true }
    }
}

/// Of a piece to be appended, but for the tail: their lengths in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) head: usize,
    pub(crate) blocks: usize,
}

impl Parts {
    /// Of a piece of so many bytes, for the end of a file that has so many.
    pub(crate) fn of(length: usize, end_of_file: u64, block: usize) -> Self {
        let head = until_block(end_of_file, block).min(length);
        Self { head, blocks: (length - head) / block * block }
    }
}

/// Moves what begins in memory at `start` so that blocks of a file, which it goes to the end of, lie in whole blocks of memory;
/// gives where it begins then. Where it was put there with this in mind, nothing has to be moved.
pub(crate) fn align(memory: &mut Vec<u8>, start: usize, end_of_file: u64, block: usize) -> usize {
    let misplaced = |memory: &[u8]| bytes_until_alike(memory.as_ptr() as usize, end_of_file as usize, block);
    if misplaced(&memory[start..]) == 0 {
        return start;
    }
    memory.reserve(block);
    let begins = misplaced(memory);
    let end = memory.len();
    memory.resize(end + block, 0);
    memory.copy_within(start..end, begins);
    memory.truncate(begins + end - start);
    begins
}

/// By how many bytes a place would have to be later, to lie within its block as the other place does within its own: what is to be
/// written past the page cache lies alike in the file and in memory. Here memory gives way; the journal, whose entries stay where
/// they came in, gives way in the file. Blocks are as long as a power of two.
#[inline]
pub(crate) fn bytes_until_alike(place: usize, other: usize, block: usize) -> usize {
    debug_assert!(block.is_power_of_two(), "what wraps around is a multiple of no other block");
    other.wrapping_sub(place) % block
}

/// Bytes from there to the beginning of the next block; none at its beginning.
fn until_block(at: u64, block: usize) -> usize {
    let block = block as u64;
    (at.next_multiple_of(block) - at) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_has_whole_blocks_where_the_file_has_them() {
        let parts = |length, end| {
            let Parts { head, blocks } = Parts::of(length, end, 10);
            (head, blocks)
        };
        assert_eq!(parts(25, 0), (0, 20));
        assert_eq!(parts(25, 7), (3, 20));
        assert_eq!(parts(25, 10), (0, 20));
        assert_eq!(parts(3, 7), (3, 0));
        assert_eq!(parts(2, 7), (2, 0));
        assert_eq!(parts(0, 0), (0, 0));
    }

    #[test]
    fn a_place_is_alike_another_after_less_than_a_block() {
        for (place, other, bytes) in
            [(0, 0, 0), (1, 0, 15), (0, 1, 1), (35, 19, 0), (19, 34, 15), (40, 3, 11)]
        {
            assert_eq!(bytes_until_alike(place, other, 16), bytes, "{place} {other}");
        }
    }

    #[test]
    fn blocks_of_the_file_lie_in_blocks_of_memory_and_what_lies_there_already_stays() {
        const BLOCK: usize = 4096;
        for (start, end_of_file) in [(0, 0), (0, 1), (1, 0), (4095, 4097), (5000, 12345), (8192, 4095)] {
            let mut memory: Vec<u8> = (0..start + 20_000).map(|at| at as u8).collect();
            let text = memory[start..].to_vec();
            let begins = align(&mut memory, start, end_of_file, BLOCK);
            assert_eq!(&memory[begins..], text);
            let Parts { head, .. } = Parts::of(text.len(), end_of_file, BLOCK);
            assert_eq!((memory[begins + head..].as_ptr() as usize) % BLOCK, 0);
            let address = memory.as_ptr();
            assert_eq!(align(&mut memory, begins, end_of_file, BLOCK), begins);
            assert_eq!(memory.as_ptr(), address);
        }
    }
}
