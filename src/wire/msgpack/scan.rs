//! Finding the end of a value whose bytes arrive bit by bit.

use super::{MAX_DEPTH, MsgpackError};

/// Follows one value as its bytes arrive, and looks at no byte twice (but for the up to eight of a head that came in
/// two parts). The body of a string is passed over by arithmetic.
#[derive(Debug)]
pub struct Scanner {
    limit: usize,
    max_depth: usize,
    /// Where the next head is, from the start of the value. Beyond what has arrived while inside a string.
    at: usize,
    /// Values still to come, by depth.
    remaining: Vec<u32>,
    started: bool,
}

/// Why a value is given up before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanError {
    Msgpack(MsgpackError),
    /// The value is, or announces itself to be, longer than the limit.
    TooLarge,
}

impl Scanner {
    /// For values of at most `limit` bytes; past 4 GiB the limit is 4 GiB.
    pub fn new(limit: usize) -> Self {
        Self::with_depth(limit, MAX_DEPTH)
    }

    /// As [`Scanner::new`], for values that may be nested so deep.
    pub fn with_depth(limit: usize, max_depth: usize) -> Self {
        Self { limit: limit.min(u32::MAX as usize), max_depth, at: 0, remaining: Vec::new(), started: false }
    }

    /// The length of the value that `bytes` begin with, once all of it is there. `bytes` are all that has arrived of
    /// this value, what earlier calls were given included. After `Some` the scanner is ready for the next value.
    ///
    /// # Errors
    ///
    /// [`ScanError`]; the scanner is of no use afterwards.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, ScanError> {
        while !(self.started && self.remaining.is_empty()) {
            let Some(rest) = bytes.get(self.at..) else { return Ok(None) };
            let Some(head) = Head::read(rest, self.at).map_err(ScanError::Msgpack)? else {
                return Ok(None);
            };
            self.started = true;
            self.at += head.size;
            // Each child takes a byte at least, so that a count tells as much as a length.
            if head.body + head.children > self.limit.saturating_sub(self.at) as u64 {
                return Err(ScanError::TooLarge);
            }
            self.at += head.body as usize;
            self.enter(head.children as u32)?;
        }
        if self.at > bytes.len() {
            return Ok(None);
        }
        self.started = false;
        Ok(Some(std::mem::take(&mut self.at)))
    }

    /// How long the value is at least, as far as its heads told.
    pub fn known_length(&self) -> usize {
        self.at
    }

    fn enter(&mut self, children: u32) -> Result<(), ScanError> {
        if children > 0 {
            if self.remaining.len() == self.max_depth {
                return Err(ScanError::Msgpack(MsgpackError::TooDeep { limit: self.max_depth }));
            }
            self.remaining.push(children);
            return Ok(());
        }
        while let Some(last) = self.remaining.last_mut() {
            *last -= 1;
            if *last > 0 {
                break;
            }
            self.remaining.pop();
        }
        Ok(())
    }
}

/// What the first bytes of a value say about the rest.
pub(in crate::wire) struct Head {
    /// Bytes of the head itself.
    pub(in crate::wire) size: usize,
    /// Bytes that follow and need no look.
    pub(in crate::wire) body: u64,
    /// Values that follow.
    pub(in crate::wire) children: u64,
}

impl Head {
    /// Reads a head; `None` where it is not all there. `at` is told in errors alone.
    pub(in crate::wire) fn read(bytes: &[u8], at: usize) -> Result<Option<Self>, MsgpackError> {
        let Some((&marker, rest)) = bytes.split_first() else { return Ok(None) };
        let plain = |body: u64| Some(Self { size: 1, body, children: 0 });
        let sized = |width: usize, extra: u64| {
            Some(Self { size: 1 + width, body: big_endian(rest, width)? + extra, children: 0 })
        };
        let container = |width: usize, factor: u64| {
            Some(Self { size: 1 + width, body: 0, children: big_endian(rest, width)? * factor })
        };
        Ok(match marker {
            0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => plain(0),
            0x80..=0x8f => Some(Self { size: 1, body: 0, children: u64::from(marker & 0x0f) * 2 }),
            0x90..=0x9f => Some(Self { size: 1, body: 0, children: u64::from(marker & 0x0f) }),
            0xa0..=0xbf => plain(u64::from(marker & 0x1f)),
            0xc1 => return Err(MsgpackError::Reserved { at }),
            0xc4 | 0xd9 => sized(1, 0),
            0xc5 | 0xda => sized(2, 0),
            0xc6 | 0xdb => sized(4, 0),
            0xc7 => sized(1, 1),
            0xc8 => sized(2, 1),
            0xc9 => sized(4, 1),
            0xcc | 0xd0 => plain(1),
            0xcd | 0xd1 => plain(2),
            0xca | 0xce | 0xd2 => plain(4),
            0xcb | 0xcf | 0xd3 => plain(8),
            0xd4..=0xd8 => plain(1 + (1 << (marker - 0xd4))),
            0xdc => container(2, 1),
            0xdd => container(4, 1),
            0xde => container(2, 2),
            0xdf => container(4, 2),
        })
    }
}

