//! Entries that go out compressed.

use std::fmt;
use std::io;

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};

use crate::chunk::Encoding;

/// The levels that the tools of both formats choose themselves: a message waits for its compression.
const GZIP_LEVEL: i32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// Compresses runs of entries; its tables are reused from one to the next.
pub(super) struct Compress {
    encoding: Encoding,
    gzip: Compressor,
}

impl Compress {
    pub(super) fn new(encoding: Encoding) -> Self {
        let level = CompressionLvl::new(GZIP_LEVEL).unwrap_or_default();
        Self { encoding, gzip: Compressor::new(level) }
    }

    /// How what [`entries`](Self::entries) gives is encoded.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The entries as they go out, and how they are encoded then.
    pub(super) fn entries(&mut self, plain: Vec<u8>) -> (Bytes, Encoding) {
        let compressed = match self.encoding {
            Encoding::Plain => return (plain.into(), Encoding::Plain),
            Encoding::Gzip => self.gzip_member(&plain),
            Encoding::Zstd => zstd::bulk::compress(&plain, ZSTD_LEVEL),
        };
        match compressed {
            Ok(compressed) => (compressed.into(), self.encoding),
            Err(error) => {
                tracing::warn!(%error, "cannot compress entries: they go out as they are");
                (plain.into(), Encoding::Plain)
            }
        }
    }

    fn gzip_member(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        let mut member = vec![0; self.gzip.gzip_compress_bound(plain.len())];
        let length = self.gzip.gzip_compress(plain, &mut member).map_err(io::Error::other)?;
        member.truncate(length);
        member.shrink_to_fit();
        Ok(member)
    }
}

impl fmt::Debug for Compress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Compress").field("encoding", &self.encoding).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::compression::inflate;

    #[test]
    fn what_is_compressed_inflates_again() {
        for encoding in [Encoding::Plain, Encoding::Gzip, Encoding::Zstd] {
            for plain in [&b"\x92\x01\x80"[..], &b"\x92\x01\x80".repeat(1000)] {
                let (entries, encoded) = Compress::new(encoding).entries(plain.to_vec());
                let mut out = Vec::new();
                inflate(encoded, &entries, 3000, &mut out).unwrap();
                assert_eq!((encoded, &out[..]), (encoding, plain));
            }
        }
    }
}
