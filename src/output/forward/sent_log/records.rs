//! The bytes of a sent log.
//!
//! ```text
//! DATA_DIR/sent/ID.sent                       numbers are little-endian
//!
//!  0  8  magic "HKYKSENT"
//!  8  2  format version: 1
//! 10  2  header length: 16
//! 12  4  CRC-32 of bytes 0 to 12
//! 16  …  records, one for each message and server, in the order in which they went out:
//!          0  2  length of the id
//!          2  2  length of the address
//!          4  4  index of the message's first entry within its chunk
//!          8  8  segment of the chunk
//!         16  8  offset of the chunk
//!         24  …  id of the message
//!          …  …  address of the server, as the configuration or the DNS has it
//!          …  4  CRC-32 of the record
//! ```

use crate::journal::Position;

const MAGIC: &[u8; 8] = b"HKYKSENT";
const FORMAT_VERSION: u16 = 1;
pub(super) const HEADER_LENGTH: usize = 16;
const FIXED_LENGTH: usize = 24;
const CHECKSUM_LENGTH: usize = 4;

/// A record, taken apart.
pub(super) struct Record<'a> {
    pub(super) id: &'a [u8],
    pub(super) address: &'a str,
    pub(super) start: Position,
    /// All of it.
    pub(super) bytes: &'a [u8],
}

pub(super) fn header() -> [u8; HEADER_LENGTH] {
    let mut header = [0; HEADER_LENGTH];
    header[0..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[10..12].copy_from_slice(&(HEADER_LENGTH as u16).to_le_bytes());
    let checksum = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Ids and addresses are far shorter than what two bytes can say; one that is not is not remembered.
pub(super) fn record(id: &[u8], start: Position, address: &str) -> Vec<u8> {
    let (Ok(id_length), Ok(address_length)) = (u16::try_from(id.len()), u16::try_from(address.len())) else {
        return Vec::new();
    };
    let mut record = Vec::with_capacity(FIXED_LENGTH + id.len() + address.len() + CHECKSUM_LENGTH);
    record.extend_from_slice(&id_length.to_le_bytes());
    record.extend_from_slice(&address_length.to_le_bytes());
    record.extend_from_slice(&start.entry.to_le_bytes());
    record.extend_from_slice(&start.segment.to_le_bytes());
    record.extend_from_slice(&start.offset.to_le_bytes());
    record.extend_from_slice(id);
    record.extend_from_slice(address.as_bytes());
    let checksum = crc32fast::hash(&record);
    record.extend_from_slice(&checksum.to_le_bytes());
    record
}

/// The whole records of a log, oldest first; none where it is no log.
pub(super) fn records(log: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = log.strip_prefix(&header()).unwrap_or_default();
    std::iter::from_fn(move || {
        let record = Record::read(rest)?;
        rest = &rest[record.bytes.len()..];
        Some(record)
    })
}

/// Up to where a log is whole; 0 where it is none.
pub(super) fn whole_length(log: &[u8]) -> usize {
    match log.starts_with(&header()) {
        true => HEADER_LENGTH + records(log).map(|record| record.bytes.len()).sum::<usize>(),
        false => 0,
    }
}

impl<'a> Record<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let two = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let eight = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let entry = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
        let start = Position { segment: eight(8)?, offset: eight(16)?, entry };
        let address_at = FIXED_LENGTH + usize::from(two(0)?);
        let end = address_at + usize::from(two(2)?);
        let whole = bytes.get(..end + CHECKSUM_LENGTH)?;
        if crc32fast::hash(&whole[..end]).to_le_bytes() != whole[end..] {
            return None;
        }
        let address = str::from_utf8(&whole[address_at..end]).ok()?;
        Some(Self { id: &whole[FIXED_LENGTH..address_at], address, start, bytes: whole })
    }
}
