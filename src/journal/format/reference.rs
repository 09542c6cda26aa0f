//! What a frame of a large chunk has in place of the entries: which file holds them. The file lies beside the segment,
//! is named after the place of the frame, and holds the entries byte for byte as the sender sent them.
//!
//! ```text
//! DATA_DIR/journal/0000000000000007-000000000000a128.large      the frame is in segment 7 at offset 0xa128
//!
//!  0  8  length of the file
//!  8  4  length of a block: 1 MiB
//! 12  4  zero
//! 16  …  CRC-32 of each block, the last one being shorter
//! ```

use super::array_at;

/// Bytes of the file that one checksum vouches for.
pub const BLOCK_LENGTH: u32 = 1024 * 1024;

const FIXED_LENGTH: usize = 16;

/// What the file must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Bytes of the file.
    pub length: u64,
    /// Bytes of a block.
    pub block_length: u32,
    /// One for each block.
    pub checksums: Vec<u32>,
}

impl Reference {
    /// The bytes that stand in place of the entries.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FIXED_LENGTH + self.checksums.len() * 4);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.block_length.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for checksum in &self.checksums {
            out.extend_from_slice(&checksum.to_le_bytes());
        }
        out
    }

    /// `None` where the bytes are no reference.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let length = u64::from_le_bytes(array_at(bytes, 0)?);
        let block_length = u32::from_le_bytes(array_at(bytes, 8)?);
        let (checksums, rest) = bytes.get(FIXED_LENGTH..)?.as_chunks();
        let blocks = length.checked_add(u64::from(block_length).checked_sub(1)?)? / u64::from(block_length);
        if !rest.is_empty() || checksums.len() as u64 != blocks {
            return None;
        }
        Some(Self {
            length,
            block_length,
            checksums: checksums.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_back() {
        for (length, checksums) in [(0, vec![]), (1, vec![7]), (10, vec![7]), (11, vec![7, 8])] {
            let reference = Reference { length, block_length: 10, checksums };
            assert_eq!(Reference::decode(&reference.encode()), Some(reference));
        }
    }

    #[test]
    fn what_does_not_add_up_is_none() {
        let reference = Reference { length: 25, block_length: 10, checksums: vec![1, 2, 3] };
        let bytes = reference.encode();
        for length in 0..bytes.len() {
            assert_eq!(Reference::decode(&bytes[..length]), None, "{length}");
        }
        for (length, block_length) in [(31, 10), (20, 10), (25, 0), (u64::MAX, 10), (u64::MAX, 1)] {
            let bytes = Reference { length, block_length, checksums: vec![1, 2, 3] }.encode();
            assert_eq!(Reference::decode(&bytes), None, "{length} {block_length}");
        }
    }
}
