//! The last bytes of a sealed segment: where its footer begins.
//!
//! ```text
//!  0  8  magic "HKYKSEAL"
//!  8  8  offset of the footer's frame
//! 16  4  CRC-32 of bytes 0 to 16, from the seed of the footer's frame
//! 20  4  zero
//! ```

use super::{array_at, frame};

const MAGIC: [u8; 8] = *b"HKYKSEAL";

/// Length of a trailer.
pub const TRAILER_LENGTH: u64 = 24;

/// Appends a trailer.
pub fn write_trailer(out: &mut Vec<u8>, footer_offset: u64, seed: u32) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&footer_offset.to_le_bytes());
    let checksum = checksum(&out[start..], seed);
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
}

/// The offset of the footer; `None` where the segment was not sealed.
pub fn read_trailer(bytes: &[u8], journal: &super::JournalId, segment: u64) -> Option<u64> {
    let trailer: [u8; TRAILER_LENGTH as usize] = array_at(bytes, 0)?;
    let footer_offset = u64::from_le_bytes(array_at(&trailer, 8)?);
    let seed = frame::seed(journal, segment, footer_offset);
    let valid = trailer[..8] == MAGIC
        && checksum(&trailer[..16], seed) == u32::from_le_bytes(array_at(&trailer, 16)?);
    valid.then_some(footer_offset)
}

fn checksum(bytes: &[u8], seed: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trailer_reads_back_in_its_own_segment() {
        let journal = [9; 16];
        let mut bytes = Vec::new();
        write_trailer(&mut bytes, 4096, frame::seed(&journal, 5, 4096));
        assert_eq!(bytes.len() as u64, TRAILER_LENGTH);
        assert_eq!(read_trailer(&bytes, &journal, 5), Some(4096));
        assert_eq!(read_trailer(&bytes, &journal, 6), None);
        assert_eq!(read_trailer(&[0; 24], &journal, 5), None);
        assert_eq!(read_trailer(&bytes[..23], &journal, 5), None);
    }
}
