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
    let end = skip_nested(bytes, at, limit, limit)?;
    // The last value may have been passed over by what its first bytes say.
    if end <= bytes.len() { Ok(end) } else { Err(MsgpackError::Incomplete) }
}

/// `depth` is what is left of the limit: so deep this calls itself, and no deeper. May end behind the bytes, where the
/// last value is cut short.
fn skip_nested(bytes: &[u8], mut at: usize, depth: usize, limit: usize) -> Result<usize, MsgpackError> {
    let children = children(bytes, &mut at)?;
    if children == 0 {
        return Ok(at);
    }
    let below = depth.checked_sub(1).ok_or(MsgpackError::TooDeep { limit })?;
    for _ in 0..children {
        let marker = *bytes.get(at).ok_or(MsgpackError::Incomplete)?;
        // Keys and most values. Each step waits for the one before, and a table is a step more.
        if marker & 0xe0 == FIXSTR {
            at += 1 + usize::from(marker & 0x1f);
            continue;
        }
        match LENGTHS[usize::from(marker)] {
            LONGER if marker == STR_8 => {
                at += 2 + usize::from(*bytes.get(at + 1).ok_or(MsgpackError::Incomplete)?);
            }
            LONGER => at = skip_nested(bytes, at, below, limit)?,
            length => at += usize::from(length),
        }
    }
    Ok(at)
}

/// How many values follow the head of a container, and moves behind that; 0 where it is none, and behind all of it.
#[inline]
fn children(bytes: &[u8], at: &mut usize) -> Result<u64, MsgpackError> {
    let (children, head) = match bytes.get(*at..).unwrap_or_default() {
        [marker @ 0x80..=0x8f, ..] => (u64::from(marker & 0x0f) * 2, 1),
        [MAP_16, high, low, ..] => (u64::from(u16::from_be_bytes([*high, *low])) * 2, 3),
        _ => match read(bytes, at)? {
            Token::Array(length) => (u64::from(length), 0),
            Token::Map(length) => (u64::from(length) * 2, 0),
            _ => (0, 0),
        },
    };
    *at += head;
    Ok(children)
}

/// A map of up to 65,535 pairs.
const MAP_16: u8 = 0xde;

/// Text of up to 255 bytes.
const STR_8: u8 = 0xd9;

/// Text of up to 31 bytes: its length is in the lower five bits.
const FIXSTR: u8 = 0xa0;

/// A value whose first byte does not say how long it is.
const LONGER: u8 = 0;

/// How many bytes a value has, by its first one, of the kinds that nearly all of a log consists of.
const LENGTHS: [u8; 256] = {
    let mut lengths = [LONGER; 256];
    let mut marker = 0;
    while marker < 256 {
        lengths[marker] = match marker {
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => 1,
            0xa0..=0xbf => 1 + (marker as u8 & 0x1f),
            0xcc | 0xd0 => 2,
            0xcd | 0xd1 => 3,
            0xca | 0xce | 0xd2 => 5,
            0xcb | 0xcf | 0xd3 => 9,
            _ => LONGER,
        };
        marker += 1;
    }
    lengths
};

/// The end of a short text or of a number; `None` for any other value, and where it is cut short.
#[inline]
fn end_of_common(bytes: &[u8], at: usize) -> Option<usize> {
    let length = usize::from(LENGTHS[usize::from(*bytes.get(at)?)]);
    (length != usize::from(LONGER) && length <= bytes.len() - at).then_some(at + length)
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
    fn a_container_that_is_cut_anywhere_is_incomplete() {
        let bytes = [&b"\x94\xd9\x04text\x92\xcd\x01\x02\xa2ab\xda\x00\x03abc\xcb"[..], &[0; 8]].concat();
        assert_eq!(skip(&bytes, 0), Ok(bytes.len()));
        for length in 0..bytes.len() {
            assert_eq!(skip(&bytes[..length], 0), Err(MsgpackError::Incomplete), "{length}");
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
