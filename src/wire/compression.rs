//! Entries that come compressed.

use std::io::{self, Read};

use flate2::bufread::MultiGzDecoder;

/// Why compressed entries are not inflated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    #[error("the data inflates to more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("{0}")]
    Corrupt(String),
}

/// Inflates one or several gzip members, one after the other, into `out`, which is cleared first and keeps its memory
/// for the next call. Nothing at all inflates to nothing.
///
/// # Errors
///
/// [`InflateError::TooLarge`] as soon as there are more than `limit` bytes; [`InflateError::Corrupt`] where a member
/// is damaged, cut short, or followed by something else. `out` holds a part then.
pub fn inflate_gzip(compressed: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<(), InflateError> {
    out.clear();
    if compressed.is_empty() {
        return Ok(());
    }
    let one_too_many = limit as u64 + 1;
    MultiGzDecoder::new(compressed).take(one_too_many).read_to_end(out).map_err(|error| {
        InflateError::Corrupt(match error.kind() {
            io::ErrorKind::UnexpectedEof => "it ends inside a gzip member".to_owned(),
            _ => error.to_string(),
        })
    })?;
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

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(compressed: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
        let mut out = b"left over".to_vec();
        inflate_gzip(compressed, limit, &mut out).map(|()| out)
    }

    #[test]
    fn members_are_joined() {
        let bytes = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
        assert_eq!(inflate(&bytes, 100).unwrap(), b"one two");
        assert_eq!(inflate(b"", 0).unwrap(), b"");
    }

    #[test]
    fn the_limit_holds_at_its_edge_and_over_all_members() {
        let bytes = [gzip(b"12345"), gzip(b"67890")].concat();
        assert_eq!(inflate(&bytes, 10).unwrap(), b"1234567890");
        assert_eq!(inflate(&bytes, 9), Err(InflateError::TooLarge { limit: 9 }));
    }

    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        let mut out = Vec::new();
        assert_eq!(inflate_gzip(&bomb, 1 << 20, &mut out), Err(InflateError::TooLarge { limit: 1 << 20 }));
        assert!(out.capacity() <= 4 << 20, "{}", out.capacity());
    }

    #[test]
    fn damage_anywhere_is_seen() {
        let whole = gzip(b"a record, a record, a record");
        for length in 1..whole.len() {
            assert!(matches!(inflate(&whole[..length], 100), Err(InflateError::Corrupt(_))), "{length}");
        }
        for at in [0, 1, 2, whole.len() - 1, whole.len() - 8] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            assert!(matches!(inflate(&damaged, 100), Err(InflateError::Corrupt(_))), "{at}");
        }
        let trailing = [&whole[..], b"garbage"].concat();
        assert!(matches!(inflate(&trailing, 100), Err(InflateError::Corrupt(_))));
    }
}
