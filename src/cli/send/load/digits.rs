//! Numbers as digits of a fixed count, by arithmetic on whole words.

const ONES: u64 = 0x0101_0101_0101_0101;

/// All 16 hexadecimal digits.
#[inline]
pub(super) fn hexadecimal(value: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    digits[..8].copy_from_slice(&eight_digits((value >> 32) as u32));
    digits[8..].copy_from_slice(&eight_digits(value as u32));
    digits
}

#[inline]
fn eight_digits(value: u32) -> [u8; 8] {
    // A byte for each half byte.
    let mut word = u64::from(value);
    word = (word | word << 16) & 0x0000_ffff_0000_ffff;
    word = (word | word << 8) & 0x00ff_00ff_00ff_00ff;
    word = (word | word << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    // Those from 10 on reach the upper half of their byte with 6 more.
    let letters = (word + 6 * ONES) >> 4 & ONES;
    (word + u64::from(b'0') * ONES + letters * u64::from(b'a' - 10 - b'0')).to_be_bytes()
}

/// The last `N` decimal digits.
#[inline]
pub(super) fn decimal<const N: usize>(mut value: u32) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (value % 10) as u8;
        value /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn digits_are_those_of_the_standard_library(value: u64) {
            prop_assert_eq!(hexadecimal(value).to_vec(), format!("{value:016x}").into_bytes());
            let five = value % 100_000;
            prop_assert_eq!(decimal::<5>(five as u32).to_vec(), format!("{five:05}").into_bytes());
        }
    }
}
