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

fn skip_any(bytes: &[u8], mut at: usize, max_depth: usize) -> Result<usize, MsgpackError> {
    // Values still to come, by depth. A fixed array on the stack: a peer's nesting costs no memory.
    let mut remaining = [0u64; MAX_DEPTH + ENVELOPE_DEPTH];
    let max_depth = max_depth.min(remaining.len());
    let remaining = &mut remaining[..max_depth];
    let mut depth = 0;
    loop {
        let children = match end_of_common(bytes, at) {
            Some(end) => {
                at = end;
                0
            }
            None => match read(bytes, &mut at)? {
                Token::Array(length) => u64::from(length),
                Token::Map(length) => u64::from(length) * 2,
                _ => 0,
            },
        };
        if children > 0 {
            *remaining.get_mut(depth).ok_or(MsgpackError::TooDeep { limit: max_depth })? = children;
            depth += 1;
            continue;
        }
        loop {
            let Some(above) = depth.checked_sub(1) else { return Ok(at) };
            remaining[above] -= 1;
            if remaining[above] > 0 {
                break;
            }
            depth = above;
        }
    }
}

/// The end of a value of the kinds that nearly all of a log consists of, text and small integers; `None` for any other,
/// and where it is cut short.
#[inline]
fn end_of_common(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    let length = match *rest.first()? {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => 1,
        marker @ 0xa0..=0xbf => 1 + usize::from(marker & 0x1f),
        0xd9 => 2 + usize::from(*rest.get(1)?),
        0xda => 3 + usize::from(u16::from_be_bytes([*rest.get(1)?, *rest.get(2)?])),
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
