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

/// Keys that are remembered of a map.
const LIKELY_KEYS: usize = 32;

/// How the keys of the map before began. The maps of a log mostly have the same keys in the same order, so that where a key
/// ends is known before its first byte is there: that byte need not be waited for then, but only be the expected one.
#[derive(Debug, Clone)]
pub struct LikelyKeys {
    /// First bytes, of short texts alone.
    heads: [u8; LIKELY_KEYS],
    /// How many bytes a key has that begins like that.
    lengths: [u8; LIKELY_KEYS],
}

impl LikelyKeys {
    /// Nothing is likely yet.
    pub const NONE: Self = Self { heads: [NO_VALUE; LIKELY_KEYS], lengths: [0; LIKELY_KEYS] };

    /// As [`skip_within`], for maps that come one after the other.
    ///
    /// # Errors
    ///
    /// The same.
    #[inline]
    pub fn skip_map(&mut self, bytes: &[u8], at: usize, max_depth: usize) -> Result<usize, MsgpackError> {
        let (pairs, mut at) = match bytes.get(at..).unwrap_or_default() {
            [marker @ 0x81..=0x8f, ..] => (usize::from(marker & 0x0f), at + 1),
            [MAP_16, high, low @ 1..=0xff, ..] => (usize::from(u16::from_be_bytes([*high, *low])), at + 3),
            _ => return skip_within(bytes, at, max_depth),
        };
        let limit = max_depth.min(MAX_DEPTH + ENVELOPE_DEPTH);
        let below = limit.checked_sub(1).ok_or(MsgpackError::TooDeep { limit })?;
        let known = pairs.min(LIKELY_KEYS);
        for (head, length) in self.heads[..known].iter_mut().zip(&mut self.lengths[..known]) {
            let marker = *bytes.get(at).ok_or(MsgpackError::Incomplete)?;
            if marker == *head {
                at += usize::from(*length);
            } else {
                if marker & 0xe0 == FIXSTR {
                    (*head, *length) = (marker, 1 + (marker & 0x1f));
                }
                at = skip_child(bytes, at, below, limit)?;
            }
            at = skip_child(bytes, at, below, limit)?;
        }
        for _ in 2 * known..2 * pairs {
            at = skip_child(bytes, at, below, limit)?;
        }
        // The last value may have been passed over by what its first bytes say.
        if at <= bytes.len() { Ok(at) } else { Err(MsgpackError::Incomplete) }
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
        at = skip_child(bytes, at, below, limit)?;
    }
    Ok(at)
}

/// As [`skip_nested`], of what mostly is no container.
#[inline(always)]
fn skip_child(bytes: &[u8], at: usize, depth: usize, limit: usize) -> Result<usize, MsgpackError> {
    let marker = *bytes.get(at).ok_or(MsgpackError::Incomplete)?;
    // Keys and most values. Each step waits for the one before, and a table is a step more.
    if marker & 0xe0 == FIXSTR {
        return Ok(at + 1 + usize::from(marker & 0x1f));
    }
    match LENGTHS[usize::from(marker)] {
        LONGER if marker == STR_8 => {
            Ok(at + 2 + usize::from(*bytes.get(at + 1).ok_or(MsgpackError::Incomplete)?))
        }
        LONGER => skip_nested(bytes, at, depth, limit),
        length => Ok(at + usize::from(length)),
    }
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

/// No value begins with it.
const NO_VALUE: u8 = 0xc1;

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
    fn maps_are_skipped_the_same_whatever_the_keys_before_them_were() {
        let long =
            |pairs: u16| [&[MAP_16][..], &pairs.to_be_bytes(), &b"\xa1k\x05".repeat(pairs.into())].concat();
        let maps = [
            b"\x82\xa3one\x01\xa3two\xa2ab".to_vec(),
            b"\x82\xa3one\x81\xa1x\x01\xa3two\xd9\x02ab".to_vec(),
            b"\x82\xa4four\x01\x05\xa2ab".to_vec(),
            b"\x83\xa3one\x91\x80\xd9\x03two\xcb12345678\xa0\xda\x00\x01x".to_vec(),
            b"\xde\x00\x00".to_vec(),
            b"\xde\x01\x00".iter().copied().chain(b"\xa1k\x05".repeat(256)).collect(),
            b"\x80".to_vec(),
            b"\x81\xc1\x01".to_vec(),
            b"\x92\x01\x80".to_vec(),
            long(LIKELY_KEYS as u16),
            long(LIKELY_KEYS as u16 + 1),
            [vec![0x81, 0xa1, b'k', 0x91], vec![0x91; MAX_DEPTH], vec![0x01]].concat(),
        ];
        for before in &maps {
            let mut keys = LikelyKeys::NONE;
            let _ = keys.skip_map(before, 0, MAX_DEPTH);
            for map in &maps {
                for length in (0..=map.len()).rev().step_by(1 + map.len() / 64) {
                    let (map, mut keys) = (&map[..length], keys.clone());
                    for depth in [MAX_DEPTH, 2, 1] {
                        let expected = skip_within(map, 0, depth);
                        assert_eq!(keys.skip_map(map, 0, depth), expected, "{map:x?} after {before:x?}");
                    }
                }
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
