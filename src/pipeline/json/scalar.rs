//! Values that are neither array nor map.

use super::string::{write_hex, write_string};
use crate::event_time::EventTime;
use crate::pipeline::timestamp::{Fraction, write_timestamp};
use crate::wire::msgpack::Token;
use crate::wire::time::read_time;

/// Appends its JSON text; `null` for the head of an array or map.
pub(super) fn write_scalar(out: &mut Vec<u8>, token: Token<'_>) {
    match token {
        Token::Nil | Token::Array(_) | Token::Map(_) => out.extend_from_slice(b"null"),
        Token::Bool(true) => out.extend_from_slice(b"true"),
        Token::Bool(false) => out.extend_from_slice(b"false"),
        Token::Unsigned(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Token::Negative(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        Token::F32(value) if value.is_finite() => {
            out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
        }
        Token::F64(value) if value.is_finite() => {
            out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
        }
        Token::F32(_) | Token::F64(_) => out.extend_from_slice(b"null"),
        Token::Str(bytes) | Token::Bin(bytes) => write_string(out, bytes),
        Token::Ext(kind, bytes) => {
            out.push(b'"');
            write_ext(out, kind, bytes);
            out.push(b'"');
        }
    }
}

/// Appends the text of an ext value, without quotes.
pub(super) fn write_ext(out: &mut Vec<u8>, kind: i8, bytes: &[u8]) {
    match read_time(Token::Ext(kind, bytes)) {
        Ok(time) => {
            let time = time.unwrap_or(EventTime::from_unix_nanoseconds(0));
            write_timestamp(out, time, Fraction::Nanoseconds);
        }
        Err(_) => {
            out.extend_from_slice(b"ext:");
            out.extend_from_slice(itoa::Buffer::new().format(kind).as_bytes());
            out.push(b':');
            write_hex(out, bytes);
        }
    }
}
