//! Card numbers: as many digits as the first ones ask for, a right check digit (Luhn), single spaces or hyphens within.

use std::ops::Range;

/// Digits of the longest number (ISO/IEC 7812).
const MAX_DIGITS: usize = 19;
/// Digits of the shortest number.
pub(super) const MIN_DIGITS: usize = 13;

pub(super) fn find(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut start = from;
    loop {
        start += text[start..].iter().position(u8::is_ascii_digit)?;
        // A number begins where a group of digits does.
        let begins = start == 0 || !text[start - 1].is_ascii_digit() || start == from;
        if begins && let Some(end) = card_at(text, start) {
            return Some(start..end);
        }
        start += text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count().max(1);
    }
}

/// The end of the longest card number that begins here.
fn card_at(text: &[u8], start: usize) -> Option<usize> {
    let mut digits = [0; MAX_DIGITS];
    let (mut count, mut at) = (0, start);
    let mut end = None;
    while let Some(byte) = text.get(at) {
        let next_is_digit = text.get(at + 1).is_some_and(u8::is_ascii_digit);
        match byte {
            b'0'..=b'9' => {
                *digits.get_mut(count)? = byte - b'0';
                count += 1;
                if !next_is_digit && is_card(&digits[..count]) {
                    end = Some(at + 1);
                }
                // More digits in one group than a card has are no card, not even in part.
                if count == MAX_DIGITS && next_is_digit {
                    return end;
                }
                if count == MAX_DIGITS {
                    break;
                }
            }
            b' ' | b'-' if next_is_digit => {}
            _ => break,
        }
        at += 1;
    }
    end
}

fn is_card(digits: &[u8]) -> bool {
    if digits.len() < MIN_DIGITS {
        return false;
    }
    let first_four = digits[..4].iter().fold(0u16, |number, digit| number * 10 + u16::from(*digit));
    // What issuers have: Visa, Mastercard and Maestro, American Express, Diners, JCB, Discover, UnionPay.
    let issued = matches!(
        (first_four, digits.len()),
        (4000..=4999, 13 | 16 | 19)
            | (2221..=2720, 16)
            | (5000..=6999, _)
            | (3400..=3499 | 3700..=3799, 15)
            | (3000..=3099 | 3500..=3699 | 3800..=3999, 14..)
    );
    issued && passes_luhn(digits)
}

/// ISO/IEC 7812-1, annex B.
fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = (digits.iter().rev().enumerate())
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::super::tests::hidden;
    use crate::config::Detector;

    #[test]
    fn numbers_with_a_right_check_digit_are_hidden() {
        for (text, expected) in [
            ("4111111111111111", "***"),
            ("card 4111 1111 1111 1111, thanks", "card ***, thanks"),
            ("4111-1111-1111-1111", "***"),
            ("on 17 4111 1111 1111 1111", "on 17 ***"),
            ("amex=378282246310005;", "amex=***;"),
            ("x5555555555554444y", "x***y"),
            ("6011111111111117 30569309025904", "*** ***"),
            ("4111111111111112", "4111111111111112"),
            ("1771322400123 1111111111111117", "1771322400123 1111111111111117"),
            ("41111111111111110000000000", "41111111111111110000000000"),
            ("4111  1111 1111 1111", "4111  1111 1111 1111"),
            ("", ""),
        ] {
            assert_eq!(hidden(&[Detector::Card], &[], text), expected, "{text}");
        }
    }
}
