//! Entries that came plain and lie compressed in their frame.
//!
//! ```text
//!  0  4  length of the entries
//!  4  …  the entries as one LZ4 block, or as one Zstandard frame; which of them says the chunk's payload
//! ```

use bytes::Bytes;

use super::array_at;

/// Bytes of the longest entries that are packed, and so of what a frame may inflate to. Longer ones are kept as they are.
pub const MAX_PACKED_LENGTH: usize = 64 * 1024 * 1024;

/// Shorter entries are kept as they are: what could be saved is not worth the work.
pub const MIN_PACKED_LENGTH: usize = 256;

/// Its fastest ordinary one: the next saves a few hundredths of the size and takes half as long again.
const ZSTD_LEVEL: i32 = 1;

/// How the journal compresses what came uncompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Lz4,
    /// Zstandard.
    Zstd,
}

/// What goes into a frame in the place of the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedEntries {
    packing: Packing,
    bytes: Box<[u8]>,
}

/// Packed entries do not inflate to what they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the packed entries of a chunk do not inflate")]
pub struct BadPackedEntries;

impl PackedEntries {
    /// How they are packed.
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// What goes into the frame.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Compresses entries, with memory that is used again.
#[derive(Default)]
pub struct EntryPacker {
    zstd: Option<zstd::bulk::Compressor<'static>>,
    out: Vec<u8>,
}

impl EntryPacker {
    /// `None` where it would not make them smaller, or they are too short or too long for it.
    pub fn pack(&mut self, packing: Packing, entries: &[u8]) -> Option<PackedEntries> {
        if !(MIN_PACKED_LENGTH..=MAX_PACKED_LENGTH).contains(&entries.len()) {
            return None;
        }
        let length = u32::try_from(entries.len()).ok()?.to_le_bytes();
        self.out.clear();
        self.out.extend_from_slice(&length);
        let packed = match packing {
            Packing::Lz4 => {
                self.out.resize(length.len() + lz4_flex::block::get_maximum_output_size(entries.len()), 0);
                lz4_flex::block::compress_into(entries, &mut self.out[length.len()..]).ok()?
            }
            Packing::Zstd => {
                self.out.resize(length.len() + zstd::zstd_safe::compress_bound(entries.len()), 0);
                let zstd = match &mut self.zstd {
                    Some(zstd) => zstd,
                    None => self.zstd.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL).ok()?),
                };
                zstd.compress_to_buffer(entries, &mut self.out[length.len()..]).ok()?
            }
        };
        let bytes = &self.out[..length.len() + packed];
        (bytes.len() < entries.len()).then(|| PackedEntries { packing, bytes: bytes.into() })
    }
}

impl std::fmt::Debug for EntryPacker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("EntryPacker")
    }
}

/// How long the entries are; `None` where they can't be.
pub fn unpacked_length(packed: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(array_at(packed, 0)?) as usize;
    (length <= MAX_PACKED_LENGTH).then_some(length)
}

/// The entries.
///
/// # Errors
///
/// Where they do not inflate to exactly the length that they say, or it is more than [`MAX_PACKED_LENGTH`].
pub fn unpack(packing: Packing, packed: &[u8]) -> Result<Bytes, BadPackedEntries> {
    let length = unpacked_length(packed).ok_or(BadPackedEntries)?;
    let compressed = &packed[4..];
    let entries = match packing {
        Packing::Lz4 => {
            let mut entries = vec![0; length];
            let count = lz4_flex::block::decompress_into(compressed, &mut entries);
            entries.truncate(count.map_err(|_| BadPackedEntries)?);
            entries
        }
        Packing::Zstd => {
            let mut entries = Vec::with_capacity(length);
            zstd::bulk::Decompressor::new()
                .and_then(|mut zstd| zstd.decompress_to_buffer(compressed, &mut entries))
                .map_err(|_| BadPackedEntries)?;
            entries
        }
    };
    if entries.len() == length { Ok(entries.into()) } else { Err(BadPackedEntries) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Packing; 2] = [Packing::Lz4, Packing::Zstd];

    fn pack(packing: Packing, entries: &[u8]) -> Option<PackedEntries> {
        EntryPacker::default().pack(packing, entries)
    }

    fn log(length: usize) -> Vec<u8> {
        b"\x92\x01\x81\xa7message\xb8GET /catalogue/items/17 ".iter().copied().cycle().take(length).collect()
    }

    #[test]
    fn entries_read_back_and_are_smaller() {
        for packing in BOTH {
            let mut packer = EntryPacker::default();
            for length in [MIN_PACKED_LENGTH, 100_000, 5_000] {
                let packed = packer.pack(packing, &log(length)).unwrap();
                assert!(packed.bytes().len() < length / 2, "{packing:?} {length}");
                assert_eq!(unpack(packing, packed.bytes()), Ok(log(length).into()), "{packing:?} {length}");
                assert_eq!(unpacked_length(packed.bytes()), Some(length));
            }
        }
    }

    #[test]
    fn short_ones_long_ones_and_those_that_do_not_get_smaller_are_kept_as_they_are() {
        let noise: Vec<u8> =
            (0..4_000u64).map(|number| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
        for packing in BOTH {
            assert_eq!(pack(packing, &log(MIN_PACKED_LENGTH - 1)), None);
            assert!(pack(packing, &vec![0; MAX_PACKED_LENGTH]).is_some());
            assert_eq!(pack(packing, &vec![0; MAX_PACKED_LENGTH + 1]), None);
            if let Some(packed) = pack(packing, &noise) {
                assert!(packed.bytes().len() < noise.len());
            }
        }
    }

    #[test]
    fn what_says_less_or_more_than_it_holds_or_too_much_is_refused() {
        for packing in BOTH {
            let packed = pack(packing, &log(10_000)).unwrap();
            for length in [0, 9_999, 10_001, MAX_PACKED_LENGTH as u32, MAX_PACKED_LENGTH as u32 + 1, u32::MAX]
            {
                let lie = [&length.to_le_bytes()[..], &packed.bytes()[4..]].concat();
                assert_eq!(unpack(packing, &lie), Err(BadPackedEntries), "{packing:?} {length}");
            }
        }
    }

    #[test]
    fn any_cut_and_any_byte_is_taken_without_a_panic_and_without_more_than_it_says() {
        for packing in BOTH {
            let packed = pack(packing, &log(600)).unwrap();
            for length in 0..packed.bytes().len() {
                assert_eq!(unpack(packing, &packed.bytes()[..length]), Err(BadPackedEntries));
                let mut damaged = packed.bytes().to_vec();
                damaged[length] ^= 0x5a;
                if let Ok(entries) = unpack(packing, &damaged) {
                    assert_eq!(Some(entries.len()), unpacked_length(&damaged));
                }
            }
        }
    }
}
