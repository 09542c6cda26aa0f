//! The fields that a parser finds, as an encoded map.

use super::{MAX_PARSED_FIELDS, Wrong};
use crate::config::{TypedField, ValueType};
use crate::pipeline::nested::{MapEntries, as_text};
use crate::wire::msgpack::{write_bool, write_f64, write_i64, write_str};

/// `map 32`: its length is written when it is known.
const HEAD: [u8; 5] = [0xdf, 0, 0, 0, 0];

/// A map in the making; keeps its memory from text to text.
#[derive(Debug, Default)]
pub(in crate::pipeline::filter) struct Found {
    bytes: Vec<u8>,
    count: u32,
    /// Where the map is copied to while types change.
    typed: Vec<u8>,
}

impl Found {
    pub(super) fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&HEAD);
        self.count = 0;
    }

    /// Adds text.
    pub(super) fn text(&mut self, name: &[u8], value: &[u8]) {
        self.key(name);
        write_str(&mut self.bytes, value);
    }

    /// Adds text, unless it is the hyphen that stands for nothing.
    pub(super) fn text_or_hyphen(&mut self, name: &str, value: &[u8]) {
        if value != b"-" {
            self.text(name.as_bytes(), value);
        }
    }

    /// Adds an integer where the digits are one, else text; nothing for a hyphen.
    pub(super) fn number_or_hyphen(&mut self, name: &str, digits: &[u8]) {
        match integer(digits) {
            Some(number) => {
                self.key(name.as_bytes());
                write_i64(&mut self.bytes, number);
            }
            None => self.text_or_hyphen(name, digits),
        }
    }

    /// Adds a key, behind which the caller writes one value into [`value`](Self::value).
    pub(super) fn key(&mut self, name: &[u8]) {
        write_str(&mut self.bytes, name);
        self.count = self.count.saturating_add(1);
    }

    /// Where values are written.
    pub(super) fn value(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// How many fields there are so far.
    pub(super) fn len(&self) -> u32 {
        self.count
    }

    /// Ends the map, and gives fields their types where their text reads as one.
    pub(super) fn end(&mut self, types: &[TypedField]) -> Result<(), Wrong> {
        if self.count > MAX_PARSED_FIELDS {
            return Err("the text has more than 10000 fields");
        }
        self.bytes[1..HEAD.len()].copy_from_slice(&self.count.to_be_bytes());
        if types.is_empty() {
            return Ok(());
        }
        self.typed.clear();
        self.typed.extend_from_slice(&self.bytes[..HEAD.len()]);
        for entry in MapEntries::of(&self.bytes).into_iter().flatten() {
            self.typed.extend_from_slice(entry.key);
            let wanted = types.iter().find(|typed| entry.name == Some(typed.name.as_bytes()));
            let text = as_text(entry.value);
            if !wanted
                .zip(text)
                .is_some_and(|(typed, text)| write_typed(&mut self.typed, text, typed.value_type))
            {
                self.typed.extend_from_slice(entry.value);
            }
        }
        std::mem::swap(&mut self.bytes, &mut self.typed);
        Ok(())
    }

    /// The map.
    pub(super) fn map(&self) -> &[u8] {
        &self.bytes
    }
}

/// Appends what the text reads as; whether it does.
fn write_typed(out: &mut Vec<u8>, text: &[u8], value_type: ValueType) -> bool {
    match value_type {
        ValueType::Integer => integer(text).map(|number| write_i64(out, number)).is_some(),
        ValueType::Float => {
            let float = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
            float.filter(|float| float.is_finite()).map(|float| write_f64(out, float)).is_some()
        }
        ValueType::Boolean => match text {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
        .map(|boolean| write_bool(out, boolean))
        .is_some(),
        ValueType::String | ValueType::Array | ValueType::Map => false,
    }
}

pub(super) fn integer(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
