//! JSON strings from any bytes.

use super::special::{escapes_before, is_plain, plain_before};

/// Appends a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    write_string_of(out, text, text.len());
}

/// Appends the first `length` bytes as a JSON string.
///
/// That the bytes may go on behind the text makes short texts quick: blocks of one size are looked at and copied whole,
/// and what is too much is cut off.
///
/// # Panics
///
/// If there are not so many bytes.
#[inline]
pub fn write_string_of(out: &mut Vec<u8>, bytes: &[u8], length: usize) {
    out.push(b'"');
    let start = out.len();
    if let Some(block) = bytes.first_chunk::<16>()
        && length <= 16
        && plain_before(block) >= length
    {
        out.extend_from_slice(block);
        out.truncate(start + length);
    } else {
        write_longer(out, bytes, length);
    }
    out.push(b'"');
}

/// What is no short plain text, or lies at the end of its bytes.
#[inline(never)]
fn write_longer(out: &mut Vec<u8>, bytes: &[u8], length: usize) {
    let text = &bytes[..length];
    if is_plain(text) {
        out.extend_from_slice(text);
    } else if std::str::from_utf8(text).is_ok() {
        escape(out, text);
    } else {
        for chunk in text.utf8_chunks() {
            escape(out, chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                out.extend_from_slice("\u{fffd}".as_bytes());
            }
        }
    }
}

/// Appends bytes as lowercase hex.
pub(super) fn write_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends valid UTF-8, with `"`, `\` and the control characters escaped.
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    loop {
        let clean = escapes_before(rest);
        out.extend_from_slice(&rest[..clean]);
        let Some(&byte) = rest.get(clean) else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            byte => {
                out.extend_from_slice(b"\\u00");
                write_hex(out, &[byte]);
            }
        }
        rest = &rest[clean + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_string(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    /// Character by character.
    fn plainly(bytes: &[u8]) -> String {
        let mut out = String::from("\"");
        for character in String::from_utf8_lossy(bytes).chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..='\u{1f}' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
                character => out.push(character),
            }
        }
        out + "\""
    }

    #[test]
    fn text_stays_readable_and_valid() {
        assert_eq!(text("日本語 🚚".as_bytes()), "\"日本語 🚚\"");
        assert_eq!(text(b"a\"b\\c\nd\te\x01\x1f\x7f"), "\"a\\\"b\\\\c\\nd\\te\\u0001\\u001f\x7f\"");
        assert_eq!(text(b"0123456789abcdef0123456789abcde\nf"), "\"0123456789abcdef0123456789abcde\\nf\"");
        // One replacement for each maximal part: a cut sequence is one, two stray bytes are two.
        assert_eq!(text(b"a\xe3\x81b\xff\xfec"), "\"a\u{fffd}b\u{fffd}\u{fffd}c\"");
    }

    /// Texts of the lengths around which the ways part, with every byte at every place, and bytes behind them or not.
    #[test]
    fn every_byte_at_every_place_is_written_as_one_by_one() {
        for byte in 0..=u8::MAX {
            for length in [1, 7, 8, 15, 16, 17, 64] {
                for at in 0..length {
                    let mut bytes = vec![b'x'; length + 16];
                    bytes[at] = byte;
                    bytes[length..].fill(b'"');
                    let expected = plainly(&bytes[..length]);
                    for behind in [0, 15, 16] {
                        let mut out = b"before".to_vec();
                        write_string_of(&mut out, &bytes[..length + behind], length);
                        assert_eq!(out, [b"before", expected.as_bytes()].concat(), "{bytes:x?}");
                    }
                }
            }
        }
        assert_eq!(text(b""), "\"\"");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_written_as_character_by_character(
            parts in proptest::collection::vec((proptest::collection::vec(proptest::num::u8::ANY, 0..20), ".{0,40}"), 0..6),
        ) {
            let bytes: Vec<u8> =
                parts.iter().flat_map(|(bytes, text)| [bytes, text.as_bytes()].concat()).collect();
            for length in 0..=bytes.len() {
                let mut out = Vec::new();
                write_string_of(&mut out, &bytes, length);
                proptest::prop_assert_eq!(String::from_utf8(out).unwrap(), plainly(&bytes[..length]));
            }
        }
    }
}
