//! Halves of surrogate pairs, which JSON can write and UTF-8 cannot.

use std::borrow::Cow;

use memchr::memmem;

/// The text with `\ufffd` in place of each `\ud…` that is no part of a pair. As long as before, so that it can be done
/// in place; copied only where there is one. Programs that cut strings by UTF-16 units (JavaScript) send them.
pub(super) fn repair_surrogates(text: &[u8]) -> Cow<'_, [u8]> {
    if memmem::find(text, b"\\ud").is_none() && memmem::find(text, b"\\uD").is_none() {
        return Cow::Borrowed(text);
    }
    let mut repaired = Cow::Borrowed(text);
    let mut at = 0;
    while let Some(length) = text.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
        at += length;
        match (unit(text, at), unit(text, at + UNIT)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 2 * UNIT,
            (Some(0xd800..=0xdfff), _) => {
                repaired.to_mut()[at..at + UNIT].copy_from_slice(b"\\ufffd");
                at += UNIT;
            }
            (Some(_), _) => at += UNIT,
            (None, _) => at += 2,
        }
    }
    repaired
}

/// Bytes of `\u0000`.
const UNIT: usize = 6;

/// The UTF-16 unit that is escaped at `at`.
fn unit(text: &[u8], at: usize) -> Option<u16> {
    let digits = text.get(at..at + UNIT)?.strip_prefix(b"\\u")?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    u16::from_str_radix(str::from_utf8(digits).ok().filter(|_| is_hex)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_replaced_and_pairs_are_not() {
        for (text, repaired) in [
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\uD83D""#, r#""\ufffd""#),
            (r#""\uDE00\uD83D""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud83dx\ude00""#, r#""\ufffdx\ufffd""#),
            (r#""\\ud83d \\\ud83d""#, r#""\\ud83d \\\ufffd""#),
            (r#""\ud8""#, r#""\ud8""#),
            (r#""\ud+12""#, r#""\ud+12""#),
            (r#""\ud800\"#, r#""\ufffd\"#),
            (r#""\u00e9""#, r#""\u00e9""#),
        ] {
            assert_eq!(str::from_utf8(&repair_surrogates(text.as_bytes())).unwrap(), repaired, "{text}");
        }
        assert!(matches!(repair_surrogates(br#""\ud83d\ude00""#), Cow::Borrowed(_)));
    }
}
