//! JSON text as msgpack, written while it is read.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::surrogates::repair_surrogates;
use crate::wire::msgpack::{
    write_array, write_bool, write_f64, write_i64, write_map, write_nil, write_str, write_u64,
};
use crate::wire::refusal::Refusal;

/// How deep arrays and objects of a message may be nested, the message itself included.
pub const MAX_JSON_DEPTH: usize = 127;

/// The msgpack of one JSON value, at most `limit` bytes of each. No tree is built.
///
/// # Errors
///
/// Where the text is no JSON or too large.
pub fn to_msgpack(text: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
    if text.len() > limit {
        return Err(Refusal::TooLarge { limit });
    }
    let text = repair_surrogates(text);
    let mut out = Vec::with_capacity(text.len());
    // serde_json bounds the depth of what it reads, so the recursion below is bounded as well.
    let mut reader = serde_json::Deserializer::from_slice(&text);
    let read = Writer { out: &mut out, limit }.deserialize(&mut reader).and_then(|()| reader.end());
    match read {
        Ok(()) => Ok(out),
        Err(_) if out.len() > limit => Err(Refusal::TooLarge { limit }),
        Err(error) => Err(Refusal::MalformedJson(error.to_string())),
    }
}

/// Writes the value that it is shown.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
}

impl Writer<'_> {
    fn write<E: Error>(self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), E> {
        write(self.out);
        if self.out.len() > self.limit { Err(E::custom("too large")) } else { Ok(()) }
    }

    fn inner(&mut self) -> Writer<'_> {
        Writer { out: self.out, limit: self.limit }
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.write(write_nil)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.write(|out| write_bool(out, value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.write(|out| write_u64(out, value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.write(|out| write_i64(out, value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.write(|out| write_f64(out, value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.write(|out| write_str(out, value.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        let head = Head::reserve(self.out);
        let mut count = 0;
        while values.next_element_seed(self.inner())?.is_some() {
            count += 1;
        }
        self.write(|out| head.fill(out, |out| write_array(out, count)))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut pairs: A) -> Result<(), A::Error> {
        let head = Head::reserve(self.out);
        let mut count = 0;
        while pairs.next_key_seed(self.inner())?.is_some() {
            pairs.next_value_seed(self.inner())?;
            count += 1;
        }
        self.write(|out| head.fill(out, |out| write_map(out, count)))
    }
}

/// The place of a container's head, whose length is known at its end only.
struct Head {
    at: usize,
}

impl Head {
    /// Room for one byte: what heads of up to 15 elements take, and so nearly all of a log.
    fn reserve(out: &mut Vec<u8>) -> Self {
        let at = out.len();
        out.push(0);
        Self { at }
    }

    /// `write` appends the head. If it needs more than one byte, what the container holds is moved: it has 16 elements
    /// at least then, and at most [`MAX_JSON_DEPTH`] containers are around it.
    fn fill(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let end = out.len();
        write(out);
        let rest = out.len() - end - 1;
        out[self.at] = out[end];
        out[self.at + 1..].rotate_right(rest);
        out.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn msgpack(text: &str) -> Vec<u8> {
        to_msgpack(text.as_bytes(), 1 << 20).unwrap()
    }

    fn float(value: f64) -> Vec<u8> {
        [&[0xcb][..], &value.to_be_bytes()].concat()
    }

    #[test]
    fn values_map_as_documented() {
        for (text, expected) in [
            ("null", b"\xc0".to_vec()),
            ("true", b"\xc3".to_vec()),
            ("false", b"\xc2".to_vec()),
            ("0", b"\x00".to_vec()),
            ("18446744073709551615", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()),
            ("-9223372036854775808", b"\xd3\x80\0\0\0\0\0\0\0".to_vec()),
            ("18446744073709551616", float(18_446_744_073_709_551_616.0)),
            ("-9223372036854775809", float(-9_223_372_036_854_775_809.0)),
            ("1.5", float(1.5)),
            ("1e3", float(1000.0)),
            ("-0", float(-0.0)),
            ("1e-999", float(0.0)),
            ("\"\"", b"\xa0".to_vec()),
            ("\"飛\"", b"\xa3\xe9\xa3\x9b".to_vec()),
            (r#""\ud83d\ude00""#, b"\xa4\xf0\x9f\x98\x80".to_vec()),
            (r#""\ud83d""#, b"\xa3\xef\xbf\xbd".to_vec()),
            (r#""a\u0000\n""#, b"\xa3a\0\n".to_vec()),
            ("[]", b"\x90".to_vec()),
            ("{}", b"\x80".to_vec()),
            (" [ 1 , [ ] ] ", b"\x92\x01\x90".to_vec()),
            (r#"{"b":1,"a":{"c":[2]},"b":3}"#, b"\x83\xa1b\x01\xa1a\x81\xa1c\x91\x02\xa1b\x03".to_vec()),
        ] {
            assert_eq!(msgpack(text), expected, "{text}");
        }
    }

    #[test]
    fn heads_are_the_shortest_that_hold_their_count() {
        for count in [15, 16, 65_535, 65_536] {
            let mut expected = Vec::new();
            write_array(&mut expected, count);
            expected.resize(expected.len() + count as usize, 1);
            let ones = vec!["1"; count as usize].join(",");
            assert_eq!(msgpack(&format!("[{ones}]")), expected);
            let mut map = Vec::new();
            write_map(&mut map, count);
            let pairs = vec!["\"\":1"; count as usize].join(",");
            assert!(msgpack(&format!("{{{pairs}}}")).starts_with(&[&map[..], b"\xa0\x01"].concat()));
        }
    }

    #[test]
    fn nesting_is_allowed_up_to_the_limit() {
        let nested = |depth: usize| {
            to_msgpack(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes(), 1 << 20)
        };
        assert!(nested(MAX_JSON_DEPTH).is_ok());
        assert!(nested(MAX_JSON_DEPTH + 1).unwrap_err().to_string().contains("recursion limit"));
        assert_eq!(nested(100_000).unwrap_err().label(), "malformed");
    }

    #[test]
    fn neither_the_text_nor_its_msgpack_may_be_larger_than_the_limit() {
        let too_large = |limit| Err(Refusal::TooLarge { limit });
        assert_eq!(to_msgpack(b"[1,2]", 5).unwrap(), b"\x92\x01\x02");
        assert_eq!(to_msgpack(b"[1,2]", 4), too_large(4));
        assert_eq!(to_msgpack(b"[0.5,0.5]", 19), Ok([&[0x92][..], &float(0.5), &float(0.5)].concat()));
        assert_eq!(to_msgpack(b"[0.5,0.5]", 18), too_large(18));
    }
}
