//! The first bytes of a segment.
//!
//! ```text
//!  0  8  magic "HKYKSEGM"
//!  8  2  format version: 1, or 2 where entries may be packed (packed_entries.rs)
//! 10  2  length of this header: 64
//! 12  4  zero
//! 16 16  journal id
//! 32  8  segment number, from 1
//! 40  8  time of creation, nanoseconds since the Unix epoch
//! 48 12  zero
//! 60  4  CRC-32 of bytes 0 to 60
//! ```

use super::{FORMAT_VERSION, JournalId, PACKED_FORMAT_VERSION, array_at};
use crate::event_time::EventTime;

const MAGIC: [u8; 8] = *b"HKYKSEGM";

/// Length of the header, and so the offset of the first frame.
pub const SEGMENT_HEADER_LENGTH: u64 = 64;

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    pub journal: JournalId,
    pub segment: u64,
    pub created_at: EventTime,
    /// Whether entries in it may be packed. A hikyaku that knows nothing of that must not read it.
    pub may_be_packed: bool,
}

/// Why a file is no segment of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SegmentHeaderError {
    #[error("it is no hikyaku segment")]
    Foreign,
    #[error(
        "it has format {found}, and this hikyaku reads formats up to {PACKED_FORMAT_VERSION}: use a newer hikyaku"
    )]
    Version { found: u16 },
    #[error("its header is damaged")]
    Damaged,
}

impl SegmentHeader {
    /// The bytes of the header.
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_LENGTH as usize] {
        let mut bytes = [0; SEGMENT_HEADER_LENGTH as usize];
        bytes[0..8].copy_from_slice(&MAGIC);
        let version = if self.may_be_packed { PACKED_FORMAT_VERSION } else { FORMAT_VERSION };
        bytes[8..10].copy_from_slice(&version.to_le_bytes());
        bytes[10..12].copy_from_slice(&(SEGMENT_HEADER_LENGTH as u16).to_le_bytes());
        bytes[16..32].copy_from_slice(&self.journal);
        bytes[32..40].copy_from_slice(&self.segment.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.created_at.unix_nanoseconds().to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..60]);
        bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads and checks a header.
    pub fn decode(bytes: &[u8]) -> Result<Self, SegmentHeaderError> {
        if array_at(bytes, 0) != Some(MAGIC) {
            return Err(SegmentHeaderError::Foreign);
        }
        // The version comes before the checksum: a newer format may well have another header.
        let found = u16::from_le_bytes(array_at(bytes, 8).ok_or(SegmentHeaderError::Damaged)?);
        if ![FORMAT_VERSION, PACKED_FORMAT_VERSION].contains(&found) {
            return Err(SegmentHeaderError::Version { found });
        }
        let checksum = u32::from_le_bytes(array_at(bytes, 60).ok_or(SegmentHeaderError::Damaged)?);
        if crc32fast::hash(&bytes[..60]) != checksum {
            return Err(SegmentHeaderError::Damaged);
        }
        let damaged = SegmentHeaderError::Damaged;
        Ok(Self {
            journal: array_at(bytes, 16).ok_or(damaged)?,
            segment: u64::from_le_bytes(array_at(bytes, 32).ok_or(damaged)?),
            created_at: EventTime::from_unix_nanoseconds(i64::from_le_bytes(
                array_at(bytes, 40).ok_or(damaged)?,
            )),
            may_be_packed: found == PACKED_FORMAT_VERSION,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            journal: [7; 16],
            segment: 3,
            created_at: EventTime::from_unix_nanoseconds(1_760_000_000),
            may_be_packed: false,
        }
    }

    #[test]
    fn a_header_reads_back() {
        assert_eq!(SegmentHeader::decode(&header().encode()), Ok(header()));
        let packed = SegmentHeader { may_be_packed: true, ..header() };
        assert_eq!(SegmentHeader::decode(&packed.encode()), Ok(packed));
        assert_eq!((header().encode()[8], packed.encode()[8]), (1, 2));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..SEGMENT_HEADER_LENGTH * 8 {
            let mut bytes = header().encode();
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut bytes = header().encode();
        bytes[8] = 3;
        assert_eq!(SegmentHeader::decode(&bytes), Err(SegmentHeaderError::Version { found: 3 }));
        assert_eq!(SegmentHeader::decode(b"PK"), Err(SegmentHeaderError::Foreign));
    }
}
