//! JSON objects, straight from text to msgpack.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::found::Found;
use super::{MAX_PARSED_DEPTH, Wrong};
use crate::wire::msgpack::{write_bool, write_f64, write_i64, write_nil, write_str, write_u64};

pub(super) fn parse(text: &[u8], found: &mut Found) -> Result<(), Wrong> {
    let text = text.trim_ascii();
    if !text.starts_with(b"{") {
        return Err("the text is no JSON object");
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let wrong = |_| "the text is no valid JSON object";
    deserializer.deserialize_map(Object { found }).map_err(wrong)?;
    deserializer.end().map_err(wrong)
}

/// The object itself, whose pairs become fields.
struct Object<'f> {
    found: &'f mut Found,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Key { found: self.found })?.is_some() {
            map.next_value_seed(Value { out: self.found.value(), depth: 1 })?;
        }
        Ok(())
    }
}

struct Key<'f> {
    found: &'f mut Found,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<(), E> {
        self.found.key(key.as_bytes());
        Ok(())
    }
}

/// A value inside the object, which is written as it is read.
struct Value<'o> {
    out: &'o mut Vec<u8>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        write_nil(self.out);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        write_bool(self.out, value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        write_u64(self.out, value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        write_i64(self.out, value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        write_f64(self.out, value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        write_str(self.out, value.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let head = begin(self.out, 0xdd);
        let mut count = 0u32;
        while values.next_element_seed(Value { out: self.out, depth })?.is_some() {
            count += 1;
        }
        end(self.out, head, count);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let head = begin(self.out, 0xdf);
        let mut count = 0u32;
        while map.next_key_seed(Value { out: self.out, depth })?.is_some() {
            map.next_value_seed(Value { out: self.out, depth })?;
            count += 1;
        }
        end(self.out, head, count);
        Ok(())
    }
}

fn deeper<E: Error>(depth: usize) -> Result<usize, E> {
    if depth >= MAX_PARSED_DEPTH { Err(E::custom("nested too deep")) } else { Ok(depth + 1) }
}

/// Writes the head of an array or map of 32 bits, whose length is not known yet.
fn begin(out: &mut Vec<u8>, marker: u8) -> usize {
    out.push(marker);
    out.extend_from_slice(&[0; 4]);
    out.len()
}

fn end(out: &mut [u8], head: usize, count: u32) {
    out[head - 4..head].copy_from_slice(&count.to_be_bytes());
}
