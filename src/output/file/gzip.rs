//! Whole gzip members.

use libdeflater::{CompressionLvl, Compressor};

/// Makes gzip members, with memory that is reused.
pub(super) struct Gzip {
    compressor: Compressor,
}

impl std::fmt::Debug for Gzip {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Gzip").finish_non_exhaustive()
    }
}

impl Gzip {
    /// `level` from 1 (fast) to 12 (small); anything else counts as the nearest of these.
    pub(super) fn new(level: i32) -> Self {
        let level = CompressionLvl::new(level.clamp(1, 12)).unwrap_or_default();
        Self { compressor: Compressor::new(level) }
    }

    /// Puts one member with all of `bytes` in the place of what `out` held.
    pub(super) fn compress(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        out.resize(self.compressor.gzip_compress_bound(bytes.len()), 0);
        let length = self.compressor.gzip_compress(bytes, out).expect("the bound is enough by definition");
        out.truncate(length);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn members_one_after_the_other_read_as_one_text() {
        let mut gzip = Gzip::new(6);
        let mut file = Vec::new();
        let mut member = Vec::new();
        for text in ["one\n", "", "two\n"] {
            gzip.compress(text.as_bytes(), &mut member);
            file.extend_from_slice(&member);
        }
        let mut read = String::new();
        flate2::read::MultiGzDecoder::new(&file[..]).read_to_string(&mut read).unwrap();
        assert_eq!(read, "one\ntwo\n");
    }

    #[test]
    fn every_level_works_and_others_count_as_the_nearest() {
        for level in [-1, 0, 1, 6, 12, 13] {
            let mut member = Vec::new();
            Gzip::new(level).compress(&[b'x'; 10_000], &mut member);
            assert!(member.len() < 200);
        }
    }
}