fn big_endian(bytes: &[u8], width: usize) -> Option<u64> {
    Some(bytes.get(..width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{skip, write_array, write_bin, write_map, write_str, write_u64};
    use super::*;

    fn whole(bytes: &[u8], limit: usize) -> Result<Option<usize>, ScanError> {
        Scanner::new(limit).advance(bytes)
    }

    #[test]
    fn a_value_is_found_wherever_its_bytes_are_cut() {
        let mut value = Vec::new();
        write_array(&mut value, 20);
        for length in 0..17 {
            write_str(&mut value, &vec![b'x'; length * 20]);
        }
        write_map(&mut value, 1);
        write_bin(&mut value, &[0; 300]);
        value.extend_from_slice(b"\xd7\x00\0\0\0\x01\0\0\0\x02");
        write_u64(&mut value, u64::MAX);
        write_map(&mut value, 0);
        let bytes = [&value[..], b"\x01"].concat();
        for cut in 0..value.len() {
            let mut scanner = Scanner::new(1 << 20);
            assert_eq!(scanner.advance(&bytes[..cut]), Ok(None), "{cut}");
            assert_eq!(scanner.advance(&bytes), Ok(Some(value.len())), "{cut}");
            assert_eq!(scanner.advance(&bytes[value.len()..]), Ok(Some(1)), "{cut}");
        }
    }

    #[test]
    fn lengths_and_counts_past_the_limit_are_refused_by_their_head() {
        for head in [&b"\xdb\xff\xff\xff\xff"[..], b"\xc6\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff"] {
            assert_eq!(whole(head, 1 << 26), Err(ScanError::TooLarge), "{head:x?}");
        }
        for head in [&b"\xdd\xff\xff\xff\xff"[..], b"\xdf\xff\xff\xff\xff", b"\xdf\x80\0\0\0"] {
            assert_eq!(whole(head, usize::MAX), Err(ScanError::TooLarge), "{head:x?}");
        }
    }

    #[test]
    fn the_limit_counts_every_byte_of_the_value() {
        let bytes = b"\x92\xa5hello\xc4\x02ab";
        assert_eq!(whole(bytes, bytes.len()), Ok(Some(bytes.len())));
        assert_eq!(whole(bytes, bytes.len() - 1), Err(ScanError::TooLarge));
        assert_eq!(whole(b"\x93\x01\x02\x03", 3), Err(ScanError::TooLarge));
    }

    #[test]
    fn nesting_is_allowed_up_to_the_limit() {
        let nested = |depth: usize| [vec![0x91; depth], vec![0x01]].concat();
        assert_eq!(whole(&nested(MAX_DEPTH), 1 << 20), Ok(Some(MAX_DEPTH + 1)));
        let too_deep = Err(ScanError::Msgpack(MsgpackError::TooDeep { limit: MAX_DEPTH }));
        assert_eq!(whole(&nested(MAX_DEPTH + 1), 1 << 20), too_deep);
        assert_eq!(whole(&nested(100_000), 1 << 20), too_deep);
    }

    proptest! {
        #[test]
        fn any_bytes_end_where_skip_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..200usize) {
            let mut scanner = Scanner::new(1 << 40);
            let first = scanner.advance(&bytes[..cut.min(bytes.len())]);
            let found = match first {
                Ok(None) => scanner.advance(&bytes),
                other => other,
            };
            match skip(&bytes, 0) {
                Ok(end) => prop_assert_eq!(found, Ok(Some(end))),
                Err(MsgpackError::Incomplete) => prop_assert!(matches!(found, Ok(None) | Err(ScanError::TooLarge))),
                Err(error) => prop_assert!(
                    matches!(found, Err(ScanError::TooLarge)) || found == Err(ScanError::Msgpack(error))
                ),
            }
        }
    }
}
