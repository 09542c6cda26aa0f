//! JSON strings from any bytes.

use super::special::{Found, escapes_before, plain_before, plain_length};
use super::text::JsonText;

/// Appends a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    let mut json = JsonText::begin(out, text.len());
    json.string(text, text.len());
    json.finish();
}

impl JsonText<'_> {
    /// Appends the first `length` bytes as a JSON string.
    ///
    /// That the bytes may go on behind the text makes short texts quick: a block of 16 bytes is looked at and copied
    /// whole, and what comes next begins behind the text.
    ///
    /// # Panics
    ///
    /// If there are not so many bytes.
    #[inline]
    pub(crate) fn string(&mut self, bytes: &[u8], length: usize) {
        if !self.plain_string(bytes, length) {
            self.any_string(&bytes[..length]);
        }
    }

    /// As [`string`](Self::string), if the text is ASCII that needs no escape, and there is a block's room behind it on
    /// both sides; else nothing, and `false`.
    #[inline]
    fn plain_string(&mut self, bytes: &[u8], length: usize) -> bool {
        let Some([quote, place @ ..]) = self.rest() else { return false };
        let (blocks, rest) = (length / 16, length % 16);
        let Some((whole, [last, ..])) = bytes.as_chunks::<16>().0.split_at_checked(blocks) else {
            return false;
        };
        let Some((places, [last_place, ..])) = place.as_chunks_mut::<16>().0.split_at_mut_checked(blocks)
        else {
            return false;
        };
        *quote = b'"';
        let mut found = Found::NOTHING;
        for at in 0..blocks {
            places[at] = whole[at];
            found.add(&whole[at]);
        }
        found.add_first(last, rest);
        *last_place = *last;
        last_place[rest] = b'"';
        if found.is_special() {
            return false;
        }
        self.wrote(length + 2);
        true
    }

    /// Appends a comma, or the brace of the first, and the first `length` bytes as the name of a member.
    ///
    /// # Panics
    ///
    /// If there are not so many bytes.
    #[inline]
    pub(crate) fn name(&mut self, before: u8, bytes: &[u8], length: usize) {
        if let Some(block) = short_plain(bytes, length)
            && let Some([first, quote, place @ ..]) = self.place::<20>()
        {
            (*first, *quote) = (before, b'"');
            put(place, block);
            (place[length], place[length + 1]) = (b'"', b':');
            self.wrote(length + 4);
        } else {
            self.any_name(before, &bytes[..length]);
        }
    }

    #[inline(never)]
    fn any_name(&mut self, before: u8, name: &[u8]) {
        self.byte(before);
        self.any_string(name);
        self.byte(b':');
    }

    #[inline(never)]
    fn any_string(&mut self, text: &[u8]) {
        self.byte(b'"');
        let mut rest = text;
        loop {
            let plain = plain_length(rest);
            self.bytes(&rest[..plain]);
            match rest[plain..] {
                [] => break,
                [byte, ref behind @ ..] if byte.is_ascii() => {
                    self.escape(byte);
                    rest = behind;
                }
                ref behind => {
                    self.beyond_ascii(behind);
                    break;
                }
            }
        }
        self.byte(b'"');
    }

    fn beyond_ascii(&mut self, text: &[u8]) {
        if std::str::from_utf8(text).is_ok() {
            return self.escaped(text);
        }
        for chunk in text.utf8_chunks() {
            self.escaped(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                self.bytes("\u{fffd}".as_bytes());
            }
        }
    }

    /// Appends valid UTF-8, with `"`, `\` and the control characters escaped.
    fn escaped(&mut self, text: &[u8]) {
        let mut rest = text;
        loop {
            let clean = escapes_before(rest);
            self.bytes(&rest[..clean]);
            let Some(&byte) = rest.get(clean) else { return };
            self.escape(byte);
            rest = &rest[clean + 1..];
        }
    }

    /// Appends a byte that can't stand in a string as it is.
    fn escape(&mut self, byte: u8) {
        match byte {
            b'"' => self.constant(b"\\\""),
            b'\\' => self.constant(b"\\\\"),
            b'\n' => self.constant(b"\\n"),
            b'\r' => self.constant(b"\\r"),
            b'\t' => self.constant(b"\\t"),
            0x08 => self.constant(b"\\b"),
            0x0c => self.constant(b"\\f"),
            byte => {
                self.constant(b"\\u00");
                self.constant(&hex(byte));
            }
        }
    }

    /// Appends bytes as lowercase hex.
    pub(super) fn hex(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.constant(&hex(*byte)));
    }
}

/// The block that begins with a text of up to 16 bytes, if the text is ASCII that needs no escape.
#[inline]
fn short_plain(bytes: &[u8], length: usize) -> Option<&[u8; 16]> {
    let block = bytes.first_chunk::<16>()?;
    (length <= 16 && plain_before(block) >= length).then_some(block)
}

#[inline]
fn put<const N: usize>(place: &mut [u8; N], block: &[u8; 16]) {
    if let Some(first) = place.first_chunk_mut() {
        *first = *block;
    }
}

fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
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
                        let mut json = JsonText::begin(&mut out, 0);
                        json.string(&bytes[..length + behind], length);
                        json.name(b',', &bytes[..length + behind], length);
                        json.finish();
                        let expected = format!("before{expected},{expected}:");
                        assert_eq!(out, expected.as_bytes(), "{bytes:x?}");
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
                let mut json = JsonText::begin(&mut out, length);
                json.string(&bytes, length);
                json.finish();
                proptest::prop_assert_eq!(String::from_utf8(out).unwrap(), plainly(&bytes[..length]));
            }
        }
    }
}
