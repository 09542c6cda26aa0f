//! Cursors: how far an output has come, in a small file that is replaced as a whole.
//!
//! ```text
//! DATA_DIR/cursors/ID.cursor
//!
//!  0  8  magic "HKYKCURS"
//!  8  2  format version
//! 10  2  length of this header: 64
//! 12  4  index of the next entry within the chunk (0 for outputs that take whole chunks)
//! 16 16  journal id
//! 32  8  segment of the next chunk
//! 40  8  offset of the next chunk
//! 48  8  generation: counts checkpoints, so that an undo log can be told to belong to one
//! 56  4  length of what the output itself keeps here
//! 60  4  CRC-32 of bytes 0 to 60 and of what the output keeps
//! 64  …  what the output itself keeps here: attributes, see cursor_attributes.rs
//! ```

mod error;
mod folder;
mod reserve;

pub use error::CursorError;
pub use folder::CursorFolder;

use super::Position;
use super::cursor_attributes::{REPLAYS, take_attribute};
use super::format::{FORMAT_VERSION, JournalId, array_at};
use super::replay::Replays;

const MAGIC: [u8; 8] = *b"HKYKCURS";
const HEADER_LENGTH: usize = 64;

/// A cursor as it was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedCursor {
    pub journal: JournalId,
    /// The next chunk to deliver, or the next entry of a large one.
    pub position: Position,
    /// How many checkpoints there were.
    pub generation: u64,
    /// What an operator had delivered again.
    pub replays: Replays,
}

pub(super) fn encode(cursor: &SavedCursor, attributes: &[u8]) -> Vec<u8> {
    let own = [&cursor.replays.attribute(), attributes].concat();
    let mut bytes = vec![0; HEADER_LENGTH];
    bytes[0..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[10..12].copy_from_slice(&(HEADER_LENGTH as u16).to_le_bytes());
    bytes[12..16].copy_from_slice(&cursor.position.entry.to_le_bytes());
    bytes[16..32].copy_from_slice(&cursor.journal);
    bytes[32..40].copy_from_slice(&cursor.position.segment.to_le_bytes());
    bytes[40..48].copy_from_slice(&cursor.position.offset.to_le_bytes());
    bytes[48..56].copy_from_slice(&cursor.generation.to_le_bytes());
    bytes[56..60].copy_from_slice(&(own.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&own);
    let checksum = checksum(&bytes);
    bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Of everything but the place of the checksum itself.
fn checksum(bytes: &[u8]) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&bytes[..60]);
    checksum.update(&bytes[HEADER_LENGTH..]);
    checksum.finalize()
}

/// Why bytes are no cursor.
pub(super) enum Fault {
    Damaged,
    Version(u16),
}

pub(super) fn decode(bytes: &[u8]) -> Result<(SavedCursor, Vec<u8>), Fault> {
    if array_at(bytes, 0) != Some(MAGIC) {
        return Err(Fault::Damaged);
    }
    let found = u16::from_le_bytes(array_at(bytes, 8).ok_or(Fault::Damaged)?);
    if found != FORMAT_VERSION {
        return Err(Fault::Version(found));
    }
    let own = bytes.get(HEADER_LENGTH..).ok_or(Fault::Damaged)?;
    let number = |offset| array_at(bytes, offset).map(u64::from_le_bytes).ok_or(Fault::Damaged);
    let own_length = u32::from_le_bytes(array_at(bytes, 56).ok_or(Fault::Damaged)?);
    let stored = u32::from_le_bytes(array_at(bytes, 60).ok_or(Fault::Damaged)?);
    if own.len() != own_length as usize || checksum(bytes) != stored {
        return Err(Fault::Damaged);
    }
    let mut attributes = own.to_vec();
    let replays = match take_attribute(&mut attributes, REPLAYS) {
        Some(replays) => Replays::decode(&replays).ok_or(Fault::Damaged)?,
        None => Replays::default(),
    };
    let cursor = SavedCursor {
        journal: array_at(bytes, 16).ok_or(Fault::Damaged)?,
        position: Position {
            segment: number(32)?,
            offset: number(40)?,
            entry: u32::from_le_bytes(array_at(bytes, 12).ok_or(Fault::Damaged)?),
        },
        generation: number(48)?,
        replays,
    };
    Ok((cursor, attributes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::cursor_attributes::write_attribute;

    pub(super) fn cursor() -> SavedCursor {
        let position = Position { segment: 4, offset: 4096, entry: 7 };
        SavedCursor { journal: [3; 16], position, generation: 9, replays: Replays::default() }
    }

    pub(super) fn folder() -> (tempfile::TempDir, CursorFolder) {
        let directory = tempfile::tempdir().unwrap();
        let folder = CursorFolder::new(directory.path());
        folder.prepare().unwrap();
        (directory, folder)
    }

    #[test]
    fn a_cursor_reads_back() {
        let (_directory, folder) = folder();
        assert_eq!(folder.load("archive").unwrap(), None);
        folder.save("archive", &cursor()).unwrap();
        folder.save("other", &SavedCursor { generation: 10, ..cursor() }).unwrap();
        assert_eq!(folder.load("archive").unwrap(), Some(cursor()));
        assert_eq!(folder.ids().unwrap(), ["archive", "other"]);
        folder.remove("archive").unwrap();
        assert_eq!(folder.ids().unwrap(), ["other"]);
    }

    #[test]
    fn what_an_output_keeps_is_saved_with_its_cursor() {
        let (_directory, folder) = folder();
        let mut kept = Vec::new();
        write_attribute(&mut kept, 200, b"kept");
        assert_eq!(folder.load_attributes("archive").unwrap(), b"");
        folder.save_with("archive", &cursor(), &kept).unwrap();
        assert_eq!(folder.load("archive").unwrap(), Some(cursor()));
        assert_eq!(folder.load_attributes("archive").unwrap(), kept);
        folder.save("archive", &cursor()).unwrap();
        assert_eq!(folder.load_attributes("archive").unwrap(), b"");
    }

    #[test]
    fn a_cursor_keeps_its_replays() {
        let (_directory, folder) = folder();
        let current = Some(crate::journal::Replay {
            until: Position::new(2, 64),
            resume: Position { segment: 4, offset: 64, entry: 3 },
        });
        let cursor = SavedCursor { replays: Replays { count: 3, current }, ..cursor() };
        let mut kept = Vec::new();
        write_attribute(&mut kept, 200, b"kept");
        folder.save_with("archive", &cursor, &kept).unwrap();
        assert_eq!(folder.load("archive").unwrap(), Some(cursor));
        assert_eq!(folder.load_attributes("archive").unwrap(), kept);
        folder.save("archive", &cursor).unwrap();
        assert_eq!(folder.load("archive").unwrap(), Some(cursor));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let bytes = encode(&cursor(), b"what the output keeps");
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_damaged_cursor_is_an_error_and_not_a_new_start() {
        let (directory, folder) = folder();
        std::fs::write(directory.path().join("cursors/archive.cursor"), b"HKYKCURS").unwrap();
        assert!(matches!(folder.load("archive"), Err(CursorError::Damaged { .. })));
    }
}
