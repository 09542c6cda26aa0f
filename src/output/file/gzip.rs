//! Whole gzip members (RFC 1952), made in one go from memory.

use std::fmt;
use std::ops::Range;

use libdeflater::{CompressionLvl, Compressor};

/// Makes gzip members, one behind the other; its memory is reused.
pub(super) struct Gzip {
    compressor: Compressor,
    /// The members, and behind them what is left of larger ones.
    buffer: Vec<u8>,
    length: usize,
}

/// What the buffer for members may keep between two flushes, in bytes.
const KEPT_CAPACITY: usize = 1024 * 1024;

impl Gzip {
    /// `level` from 1 (fast) to 12 (small); anything else counts as the nearest of these.
    pub(super) fn new(level: i32) -> Self {
        let level = CompressionLvl::new(level.clamp(1, 12)).unwrap_or_default();
        Self { compressor: Compressor::new(level), buffer: Vec::new(), length: 0 }
    }

    /// Adds one member that holds all of `bytes`: where it is.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Range<usize> {
        let end = self.length + self.compressor.gzip_compress_bound(bytes.len());
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        let start = self.length;
        self.length += self
            .compressor
            .gzip_compress(bytes, &mut self.buffer[start..])
            .expect("a buffer of gzip_compress_bound is large enough for any input");
        start..self.length
    }

    /// A member that was added since the last [`clear`](Self::clear).
    pub(super) fn get(&self, member: Range<usize>) -> &[u8] {
        &self.buffer[member]
    }

    /// Forgets all members.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Gives memory back that unusually large members took.
    pub(super) fn shrink(&mut self) {
        self.clear();
        self.buffer.truncate(KEPT_CAPACITY);
        self.buffer.shrink_to(KEPT_CAPACITY);
    }
}

impl fmt::Debug for Gzip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gzip").field("capacity", &self.buffer.capacity()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn members_one_after_the_other_read_as_one_text() {
        let mut gzip = Gzip::new(6);
        let large = "x".repeat(3 * KEPT_CAPACITY);
        let mut file = Vec::new();
        for texts in [&["one\n", &large][..], &[""], &["two\n", "three\n"]] {
            let members: Vec<_> = texts.iter().map(|text| gzip.add(text.as_bytes())).collect();
            for member in members {
                file.extend_from_slice(gzip.get(member));
            }
            gzip.shrink();
        }
        let mut read = String::new();
        flate2::read::MultiGzDecoder::new(&file[..]).read_to_string(&mut read).unwrap();
        assert_eq!(read, format!("one\n{large}two\nthree\n"));
    }

    #[test]
    fn every_level_works_and_others_count_as_the_nearest() {
        for level in [i32::MIN, 0, 1, 6, 12, 13, i32::MAX] {
            assert!(Gzip::new(level).add(&[b'x'; 10_000]).len() < 200);
        }
    }

    #[test]
    fn a_large_member_does_not_hold_its_memory_for_ever() {
        let mut gzip = Gzip::new(1);
        gzip.add(&vec![0; 8 * KEPT_CAPACITY]);
        gzip.shrink();
        assert!(gzip.buffer.capacity() <= 2 * KEPT_CAPACITY);
    }
}
