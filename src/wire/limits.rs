//! What the entries of a message may be at most.

use super::msgpack::MAX_DEPTH;
use super::refusal::Refusal;
use crate::chunk::Encoding;

/// Inflated bytes that no ratio forbids: small messages of one repeated record compress as well as bombs do.
pub const INFLATE_ALLOWANCE: u64 = 1024 * 1024;

/// The limits on what a message holds. Past one of them the message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentLimits {
    /// Bytes of one entry.
    pub max_entry_size: usize,
    /// How deep arrays and maps may be nested in a record; at most [`MAX_DEPTH`].
    pub max_depth: usize,
    /// Bytes of all entries after inflating.
    pub max_inflated_size: u64,
    /// Inflated over compressed bytes, past [`INFLATE_ALLOWANCE`].
    pub max_inflate_ratio: u64,
}

impl ContentLimits {
    /// Only what no configuration can lift.
    pub const NONE: Self = Self {
        max_entry_size: u32::MAX as usize,
        max_depth: MAX_DEPTH,
        max_inflated_size: u64::MAX,
        max_inflate_ratio: u64::MAX,
    };

    /// How far so many compressed bytes may inflate.
    pub(super) fn inflated(&self, encoding: Encoding, compressed: u64) -> InflatedLimit {
        let by_ratio = match encoding {
            Encoding::Plain => u64::MAX,
            Encoding::Gzip | Encoding::Zstd => {
                compressed.saturating_mul(self.max_inflate_ratio).max(INFLATE_ALLOWANCE)
            }
        };
        match encoding {
            // What is plain is bounded by the size of the message.
            Encoding::Plain => {
                InflatedLimit { bytes: u64::MAX, refusal: Refusal::InflatesTooLarge { limit: u64::MAX } }
            }
            _ if by_ratio < self.max_inflated_size => InflatedLimit {
                bytes: by_ratio,
                refusal: Refusal::InflateRatio { limit: self.max_inflate_ratio },
            },
            _ => InflatedLimit {
                bytes: self.max_inflated_size,
                refusal: Refusal::InflatesTooLarge { limit: self.max_inflated_size },
            },
        }
    }
}

/// How many bytes something may inflate to, and why no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InflatedLimit {
    pub(super) bytes: u64,
    pub(super) refusal: Refusal,
}
