//! JSON strings from any bytes.

/// Appends a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
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
    out.push(b'"');
}

/// Whether the text is ASCII that needs no escape, as nearly all is.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    // The last word overlaps the one before, so that no byte is looked at alone.
    if let Some(last) = text.last_chunk::<8>() {
        let (words, _) = text.as_chunks::<8>();
        words.iter().chain([last]).fold(0, |special, word| special | special_bytes(u64::from_le_bytes(*word)))
            == 0
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let halves = [u32::from_le_bytes(*first), u32::from_le_bytes(*last)];
        special_bytes(u64::from(halves[0]) << 32 | u64::from(halves[1])) == 0
    } else {
        text.iter().all(|byte| byte.is_ascii() && !needs_escape(*byte))
    }
}

/// Not zero if any of eight bytes is no ASCII or needs an escape.
#[inline]
fn special_bytes(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 255;
    let below = |word: u64, bound: u8| word.wrapping_sub(EACH * u64::from(bound)) & !word;
    let control = below(word, 0x20);
    let quote = below(word ^ (EACH * u64::from(b'"')), 1);
    let backslash = below(word ^ (EACH * u64::from(b'\\')), 1);
    (control | quote | backslash | word) & (EACH * 0x80)
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
        let clean = clean_prefix(rest);
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

/// How many bytes from the start need no escape.
#[inline]
fn clean_prefix(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<16>();
    // Without an early exit inside a chunk this compiles to vector instructions.
    let dirty =
        |chunk: &[u8; 16]| chunk.iter().fold(0, |dirty, byte| dirty | u8::from(needs_escape(*byte))) != 0;
    let clean = 16 * chunks.iter().position(dirty).unwrap_or(chunks.len());
    let rest = &text[clean..];
    clean + rest.iter().position(|byte| needs_escape(*byte)).unwrap_or(rest.len())
}

#[inline]
fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_readable_and_valid() {
        let text = |bytes: &[u8]| {
            let mut out = Vec::new();
            write_string(&mut out, bytes);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text("日本語 🚚".as_bytes()), "\"日本語 🚚\"");
        assert_eq!(text(b"a\"b\\c\nd\te\x01\x1f\x7f"), "\"a\\\"b\\\\c\\nd\\te\\u0001\\u001f\x7f\"");
        assert_eq!(text(b"0123456789abcdef0123456789abcde\nf"), "\"0123456789abcdef0123456789abcde\\nf\"");
        // One replacement for each maximal part: a cut sequence is one, two stray bytes are two.
        assert_eq!(text(b"a\xe3\x81b\xff\xfec"), "\"a\u{fffd}b\u{fffd}\u{fffd}c\"");
    }

    #[test]
    fn plain_text_is_told_from_any_other_by_every_byte() {
        for byte in 0..=u8::MAX {
            let plain = (0x20..0x80).contains(&byte) && byte != b'"' && byte != b'\\';
            for length in [1, 3, 4, 7, 8, 9, 16, 31] {
                for at in 0..length {
                    let mut text = vec![b'x'; length];
                    text[at] = byte;
                    assert_eq!(is_plain(&text), plain, "{text:x?}");
                }
            }
        }
        assert!(is_plain(b""));
    }

    #[test]
    fn an_escape_is_found_at_every_place() {
        for length in 1..70 {
            for at in 0..length {
                let mut text = vec![b'x'; length];
                text[at] = b'"';
                let mut out = Vec::new();
                write_string(&mut out, &text);
                let expected = format!("\"{}\\\"{}\"", "x".repeat(at), "x".repeat(length - at - 1));
                assert_eq!(String::from_utf8(out).unwrap(), expected);
            }
        }
    }
}
