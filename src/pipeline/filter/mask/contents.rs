//! Which kinds of bytes a text holds: most texts lack what most finders need, and one look tells all of them.

/// The kinds that are in a text, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contents(u8);

pub(super) const DIGIT: u8 = 1;
pub(super) const DOT: u8 = 1 << 1;
pub(super) const COLON: u8 = 1 << 2;
/// `@`, and the `%` that a URL writes it with.
pub(super) const AT: u8 = 1 << 3;
pub(super) const EQUALS: u8 = 1 << 4;
/// White space, and what is no ASCII, as some of it is.
pub(super) const SPACE: u8 = 1 << 5;
/// `_` and `-`
pub(super) const JOINER: u8 = 1 << 6;
pub(super) const CAPITAL_A: u8 = 1 << 7;

const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'.' => DOT,
            b':' => COLON,
            b'@' | b'%' => AT,
            b'=' => EQUALS,
            b'\t'..=b'\r' | b' ' | 0x80..=0xff => SPACE,
            b'_' | b'-' => JOINER,
            b'A' => CAPITAL_A,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

impl Contents {
    #[inline]
    pub(super) fn of(text: &[u8]) -> Self {
        Self(text.iter().fold(0, |kinds, byte| kinds | KINDS[usize::from(*byte)]))
    }

    /// Whether all of these kinds are there.
    #[inline]
    pub(super) fn have(self, kinds: u8) -> bool {
        self.0 & kinds == kinds
    }

    /// Whether any of these kinds is there.
    #[inline]
    pub(super) fn have_any(self, kinds: u8) -> bool {
        self.0 & kinds != 0
    }
}
