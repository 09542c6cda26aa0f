//! Entries that come compressed.

use std::io::Read;

use super::inflating::Inflating;
use crate::chunk::Encoding;

/// Why compressed entries are not inflated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    #[error("the data inflates to more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("{0}")]
    Corrupt(String),
}

/// Inflates entries into `out`, which is cleared first and keeps its memory for the next call: several gzip members or
/// Zstandard frames, one after the other. Nothing at all inflates to nothing; plain entries are copied.
///
/// # Errors
///
/// [`InflateError::TooLarge`] as soon as there are more than `limit` bytes; [`InflateError::Corrupt`] where a member
/// is damaged, cut short, or followed by something else. `out` holds a part then.
pub fn inflate(
    encoding: Encoding,
    compressed: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), InflateError> {
    out.clear();
    let mut inflating = Inflating::new(encoding, compressed);
    let one_too_many = limit as u64 + 1;
    if let Err(error) = inflating.by_ref().take(one_too_many).read_to_end(out) {
        return Err(inflating.fault(error));
    }
    if out.len() > limit {
        return Err(InflateError::TooLarge { limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::Encoding::{Gzip, Zstd};
    use super::*;

    fn compress(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        if encoding == Zstd {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(bytes).unwrap();
            return encoder.finish().unwrap();
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflated(encoding: Encoding, compressed: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
        let mut out = b"left over".to_vec();
        inflate(encoding, compressed, limit, &mut out).map(|()| out)
    }

    #[test]
    fn members_are_joined() {
        for encoding in [Gzip, Zstd] {
            let bytes = [&b"one "[..], b"", b"two"].map(|part| compress(encoding, part)).concat();
            assert_eq!(inflated(encoding, &bytes, 100).unwrap(), b"one two");
            assert_eq!(inflated(encoding, b"", 0).unwrap(), b"");
        }
    }

    #[test]
    fn the_limit_holds_at_its_edge_and_over_all_members() {
        for encoding in [Gzip, Zstd] {
            let bytes = [b"12345", b"67890"].map(|part| compress(encoding, part)).concat();
            assert_eq!(inflated(encoding, &bytes, 10).unwrap(), b"1234567890");
            assert_eq!(inflated(encoding, &bytes, 9), Err(InflateError::TooLarge { limit: 9 }));
        }
    }

    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        for encoding in [Gzip, Zstd] {
            let bomb = compress(encoding, &vec![0; 64 << 20]);
            assert!(bomb.len() < 1 << 20);
            let mut out = Vec::new();
            assert_eq!(
                inflate(encoding, &bomb, 1 << 20, &mut out),
                Err(InflateError::TooLarge { limit: 1 << 20 })
            );
            assert!(out.capacity() <= 4 << 20, "{}", out.capacity());
        }
    }

    #[test]
    fn a_window_that_asks_for_much_memory_is_refused() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(super::super::zstd_frames::MAX_WINDOW_LOG + 1).unwrap();
        encoder.write_all(b"a record").unwrap();
        let wide = encoder.finish().unwrap();
        assert!(matches!(inflated(Zstd, &wide, 100), Err(InflateError::Corrupt(_))));
    }

    #[test]
    fn damage_anywhere_is_seen() {
        for encoding in [Gzip, Zstd] {
            let whole = compress(encoding, b"a record, a record, a record");
            for length in 1..whole.len() {
                let cut = inflated(encoding, &whole[..length], 100);
                assert!(matches!(cut, Err(InflateError::Corrupt(_))), "{encoding:?} {length}: {cut:?}");
            }
            for at in [0, 1, 2, whole.len() - 1] {
                let mut damaged = whole.clone();
                damaged[at] ^= 0x55;
                let damaged = inflated(encoding, &damaged, 100);
                assert!(matches!(damaged, Err(InflateError::Corrupt(_))), "{encoding:?} {at}: {damaged:?}");
            }
            let trailing = [&whole[..], b"garbage"].concat();
            assert!(matches!(inflated(encoding, &trailing, 100), Err(InflateError::Corrupt(_))));
        }
    }
}
