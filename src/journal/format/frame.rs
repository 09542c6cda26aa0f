//! Frames: what a segment is made of.
//!
//! ```text
//!  0  4  length of the payload
//!  4  1  kind: 1 chunk, 2 footer, 3 large chunk, whose entries are a file of their own
//!  5  3  zero
//!  8  8  synced mark: the offset in this segment up to which everything was synced when this frame was written
//! 16  4  CRC-32 of the payload, from the seed
//! 20  4  CRC-32 of bytes 0 to 20, from the seed
//! 24  …  payload, then zeros up to a multiple of 8
//! ```
//!
//! The synced mark tells damage from a torn tail: a frame that does not check and lies below the mark of a later
//! frame was synced once and is damaged; above every mark it was half written when the power went, and nobody was
//! told that it was kept.

use super::{JournalId, array_at};

/// Length of a frame's header.
pub const FRAME_HEADER_LENGTH: u64 = 24;

/// Frames begin at multiples of this.
pub const FRAME_ALIGNMENT: u64 = 8;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    Chunk,
    Footer,
    /// A chunk with a [`Reference`](super::reference::Reference) in place of its entries.
    Large,
}

/// A frame's header, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    pub kind: FrameKind,
    pub payload_length: u32,
    pub synced_mark: u64,
    pub payload_checksum: u32,
}

impl FrameHeader {
    /// Length of the frame from its header to the zeros behind its payload.
    pub fn frame_length(&self) -> u64 {
        frame_length(u64::from(self.payload_length))
    }

    /// Reads a header; `None` where none was written for this place.
    pub fn decode(bytes: &[u8], seed: u32) -> Option<Self> {
        let header: [u8; FRAME_HEADER_LENGTH as usize] = array_at(bytes, 0)?;
        let kind = match header[4] {
            1 => FrameKind::Chunk,
            2 => FrameKind::Footer,
            3 => FrameKind::Large,
            _ => return None,
        };
        if checksum(seed, &header[..20]) != u32::from_le_bytes(array_at(&header, 20)?) {
            return None;
        }
        Some(Self {
            kind,
            payload_length: u32::from_le_bytes(array_at(&header, 0)?),
            synced_mark: u64::from_le_bytes(array_at(&header, 8)?),
            payload_checksum: u32::from_le_bytes(array_at(&header, 16)?),
        })
    }

    /// Whether this is the payload that the header was written for.
    pub fn matches(&self, payload: &[u8], seed: u32) -> bool {
        checksum(seed, payload) == self.payload_checksum
    }
}

/// Length of a frame that holds a payload of this length.
pub fn frame_length(payload_length: u64) -> u64 {
    (FRAME_HEADER_LENGTH + payload_length).next_multiple_of(FRAME_ALIGNMENT)
}

/// Where the checksums of the frame at this place start from.
pub fn seed(journal: &JournalId, segment: u64, offset: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(journal);
    hasher.update(&segment.to_le_bytes());
    hasher.update(&offset.to_le_bytes());
    hasher.finalize()
}

/// Bytes of a payload that are copied before their checksum is continued: they are in the processor's nearest cache then.
const CHECKSUM_STEP: usize = 16 * 1024;

/// A frame to be written: all that its header says but for the payload.
#[derive(Debug, Clone, Copy)]
pub struct NewFrame {
    pub kind: FrameKind,
    pub synced_mark: u64,
    /// That of its [place](seed).
    pub seed: u32,
}

impl NewFrame {
    /// Appends the frame. Its payload is what `write_head` appends, and `rest`.
    pub fn write(self, out: &mut Vec<u8>, write_head: impl FnOnce(&mut Vec<u8>), rest: &[u8]) {
        let start = out.len();
        let mut hasher = self.begin(out, write_head);
        for part in rest.chunks(CHECKSUM_STEP) {
            out.extend_from_slice(part);
            hasher.update(part);
        }
        let payload_length = (out.len() - start) as u32 - FRAME_HEADER_LENGTH as u32;
        self.write_header(&mut out[start..], payload_length, hasher.finalize());
        out.resize(start + frame_length(u64::from(payload_length)) as usize, 0);
    }

