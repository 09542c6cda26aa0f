//! msgpack as JSON text, straight from bytes to bytes.
//!
//! The result is valid JSON whatever the record holds:
//!
//! * text: valid UTF-8 passes as it is, each maximal invalid part becomes U+FFFD; `bin` is text too
//! * integers are exact from -2^63 to 2^64 - 1; floats are the shortest text that reads back as the same value;
//!   NaN and the infinities are `null`
//! * EventTime is `"2026-02-17T10:00:00.123456789Z"`, any other ext `"ext:TYPE:HEX"`
//! * a key that is no string is the string of its JSON text: `"1"`, `"null"`; a key that is an array or a map is
//!   `"msgpack:HEX"`
//! * what is nested deeper than [`MAX_DEPTH`] is `null`

mod string;

use string::write_hex;
pub use string::write_string;

use super::nested::as_text;
use super::timestamp::{Fraction, write_timestamp};
use crate::event_time::EventTime;
use crate::wire::msgpack::{MAX_DEPTH, Token, read, skip};
use crate::wire::time::read_time;

/// Appends the JSON text of one encoded value.
pub fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    if let Some(text) = as_text(value) {
        return write_string(out, text);
    }
    let mut at = 0;
    match read(value, &mut at) {
        Ok(Token::Array(_) | Token::Map(_)) => write_container(out, value),
        Ok(token) => write_scalar(out, token),
        Err(_) => out.extend_from_slice(b"null"),
    }
}

/// Appends an encoded map key as a JSON string.
pub fn write_key(out: &mut Vec<u8>, key: &[u8]) {
    let mut at = 0;
    match read(key, &mut at) {
        Ok(Token::Array(_) | Token::Map(_)) | Err(_) => {
            out.extend_from_slice(b"\"msgpack:");
            write_hex(out, key);
            out.push(b'"');
        }
        Ok(token @ (Token::Str(_) | Token::Bin(_) | Token::Ext(..))) => write_scalar(out, token),
        Ok(token) => {
            out.push(b'"');
            write_scalar(out, token);
            out.push(b'"');
        }
    }
}

/// Appends the text of a value that is neither array nor map, without quotes; nothing for nil.
///
/// Text and `bin` are appended as they are, also where they are no UTF-8.
pub fn write_plain(out: &mut Vec<u8>, token: Token<'_>) {
    match token {
        Token::Nil | Token::Array(_) | Token::Map(_) => {}
        Token::Str(bytes) | Token::Bin(bytes) => out.extend_from_slice(bytes),
        Token::Ext(kind, bytes) => write_ext(out, kind, bytes),
        token => write_scalar(out, token),
    }
}

