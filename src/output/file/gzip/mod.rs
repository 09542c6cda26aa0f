//! Whole gzip members (RFC 1952), made in one go from memory.

#[cfg(feature = "isal")]
mod isal;
mod level;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use libdeflater::{CompressionLvl, Compressor};

use level::{Kind, MAX_LIBDEFLATE};

pub use level::Level;

/// How large a text may come out at a level that [`Gzip::fastest_within`] chooses, in percent of what Fluentd, which uses
/// zlib at its level 6, makes of it.
pub const MAX_PERCENT_OF_FLUENTD: usize = 115;

/// How much of a text is tried for that, in bytes. What is shorter does not tell how a large one comes out.
pub const SAMPLE: usize = 64 * 1024;

/// The same for ISA-L: of files whose text is of one kind here and of another there, it makes more than the sample tells.
#[cfg(feature = "isal")]
const MAX_PERCENT_BY_ISAL: usize = 112;

/// The level of zlib-rs that stands for zlib's 6: the first that looks for a longer match behind each one as that does.
/// Over [`SAMPLE`] bytes of logs of many kinds it tells best how much larger a whole file comes out, to 3 percent too small
/// and 6 too large; level 6 is off by 5 in both directions.
const FLUENTD: u32 = 7;

/// Makes gzip members, one behind the other; its memory is reused.
pub struct Gzip {
    /// By level; each is made when it is first used.
    libdeflate: [Option<Compressor>; MAX_LIBDEFLATE as usize + 1],
    /// Not after it failed once.
    #[cfg(feature = "isal")]
    use_isal: bool,
    /// The members, and behind them what is left of larger ones.
    buffer: Vec<u8>,
    length: usize,
}

/// A member that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where it is, for [`Gzip::get`].
    pub place: Range<usize>,
    /// What it was made at: [`Level::UNKNOWN`] where the compressor of the level that was asked for failed.
    pub level: Level,
}

/// What the buffer for members may keep between two flushes, in bytes.
const KEPT_CAPACITY: usize = 1024 * 1024;

impl Default for Gzip {
    fn default() -> Self {
        Self {
            libdeflate: [const { None }; _],
            #[cfg(feature = "isal")]
            use_isal: true,
            buffer: Vec::new(),
            length: 0,
        }
    }
}

impl Gzip {
    /// Adds one member that holds all of `bytes`.
    pub fn add(&mut self, bytes: &[u8], level: Level) -> Member {
        let start = self.length;
        let (length, level) = self.compress(bytes, level);
        self.length += length;
        Member { place: start..self.length, level }
    }

    /// The fastest level that makes a text, going by the first [`SAMPLE`] bytes of it, at most [`MAX_PERCENT_OF_FLUENTD`] as
    /// large as Fluentd does. It takes several times as long as compressing them once.
    pub fn fastest_within(&mut self, text: &[u8]) -> Level {
        let sample = &text[..text.len().min(SAMPLE)];
        let fluentd = fluentd_length(sample);
        let mut smallest = Level::UNKNOWN;
        for level in Level::candidates() {
            let (length, made_at) = self.compress(sample, level);
            if made_at == level && length - GZIP_FRAME <= fluentd * max_percent(level) / 100 {
                return level;
            }
            smallest = level;
        }
        smallest
    }

    /// Compresses to where the next member would begin: its length, and the level that it was made at.
    fn compress(&mut self, bytes: &[u8], level: Level) -> (usize, Level) {
        match level.kind() {
            Kind::Libdeflate(number) => (self.libdeflate(bytes, number), level),
            #[cfg(feature = "isal")]
            Kind::Isal => match self.isal(bytes) {
                Some(length) => (length, level),
                None => self.compress(bytes, Level::UNKNOWN),
            },
        }
    }

    fn libdeflate(&mut self, bytes: &[u8], level: u8) -> usize {
        let compressor = self.libdeflate[usize::from(level)]
            .get_or_insert_with(|| Compressor::new(CompressionLvl::new(level.into()).unwrap_or_default()));
        let bound = compressor.gzip_compress_bound(bytes.len());
        compressor
            .gzip_compress(bytes, room(&mut self.buffer, self.length, bound))
            .expect("a buffer of gzip_compress_bound is large enough for any input")
    }

    /// `None` where ISA-L can't, or could not before.
    #[cfg(feature = "isal")]
    fn isal(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.use_isal || bytes.len() > isal::MAX_TEXT {
            return None;
        }
        let out = room(&mut self.buffer, self.length, isal::bound(bytes.len()));
        match isal::compress(bytes, out) {
            Ok(length) => Some(length),
            Err(error) => {
                self.use_isal = false;
                tracing::error!(
                    %error,
                    "the fast compressor failed: archive files are compressed by libdeflate until the next start, nothing \
                     is lost; please report it with the processor's name"
                );
                None
            }
        }
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

fn max_percent(level: Level) -> usize {
    match level.kind() {
        #[cfg(feature = "isal")]
        Kind::Isal => MAX_PERCENT_BY_ISAL,
        Kind::Libdeflate(_) => MAX_PERCENT_OF_FLUENTD,
    }
}

/// Bytes of a member around its deflate stream.
const GZIP_FRAME: usize = 18;

/// How many bytes Fluentd makes of a text, about.
fn fluentd_length(text: &[u8]) -> usize {
    let mut encoder = DeflateEncoder::new(io::sink(), Compression::new(FLUENTD));
    match encoder.write_all(text).and_then(|()| encoder.try_finish()) {
        Ok(()) => encoder.total_out() as usize,
        Err(_) => text.len(),
    }
}

/// So many bytes of the buffer, from `start` on.
fn room(buffer: &mut Vec<u8>, start: usize, bytes: usize) -> &mut [u8] {
    let end = start + bytes;
    if buffer.len() < end {
        buffer.resize(end, 0);
    }
    &mut buffer[start..end]
}

impl fmt::Debug for Gzip {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Gzip").field("capacity", &self.buffer.capacity()).finish_non_exhaustive()
    }
}