    /// As [`write`](Self::write), without what comes behind the head: `rest`, and zeros up to a multiple of
    /// [`FRAME_ALIGNMENT`].
    pub fn write_head(self, out: &mut Vec<u8>, write_head: impl FnOnce(&mut Vec<u8>), rest: &[u8]) {
        let start = out.len();
        let mut hasher = self.begin(out, write_head);
        hasher.update(rest);
        let payload_length = (out.len() - start + rest.len()) as u32 - FRAME_HEADER_LENGTH as u32;
        self.write_header(&mut out[start..], payload_length, hasher.finalize());
    }

    /// Appends room for a header and the head of the payload; the checksum so far.
    fn begin(self, out: &mut Vec<u8>, write_head: impl FnOnce(&mut Vec<u8>)) -> crc32fast::Hasher {
        let payload_start = out.len() + FRAME_HEADER_LENGTH as usize;
        out.resize(payload_start, 0);
        write_head(out);
        let mut hasher = crc32fast::Hasher::new_with_initial(self.seed);
        hasher.update(&out[payload_start..]);
        hasher
    }

    fn write_header(self, frame: &mut [u8], payload_length: u32, payload_checksum: u32) {
        frame[0..4].copy_from_slice(&payload_length.to_le_bytes());
        frame[4] = match self.kind {
            FrameKind::Chunk => 1,
            FrameKind::Footer => 2,
            FrameKind::Large => 3,
        };
        frame[8..16].copy_from_slice(&self.synced_mark.to_le_bytes());
        frame[16..20].copy_from_slice(&payload_checksum.to_le_bytes());
        let header_checksum = checksum(self.seed, &frame[..20]);
        frame[20..24].copy_from_slice(&header_checksum.to_le_bytes());
    }
}

fn checksum(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: u32 = 42;

    const CHUNK: NewFrame = NewFrame { kind: FrameKind::Chunk, synced_mark: 64, seed: SEED };

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        CHUNK.write(&mut out, |_| {}, payload);
        out
    }

    #[test]
    fn a_frame_reads_back_and_ends_on_a_multiple_of_eight() {
        for length in 0..40 {
            let payload = vec![0xab; length];
            let bytes = frame(&payload);
            let header = FrameHeader::decode(&bytes, SEED).unwrap();
            assert_eq!(header.payload_length as usize, length);
            assert_eq!(header.synced_mark, 64);
            assert_eq!(header.frame_length(), bytes.len() as u64);
            assert_eq!(bytes.len() % 8, 0);
            assert!(header.matches(&bytes[24..24 + length], SEED));
        }
    }

    #[test]
    fn the_head_alone_is_that_of_the_whole_frame() {
        for length in 0..40 {
            let rest = vec![0xab; length];
            let (mut whole, mut head) = (Vec::new(), vec![1, 2]);
            CHUNK.write(&mut whole, |out| out.extend(b"head"), &rest);
            CHUNK.write_head(&mut head, |out| out.extend(b"head"), &rest);
            assert_eq!(head[2..], whole[..FRAME_HEADER_LENGTH as usize + 4]);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let payload = b"sealed letter";
        let bytes = frame(payload);
        for bit in 0..(24 + payload.len()) * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let valid = FrameHeader::decode(&damaged, SEED)
                .is_some_and(|header| header.matches(&damaged[24..24 + payload.len()], SEED));
            // Bytes 5 to 8 are zero by definition and covered by the header's checksum like the others.
            assert!(!valid, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_is_valid_in_its_place_alone() {
        let here = seed(&[1; 16], 1, 64);
        let mut bytes = Vec::new();
        NewFrame { seed: here, ..CHUNK }.write(&mut bytes, |_| {}, b"x");
        assert!(FrameHeader::decode(&bytes, here).is_some());
        for elsewhere in [seed(&[2; 16], 1, 64), seed(&[1; 16], 2, 64), seed(&[1; 16], 1, 72)] {
            assert!(FrameHeader::decode(&bytes, elsewhere).is_none());
        }
    }

    #[test]
    fn zeros_are_no_frame() {
        assert_eq!(FrameHeader::decode(&[0; 64], SEED), None);
    }
}
