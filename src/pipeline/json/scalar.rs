//! Values that are neither array nor map.

use super::text::JsonText;
use crate::event_time::EventTime;
use crate::pipeline::timestamp::{Fraction, write_timestamp};
use crate::wire::msgpack::Token;
use crate::wire::time::read_time;

impl JsonText<'_> {
    /// Appends a value; `null` for the head of an array or map.
    pub(super) fn scalar(&mut self, token: Token<'_>) {
        match token {
            Token::Nil | Token::Array(_) | Token::Map(_) => self.constant(b"null"),
            Token::Bool(true) => self.constant(b"true"),
            Token::Bool(false) => self.constant(b"false"),
            Token::Unsigned(value) => self.bytes(itoa::Buffer::new().format(value).as_bytes()),
            Token::Negative(value) => self.bytes(itoa::Buffer::new().format(value).as_bytes()),
            Token::F32(value) if value.is_finite() => {
                self.bytes(zmij::Buffer::new().format_finite(value).as_bytes());
            }
            Token::F64(value) if value.is_finite() => {
                self.bytes(zmij::Buffer::new().format_finite(value).as_bytes());
            }
            Token::F32(_) | Token::F64(_) => self.constant(b"null"),
            Token::Str(bytes) | Token::Bin(bytes) => self.string(bytes, bytes.len()),
            Token::Ext(kind, bytes) => {
                self.byte(b'"');
                self.ext(kind, bytes);
                self.byte(b'"');
            }
        }
    }

    /// Appends the text of an ext value, without quotes.
    pub(super) fn ext(&mut self, kind: i8, bytes: &[u8]) {
        match read_time(Token::Ext(kind, bytes)) {
            Ok(time) => {
                let time = time.unwrap_or(EventTime::from_unix_nanoseconds(0));
                self.aside(|out| write_timestamp(out, time, Fraction::Nanoseconds));
            }
            Err(_) => {
                self.constant(b"ext:");
                self.bytes(itoa::Buffer::new().format(kind).as_bytes());
                self.byte(b':');
                self.hex(bytes);
            }
        }
    }
}
