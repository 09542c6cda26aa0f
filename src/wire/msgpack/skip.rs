//! Skipping over whole values.

use super::{MsgpackError, Token, read};

/// How deep arrays and maps may be nested. Fluentd's and Fluent Bit's own readers stop at similar depths.
pub const MAX_DEPTH: usize = 128;

/// What a message may put around a record: the message, the array of entries, the entry, and time with metadata.
pub const ENVELOPE_DEPTH: usize = 4;

/// The end of the value that begins at `at`, containers with all that they hold.
///
/// # Errors
///
/// As [`read()`], and [`MsgpackError::TooDeep`] past [`MAX_DEPTH`].
#[inline]
pub fn skip(bytes: &[u8], at: usize) -> Result<usize, MsgpackError> {
    skip_within(bytes, at, MAX_DEPTH)
}

/// As [`skip`], with a limit of its own, at most [`MAX_DEPTH`] and [`ENVELOPE_DEPTH`] together.
#[inline]
pub fn skip_within(bytes: &[u8], at: usize, max_depth: usize) -> Result<usize, MsgpackError> {
    match end_of_common(bytes, at) {
        Some(end) => Ok(end),
        None => skip_any(bytes, at, max_depth),
    }
}

fn skip_any(bytes: &[u8], at: usize, max_depth: usize) -> Result<usize, MsgpackError> {
    let limit = max_depth.min(MAX_DEPTH + ENVELOPE_DEPTH);
    skip_nested(bytes, at, limit, limit)
}

/// `depth` is what is left of the limit: so deep this calls itself, and no deeper.
fn skip_nested(bytes: &[u8], mut at: usize, depth: usize, limit: usize) -> Result<usize, MsgpackError> {
    let children = match read(bytes, &mut at)? {
        Token::Array(0) | Token::Map(0) => return Ok(at),
        Token::Array(length) => u64::from(length),
        Token::Map(length) => u64::from(length) * 2,
        _ => return Ok(at),
    };
    let below = depth.checked_sub(1).ok_or(MsgpackError::TooDeep { limit })?;
    for _ in 0..children {
        at = match end_of_common(bytes, at) {
            Some(end) => end,
            None => skip_nested(bytes, at, below, limit)?,
        };
    }
    Ok(at)
}

/// The end of a value of the kinds that nearly all of a log consists of, text and numbers; `None` for any other, and
/// where it is cut short.
#[inline]
fn end_of_common(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let length = match *rest.first()? {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => 1,
        marker @ 0xa0..=0xbf => 1 + usize::from(marker & 0x1f),
        0xd9 => 2 + usize::from(*rest.get(1)?),
        0xda => 3 + usize::from(u16::from_be_bytes([*rest.get(1)?, *rest.get(2)?])),
        0xcc | 0xd0 => 2,
        0xcd | 0xd1 => 3,
        0xca | 0xce | 0xd2 => 5,
        0xcb | 0xcf | 0xd3 => 9,
        _ => return None,
    };
    (length <= rest.len()).then_some(at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_skipped_with_all_that_they_hold() {
        let bytes = b"\x92\x01\x82\xa1a\x91\x02\xa1b\x80\xff";
        assert_eq!(skip(bytes, 0), Ok(bytes.len() - 1));
        assert_eq!(skip(bytes, bytes.len() - 1), Ok(bytes.len()));
    }

    #[test]
    fn every_marker_is_skipped_to_where_it_is_read_to_and_cut_short_by_none() {
        for marker in 0..=u8::MAX {
            let bytes = [&[marker, 0, 0, 0, 1][..], &[0; 40]].concat();
            let mut at = 0;
            let is_container = matches!(marker, 0x80..=0x9f | 0xdc..=0xdf);
            match read(&bytes, &mut at) {
                Ok(_) if !is_container => {
                    assert_eq!(skip(&bytes, 0), Ok(at), "{marker:x}");
                    for length in 0..at {
                        assert_eq!(skip(&bytes[..length], 0), Err(MsgpackError::Incomplete), "{marker:x}");
                    }
                }
                Ok(_) => {}
                Err(error) => assert_eq!(skip(&bytes, 0), Err(error), "{marker:x}"),
            }
        }
    }

    #[test]
    fn nesting_is_allowed_up_to_the_limit() {
        let nested = |depth: usize| [vec![0x91; depth], vec![0x01]].concat();
        assert_eq!(skip(&nested(MAX_DEPTH), 0), Ok(MAX_DEPTH + 1));
        assert_eq!(skip(&nested(MAX_DEPTH + 1), 0), Err(MsgpackError::TooDeep { limit: MAX_DEPTH }));
        assert_eq!(skip(&nested(100_000), 0), Err(MsgpackError::TooDeep { limit: MAX_DEPTH }));
    }

    #[test]
    fn a_map_that_promises_four_billion_pairs_is_incomplete() {
        assert_eq!(skip(b"\xdf\xff\xff\xff\xff\x01\x02", 0), Err(MsgpackError::Incomplete));
    }
}
