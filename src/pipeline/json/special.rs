//! Finding the bytes of a text that JSON writes in another way, eight at a time.

/// A byte in each byte of a word.
const EACH: u64 = u64::MAX / 255;

/// How many bytes of a block, from the first, are ASCII that needs no escape.
#[inline]
pub(super) fn plain_before(block: &[u8; 16]) -> usize {
    let block = u128::from_le_bytes(*block);
    let (low, high) = (special(block as u64), special((block >> 64) as u64));
    (u128::from(high) << 64 | u128::from(low)).trailing_zeros() as usize / 8
}

/// What was found in some blocks, in two halves so that it is two lanes of a vector.
///
/// It is to stay in a register: in memory, where a call would put it, it has to wait for the stores of the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found([u64; 2]);

impl Found {
    pub(super) const NOTHING: Self = Self([0; 2]);

    /// Whether a byte is no ASCII or needs an escape.
    #[inline]
    pub(super) fn is_special(self) -> bool {
        (self.0[0] | self.0[1]) & (EACH * 0x80) != 0
    }

    /// Looks at a block.
    #[inline(always)]
    pub(super) fn add(&mut self, block: &[u8; 16]) {
        let [low, high] = words(block);
        self.0[0] |= below(low) | low;
        self.0[1] |= below(high) | high;
    }

    /// Looks at the first `count` bytes of a block, less than all.
    #[inline(always)]
    pub(super) fn add_first(&mut self, block: &[u8; 16], count: usize) {
        let ([low, high], [low_mask, high_mask]) = (words(block), FIRST[count % 16]);
        self.0[0] |= (below(low) | low) & low_mask;
        self.0[1] |= (below(high) | high) & high_mask;
    }
}

/// Masks of the first so many bytes of a block.
const FIRST: [[u64; 2]; 16] = {
    let mut masks = [[0; 2]; 16];
    let mut count = 1;
    while count < 16 {
        let mask = u128::MAX >> (8 * (16 - count));
        masks[count] = [mask as u64, (mask >> 64) as u64];
        count += 1;
    }
    masks
};

#[inline]
fn words(block: &[u8; 16]) -> [u64; 2] {
    let block = u128::from_le_bytes(*block);
    [block as u64, (block >> 64) as u64]
}

/// How many bytes from the start are ASCII that needs no escape.
#[inline]
pub(super) fn plain_length(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return 8 * at + found.trailing_zeros() as usize / 8;
        }
    }
    let is_special = |byte: &u8| !byte.is_ascii() || needs_escape(*byte);
    8 * words.len() + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// How many bytes from the start need no escape.
#[inline]
pub(super) fn escapes_before(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let found = below(word) & !word & (EACH * 0x80);
        if found != 0 {
            return 8 * at + found.trailing_zeros() as usize / 8;
        }
    }
    8 * words.len() + rest.iter().position(|byte| needs_escape(*byte)).unwrap_or(rest.len())
}

/// Sets the high bit of the lowest byte that is no ASCII or needs an escape. Below it no bit is set; above it anything is.
#[inline]
fn special(word: u64) -> u64 {
    (below(word) | word) & (EACH * 0x80)
}

/// The high bit of each byte that needs an escape, of those up to the lowest one that does. A subtraction borrows from
/// the byte above where it sets that bit, so what is above counts for nothing; neither do bytes that are no ASCII.
#[inline]
fn below(word: u64) -> u64 {
    // With their second bit changed the quote and the space change places, which puts the quote right behind the control
    // characters, and leaves those among themselves: one subtraction for both.
    let control_or_quote = (word ^ (EACH * 2)).wrapping_sub(EACH * 0x21);
    let backslash = (word ^ (EACH * b'\\' as u64)).wrapping_sub(EACH);
    control_or_quote | backslash
}

#[inline]
fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_special(byte: u8) -> bool {
        !byte.is_ascii() || needs_escape(byte)
    }

    #[test]
    fn the_first_special_byte_of_a_block_is_found_whatever_comes_behind_it() {
        for byte in 0..=u8::MAX {
            for at in 0..16 {
                for behind in [b'x', b'"', 0, 0x1f, 0x5d, 0x80, 0xff] {
                    let mut block = [b' '; 16];
                    block[at..].fill(behind);
                    block[at] = byte;
                    let expected = block.iter().position(|byte| is_special(*byte)).unwrap_or(16);
                    assert_eq!(plain_before(&block), expected, "{block:x?}");
                    assert_eq!(plain_length(&block), expected, "{block:x?}");
                    assert_eq!(plain_length(&block[..15]), expected.min(15), "{block:x?}");
                    let mut found = Found::NOTHING;
                    found.add(&block);
                    assert_eq!(found.is_special(), expected < 16, "{block:x?}");
                    for count in 0..16 {
                        let mut found = Found::NOTHING;
                        found.add_first(&block, count);
                        assert_eq!(found.is_special(), expected < count, "{block:x?}");
                    }
                    let expected = block.iter().position(|byte| needs_escape(*byte)).unwrap_or(16);
                    assert_eq!(escapes_before(&block), expected, "{block:x?}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_no_ascii_neither_hide_an_escape_nor_look_like_one() {
        for high in 0x80..=u8::MAX {
            for byte in 0..=u8::MAX {
                let text = [high, byte, high, b'x', b'"', high, high, high, byte];
                let expected = text.iter().position(|byte| needs_escape(*byte)).unwrap();
                assert_eq!(escapes_before(&text), expected, "{text:x?}");
            }
        }
    }
}
