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
//! * what is nested deeper than [`MAX_DEPTH`](crate::wire::msgpack::MAX_DEPTH) is `null`

mod container;
mod scalar;
mod special;
mod string;
mod text;

pub use string::write_string;
pub(crate) use text::JsonText;

use crate::wire::msgpack::Token;

/// Appends the JSON text of one encoded value. What comes behind it in `value` has no part in it.
pub fn write_value(out: &mut Vec<u8>, value: &[u8]) {
    let mut json = JsonText::begin(out, value.len());
    json.value(value);
    json.finish();
}

/// Appends an encoded map key as a JSON string.
pub fn write_key(out: &mut Vec<u8>, key: &[u8]) {
    let mut json = JsonText::begin(out, key.len());
    json.key(key);
    json.finish();
}

/// Appends the text of a value that is neither array nor map, without quotes; nothing for nil.
///
/// Text and `bin` are appended as they are, also where they are no UTF-8.
pub fn write_plain(out: &mut Vec<u8>, token: Token<'_>) {
    match token {
        Token::Nil | Token::Array(_) | Token::Map(_) => {}
        Token::Str(bytes) | Token::Bin(bytes) => out.extend_from_slice(bytes),
        token => {
            let mut json = JsonText::begin(out, 0);
            match token {
                Token::Ext(kind, bytes) => json.ext(kind, bytes),
                token => json.scalar(token),
            }
            json.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::msgpack::{write_f64, write_i64, write_u64};

    pub(super) fn json(value: &[u8]) -> String {
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
}
