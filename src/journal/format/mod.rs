//! The bytes of a segment file, drawn where they are written and read. All integers are little-endian.
//!
//! ```text
//! DATA_DIR/journal/0000000000000001.seg
//!
//! ┌────────────────┐ 0
//! │ segment header │ who this is: journal id, segment number, format version   (segment_header.rs)
//! ├────────────────┤ 64
//! │ frame: chunk   │ one chunk with its sender, tag, id and time of receipt    (frame.rs, chunk_payload.rs)
//! │ frame: chunk   │
//! │ frame: large   │ one chunk whose entries are a file of their own           (reference.rs)
//! │ ...            │
//! ├────────────────┤ only in a sealed segment:
//! │ frame: footer  │ the chunk ids of the segment, times, counts               (footer.rs)
//! │ trailer        │ where the footer begins; the last bytes of the file       (trailer.rs)
//! └────────────────┘
//! ```
//!
//! A segment that is not sealed yet has its whole size allocated; behind its last frame there are zeros.
//!
//! Every checksum is a CRC-32 that starts from a seed made of journal id, segment number and offset
//! ([`frame::seed`]), so that a frame is only ever valid in the place for which it was written: neither a stale
//! block of another segment nor bytes that a peer put into a record can pass for one.

pub mod chunk_payload;
pub mod footer;
pub mod frame;
pub mod packed_entries;
pub mod reference;
pub mod segment_header;
pub mod trailer;

/// The version of everything but segments with packed entries, which have [`PACKED_FORMAT_VERSION`].
pub const FORMAT_VERSION: u16 = 1;

/// The version of segments whose entries may be packed; else they are the same.
pub const PACKED_FORMAT_VERSION: u16 = 2;

/// Random, made with the journal; in every segment, cursor and checksum.
pub type JournalId = [u8; 16];

/// Reads `N` bytes at an offset.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}