fn write_scalar(out: &mut Vec<u8>, token: Token<'_>) {
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

fn write_ext(out: &mut Vec<u8>, kind: i8, bytes: &[u8]) {
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

/// An array or map that is not at its end.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// Values still to come; of a map, keys and values both.
    remaining: u64,
    is_map: bool,
    is_empty: bool,
}

impl Open {
    const NONE: Self = Self { remaining: 0, is_map: false, is_empty: true };

    /// Whether the next value is a key: pairs leave an even number.
    fn at_key(self) -> bool {
        self.is_map && self.remaining.is_multiple_of(2)
    }

    fn closing(self) -> u8 {
        if self.is_map { b'}' } else { b']' }
    }
}

/// Walks over the values with a stack of its own, so that no nesting overflows the thread's.
fn write_container(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut stack = [Open::NONE; MAX_DEPTH];
    let mut depth = 0usize;
    let mut at = 0;
    loop {
        // Where the bytes end too early, which the journal's readers rule out, the open ones are closed.
        let start = at;
        let token = read(bytes, &mut at);
        if let Some(open) = depth.checked_sub(1).map(|above| &mut stack[above]) {
            if open.at_key() {
                let Some(end) = token.ok().and_then(|_| skip(bytes, start).ok()) else {
                    return close(out, &stack[..depth]);
                };
                if !std::mem::replace(&mut open.is_empty, false) {
                    out.push(b',');
                }
                write_key(out, &bytes[start..end]);
                out.push(b':');
                open.remaining -= 1;
                at = end;
                continue;
            }
            if !open.is_map && !std::mem::replace(&mut open.is_empty, false) {
                out.push(b',');
            }
            open.remaining -= 1;
        }
        match token {
            Ok(Token::Array(_) | Token::Map(_)) if depth == MAX_DEPTH => {
                out.extend_from_slice(b"null");
                at = skip(bytes, start).unwrap_or(bytes.len());
            }
            Ok(Token::Array(length)) => {
                out.push(b'[');
                stack[depth] = Open { remaining: u64::from(length), is_map: false, is_empty: true };
                depth += 1;
            }
            Ok(Token::Map(length)) => {
                out.push(b'{');
                stack[depth] = Open { remaining: u64::from(length) * 2, is_map: true, is_empty: true };
                depth += 1;
            }
            Ok(token) => write_scalar(out, token),
            Err(_) => {
                out.extend_from_slice(b"null");
                return close(out, &stack[..depth]);
            }
        }
        while let Some(open) = depth.checked_sub(1).map(|above| stack[above]) {
            if open.remaining > 0 {
                break;
            }
            out.push(open.closing());
            depth -= 1;
        }
        if depth == 0 {
            return;
        }
    }
}

/// Closes containers of which each stands between two pairs or elements.
fn close(out: &mut Vec<u8>, stack: &[Open]) {
    for open in stack.iter().rev() {
        out.push(open.closing());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::msgpack::{write_f64, write_i64, write_map, write_u64};

    fn json(value: &[u8]) -> String {
        let mut out = Vec::new();
        write_value(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut value = Vec::new();
        write(&mut value);
        json(&value)
    }

    #[test]
    fn numbers_keep_every_digit() {
        assert_eq!(written(|out| write_u64(out, u64::MAX)), "18446744073709551615");
        assert_eq!(written(|out| write_i64(out, i64::MIN)), "-9223372036854775808");
        assert_eq!(written(|out| write_f64(out, 0.1)), "0.1");
        assert_eq!(written(|out| write_f64(out, -0.0)), "-0.0");
        assert_eq!(json(b"\xca\x3d\xcc\xcc\xcd"), "0.1");
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(written(|out| write_f64(out, odd)), "null");
        }
    }

    proptest::proptest! {
        #[test]
        fn floats_read_back_as_the_same_value(value in proptest::num::f64::NORMAL, short in proptest::num::f32::NORMAL) {
            let read: f64 = written(|out| write_f64(out, value)).parse().unwrap();
            assert_eq!(read.to_bits(), value.to_bits());
            let short_text = json(&[&[0xca][..], &short.to_be_bytes()].concat());
            assert_eq!(short_text.parse::<f32>().unwrap().to_bits(), short.to_bits());
        }
    }

    #[test]
    fn bin_is_text() {
        assert_eq!(json(b"\xc4\x02\xffa"), "\"\u{fffd}a\"");
    }

    #[test]
    fn keys_become_strings() {
        let value = b"\x86\x01\x01\xc0\x02\xc3\x03\xcb\x3f\xf8\0\0\0\0\0\0\x04\xd4\x05\xff\x05\x91\x01\x06";
        assert_eq!(json(value), r#"{"1":1,"null":2,"true":3,"1.5":4,"ext:5:ff":5,"msgpack:9101":6}"#);
    }

    #[test]
    fn event_times_are_timestamps_and_other_ext_is_hex() {
        assert_eq!(json(b"\xd7\x00\x00\x00\x00\x01\x00\x00\x00\x02"), "\"1970-01-01T00:00:01.000000002Z\"");
        assert_eq!(json(b"\xd7\x00\0\0\0\0\0\0\0\0"), "\"1970-01-01T00:00:00.000000000Z\"");
        assert_eq!(json(b"\xd7\x00\0\0\0\0\xff\xff\xff\xff"), "\"ext:0:00000000ffffffff\"");
        assert_eq!(json(b"\xd4\x80\x0a"), "\"ext:-128:0a\"");
    }

    #[test]
    fn containers_nest_up_to_the_limit_and_are_null_past_it() {
        let nested = |depth| json(&[vec![0x91; depth], vec![0x01]].concat());
        assert_eq!(nested(MAX_DEPTH), format!("{}1{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)));
        assert_eq!(nested(MAX_DEPTH + 1), format!("{}null{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH)));
        assert_eq!(
            json(b"\x82\xa1a\x90\xa1b\x82\xa1c\x92\x01\x80\xa1d\xc0"),
            r#"{"a":[],"b":{"c":[1,{}],"d":null}}"#
        );
    }

    #[test]
    fn bytes_that_end_too_early_still_give_json() {
        let mut value = Vec::new();
        write_map(&mut value, 2);
        value.extend_from_slice(b"\xa1a\x92\x01\x81\xa1b\x02\xa3\xe3\x81\x82\x93\x01\x02\x03");
        for length in 0..=value.len() {
            let text = json(&value[..length]);
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{length}: {text}");
        }
        assert_eq!(json(&value), r#"{"a":[1,{"b":2}],"あ":[1,2,3]}"#);
    }
}
