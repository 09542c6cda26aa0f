//! Values as text, for formats without types.

use crate::pipeline::json::{write_plain, write_value};
use crate::wire::msgpack::{Token, read};

/// Appends the text of an encoded value, always UTF-8: nothing for nil, text as it is with U+FFFD for each maximal part
/// that is no UTF-8, arrays and maps as JSON.
pub(super) fn write_text(out: &mut Vec<u8>, value: &[u8]) {
    match read(value, &mut 0) {
        Ok(Token::Str(text) | Token::Bin(text)) => {
            for chunk in text.utf8_chunks() {
                out.extend_from_slice(chunk.valid().as_bytes());
                if !chunk.invalid().is_empty() {
                    out.extend_from_slice("\u{fffd}".as_bytes());
                }
            }
        }
        Ok(Token::Array(_) | Token::Map(_)) => write_value(out, value),
        Ok(token) => write_plain(out, token),
        Err(_) => {}
    }
}
