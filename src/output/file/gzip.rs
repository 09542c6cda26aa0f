//! Whole gzip members (RFC 1952), made in one go from memory.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use libdeflater::{CompressionLvl, Compressor};

/// How large a text may come out at a level that [`Gzip::fastest_within`] chooses, in percent of what Fluentd, which uses
/// zlib at its level 6, makes of it.
pub const MAX_PERCENT_OF_FLUENTD: usize = 115;

/// How much of a text is tried for that, in bytes. What is shorter does not tell how a large one comes out.
pub const SAMPLE: usize = 64 * 1024;

/// From fast to small.
const LEVELS: std::ops::RangeInclusive<i32> = 1..=12;

/// Where a level that is small enough is looked for: what comes behind is hardly any smaller.
const CANDIDATES: std::ops::RangeInclusive<i32> = 1..=6;

/// Makes gzip members, one behind the other; its memory is reused.
pub struct Gzip {
    /// By level; each is made when it is first used.
    compressors: [Option<Compressor>; *LEVELS.end() as usize + 1],
    /// The members, and behind them what is left of larger ones.
    buffer: Vec<u8>,
    length: usize,
}

/// What the buffer for members may keep between two flushes, in bytes.
const KEPT_CAPACITY: usize = 1024 * 1024;

impl Default for Gzip {
    fn default() -> Self {
        Self { compressors: [const { None }; _], buffer: Vec::new(), length: 0 }
    }
}

impl Gzip {
    /// Adds one member that holds all of `bytes`: where it is. `level` is from 1 (fast) to 12 (small); anything else counts
    /// as the nearest of these.
    pub fn add(&mut self, bytes: &[u8], level: i32) -> Range<usize> {
        let start = self.length;
        self.length += self.compress(bytes, level);
        start..self.length
    }

    /// The fastest level that makes a text, going by the first [`SAMPLE`] bytes of it, at most [`MAX_PERCENT_OF_FLUENTD`] as
    /// large as Fluentd does. It takes several times as long as compressing them once.
    pub fn fastest_within(&mut self, text: &[u8]) -> i32 {
        let sample = &text[..text.len().min(SAMPLE)];
        let most = zlib_length(sample) * MAX_PERCENT_OF_FLUENTD / 100;
        let is_small = |level: &i32| self.compress(sample, *level) - GZIP_FRAME <= most;
        CANDIDATES.into_iter().find(is_small).unwrap_or(*CANDIDATES.end())
    }

    /// Compresses to where the next member would begin: its length.
    fn compress(&mut self, bytes: &[u8], level: i32) -> usize {
        let level = level.clamp(*LEVELS.start(), *LEVELS.end());
        let compressor = self.compressors[level as usize]
            .get_or_insert_with(|| Compressor::new(CompressionLvl::new(level).unwrap_or_default()));
        let end = self.length + compressor.gzip_compress_bound(bytes.len());
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        compressor
            .gzip_compress(bytes, &mut self.buffer[self.length..])
            .expect("a buffer of gzip_compress_bound is large enough for any input")
    }

    /// A member that was added since the last [`clear`](Self::clear).
    pub fn get(&self, member: Range<usize>) -> &[u8] {
        &self.buffer[member]
    }

    /// Forgets all members.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Gives memory back that unusually large members took.
    pub fn shrink(&mut self) {
        self.clear();
        self.buffer.truncate(KEPT_CAPACITY);
        self.buffer.shrink_to(KEPT_CAPACITY);
    }
}

/// Bytes of a member around its deflate stream.
const GZIP_FRAME: usize = 18;

/// How many bytes zlib makes of a text at the level that Fluentd uses.
fn zlib_length(text: &[u8]) -> usize {
    let mut encoder = DeflateEncoder::new(io::sink(), Compression::new(6));
    match encoder.write_all(text).and_then(|()| encoder.try_finish()) {
        Ok(()) => encoder.total_out() as usize,
        Err(_) => text.len(),
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
        let mut gzip = Gzip::default();
        let large = "x".repeat(3 * KEPT_CAPACITY);
        let mut file = Vec::new();
        for texts in [&["one\n", &large][..], &[""], &["two\n", "three\n"]] {
            let members: Vec<_> =
                texts.iter().map(|text| gzip.add(text.as_bytes(), text.len() as i32)).collect();
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
            assert!(Gzip::default().add(&[b'x'; 10_000], level).len() < 200);
        }
    }

    #[test]
    fn a_large_member_does_not_hold_its_memory_for_ever() {
        let mut gzip = Gzip::default();
        gzip.add(&vec![0; 8 * KEPT_CAPACITY], 1);
        gzip.shrink();
        assert!(gzip.buffer.capacity() <= 2 * KEPT_CAPACITY);
    }

    #[test]
    fn the_level_is_the_fastest_whose_size_is_within_the_limit() {
        // Noise leaves nothing to a better level; lines that are much alike do.
        let mut state = 1u64;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()
        };
        let random: Vec<u8> = (0..10_000).flat_map(|_| noise()).collect();
        let alike: String = (0..2_000)
            .map(|at| format!("{} GET /a/{}/b/{} 200 {}\n", at / 7, at % 13, at % 101, at * at))
            .collect();
        let mut gzip = Gzip::default();
        let member = gzip.add(b"before", 1);
        assert_eq!(gzip.fastest_within(&random), 1);
        let level = gzip.fastest_within(alike.as_bytes());
        let most = zlib_length(alike.as_bytes()) * MAX_PERCENT_OF_FLUENTD / 100;
        for (tried, is_within) in (1..level).map(|it| (it, false)).chain([(level, true)]) {
            assert_eq!(gzip.compress(alike.as_bytes(), tried) - GZIP_FRAME <= most, is_within, "{tried}");
        }
        let mut read = String::new();
        flate2::read::GzDecoder::new(gzip.get(member)).read_to_string(&mut read).unwrap();
        assert_eq!(read, "before", "trials leave members alone");
    }
}
