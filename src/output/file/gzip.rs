//! Whole gzip members (RFC 1952), made in one go from memory.

use std::fmt;

use libdeflater::{CompressionLvl, Compressor};

/// Makes gzip members; its memory is reused from one to the next.
pub(super) struct Gzip {
    compressor: Compressor,
    /// The last member, and behind it what is left of larger ones.
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

    /// Makes one member that holds all of `bytes`.
    pub(super) fn member(&mut self, bytes: &[u8]) -> &[u8] {
        let bound = self.compressor.gzip_compress_bound(bytes.len());
        if self.buffer.len() < bound {
            self.buffer.resize(bound, 0);
        }
        self.length = self
            .compressor
            .gzip_compress(bytes, &mut self.buffer)
            .expect("a buffer of gzip_compress_bound is large enough for any input");
        self.last()
    }

    /// The member that was made last.
    pub(super) fn last(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    /// Forgets the last member, and gives memory back that an unusually large one took.
    pub(super) fn shrink(&mut self) {
        self.length = 0;
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
        for text in ["one\n", &large, "", "two\n"] {
            file.extend_from_slice(gzip.member(text.as_bytes()));
            gzip.shrink();
        }
        let mut read = String::new();
        flate2::read::MultiGzDecoder::new(&file[..]).read_to_string(&mut read).unwrap();
        assert_eq!(read, format!("one\n{large}two\n"));
    }

    #[test]
    fn every_level_works_and_others_count_as_the_nearest() {
        for level in [i32::MIN, 0, 1, 6, 12, 13, i32::MAX] {
            assert!(Gzip::new(level).member(&[b'x'; 10_000]).len() < 200);
        }
    }

    #[test]
    fn a_large_member_does_not_hold_its_memory_for_ever() {
        let mut gzip = Gzip::new(1);
        gzip.member(&vec![0; 8 * KEPT_CAPACITY]);
        gzip.shrink();
        assert!(gzip.buffer.capacity() <= 2 * KEPT_CAPACITY);
    }
}
