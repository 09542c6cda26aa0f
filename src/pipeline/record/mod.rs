//! Records without trees: a list of top-level fields that point into the encoded record.
//!
//! Filters replace, append and remove entries of the list. What they write lies in an arena beside the record, which
//! itself is never touched. Both list and arena are kept from event to event, so that nothing is allocated once they
//! have grown to the size of the records at hand.

mod editor;
mod known_keys;
mod list;
mod open;
#[cfg(any(test, feature = "remap"))]
mod replace;
mod rewrite;
mod seen_keys;

pub use editor::RecordEditor;
use known_keys::{KeyId, KnownKeys};
pub use rewrite::{Fate, Texts, rewrite_texts_of};

use std::num::NonZeroU8;

use super::field_path::FieldPath;
use super::nested::{MapEntries, MapEntry, descend};
use crate::wire::msgpack::{Token, read, write_map};

/// How many fields of one record filters see; the ones past it are passed on as they are. Bounds the memory that one
/// record can claim, since a field takes two bytes of a message and many more in the list.
pub const MAX_FIELDS: usize = 65_536;

/// The list and the arena, to be used for one event after the other.
#[derive(Debug, Default)]
pub struct RecordBuffer {
    fields: Vec<Field>,
    arena: Vec<u8>,
    /// Where nested values are rebuilt before they enter the arena.
    rebuilt: Vec<u8>,
    /// A value on its way from one field to another.
    moved: Vec<u8>,
    /// The fields past [`MAX_FIELDS`].
    rest: Span,
    rest_count: u32,
    /// Keys of the records before.
    known: KnownKeys,
}

/// Bytes of the record or of the arena.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: usize,
    end: usize,
    in_arena: bool,
}

#[derive(Debug, Clone, Copy)]
struct Field {
    /// The encoded key.
    key: Span,
    /// How many bytes of the key are its head, if it is text: what follows is the name.
    name_offset: Option<NonZeroU8>,
    /// The encoded value.
    value: Span,
    /// The number of the key among the remembered ones.
    known: Option<KeyId>,
}

impl Field {
    /// The name of a field whose key lies in `bytes`.
    #[inline]
    fn name_in<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        Some(&bytes[self.key.start + usize::from(self.name_offset?.get())..self.key.end])
    }
}

/// The fields of one record, to be read.
#[derive(Debug, Clone, Copy)]
pub struct RecordFields<'a> {
    record: &'a [u8],
    buffer: &'a RecordBuffer,
}

/// One top-level field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordField<'a> {
    /// The encoded key.
    pub key: &'a [u8],
    /// The key's bytes, if it is text.
    pub name: Option<&'a [u8]>,
    /// The encoded value.
    pub value: &'a [u8],
}

impl<'a> RecordFields<'a> {
    /// How many fields there are.
    pub fn len(&self) -> u32 {
        u32::try_from(self.buffer.fields.len()).unwrap_or(u32::MAX).saturating_add(self.buffer.rest_count)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether filters see all fields: there are none past [`MAX_FIELDS`].
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.buffer.rest_count == 0
    }

    /// The encoded value of a field; of the first [`MAX_FIELDS`] only.
    pub fn get(&self, path: &FieldPath) -> Option<&'a [u8]> {
        let (name, inner) = path.split_first();
        descend(self.get_name(name.as_bytes())?, inner)
    }

    /// As [`get`](Self::get), where the same is looked for in one record after the other: `hint` is where it was found
    /// last, and is where it is looked for first.
    #[inline]
    pub(in crate::pipeline) fn get_near(&self, path: &FieldPath, hint: &mut usize) -> Option<&'a [u8]> {
        let (name, inner) = path.split_first();
        let name = name.as_bytes();
        // No other field has that name.
        let is_there = self.buffer.fields.get(*hint).is_some_and(|field| self.name(field) == Some(name));
        if !is_there {
            *hint = self.position(name)?;
        }
        descend(self.bytes(self.buffer.fields[*hint].value), inner)
    }

    /// The encoded value of a top-level field; of the first [`MAX_FIELDS`] only.
    pub fn get_name(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.position(name).map(|position| self.bytes(self.buffer.fields[position].value))
    }

    /// All fields in their order.
    pub fn iter(&self) -> impl Iterator<Item = RecordField<'a>> + use<'a> {
        let fields = *self;
        let listed = self.buffer.fields.iter().map(move |field| RecordField {
            key: fields.bytes(field.key),
            name: fields.name(field),
            value: fields.bytes(field.value),
        });
        let rest = MapEntries::following(self.bytes(self.buffer.rest), self.buffer.rest_count);
        listed.chain(rest.map(|MapEntry { key, name, value }| RecordField { key, name, value }))
    }

    /// Appends the record as an encoded map.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_map(out, self.len());
        for field in self.iter() {
            out.extend_from_slice(field.key);
            out.extend_from_slice(field.value);
        }
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        // The length tells nearly all apart, without a look at their bytes.
        let is_as_long = |field: &Field| {
            let head = field.name_offset.map_or(0, |offset| usize::from(offset.get()));
            field.key.end - field.key.start == head + name.len()
        };
        self.buffer.fields.iter().position(|field| is_as_long(field) && self.name(field) == Some(name))
    }

    #[inline]
    fn name(&self, field: &Field) -> Option<&'a [u8]> {
        field.name_in(if field.key.in_arena { &self.buffer.arena } else { self.record })
    }

    #[inline]
    fn bytes(&self, span: Span) -> &'a [u8] {
        let bytes = if span.in_arena { &self.buffer.arena } else { self.record };
        &bytes[span.start..span.end]
    }
}

/// Whether an encoded value is nil or empty text.
pub fn is_blank(value: &[u8]) -> bool {
    match value {
        [0xa0..=0xbf, text @ ..] => text.is_empty(),
        value => matches!(read(value, &mut 0), Ok(Token::Nil | Token::Str(b"") | Token::Bin(b""))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;
    use crate::wire::msgpack::{write_str, write_u64};

    pub(super) fn path(text: &str) -> FieldPath {
        FieldPath::parse(text).unwrap()
    }

    pub(super) fn text(fields: RecordFields<'_>) -> String {
        let mut out = Vec::new();
        for field in fields.iter() {
            json::write_key(&mut out, field.key);
            out.push(b'=');
            json::write_value(&mut out, field.value);
            out.push(b' ');
        }
        String::from_utf8(out).unwrap()
    }

    /// `{"a": 1, "b": {"c": 2, "d": 3}, 4: 5}`
    pub(super) const RECORD: &[u8] = b"\x83\xa1a\x01\xa1b\x82\xa1c\x02\xa1d\x03\x04\x05";

    #[test]
    fn fields_are_listed_as_they_come() {
        assert_eq!(text(RecordBuffer::default().open(RECORD).fields()), r#""a"=1 "b"={"c":2,"d":3} "4"=5 "#);
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(RECORD);
        assert_eq!(editor.fields().get(&path("b.d")), Some(&b"\x03"[..]));
        assert_eq!(editor.fields().get(&path("b.x")), None);
        assert_eq!(editor.fields().get(&path("4")), None);
    }

    #[test]
    fn of_a_key_that_comes_twice_the_last_value_counts_at_the_first_place() {
        let mut buffer = RecordBuffer::default();
        let record = b"\x84\xa1a\x01\xa1b\x02\xa1a\x03\xc4\x01a\x04";
        assert_eq!(text(buffer.open(record).fields()), r#""a"=4 "b"=2 "#);
        // The same with so many fields that a table finds them.
        let mut record = Vec::new();
        write_map(&mut record, 2000);
        for number in 0..2000 {
            write_str(&mut record, format!("key{}", number % 1000).as_bytes());
            write_u64(&mut record, number);
        }
        let editor = buffer.open(&record);
        assert_eq!(editor.fields().len(), 1000);
        let values: Vec<_> = editor.fields().iter().map(|field| read(field.value, &mut 0).unwrap()).collect();
        assert_eq!(values, (1000..2000).map(Token::Unsigned).collect::<Vec<_>>());
    }

    #[test]
    fn fields_past_the_limit_are_passed_on_unseen() {
        for count in [MAX_FIELDS, MAX_FIELDS + 2] {
            let mut record = Vec::new();
            write_map(&mut record, count as u32);
            for number in 0..count {
                write_str(&mut record, format!("key{number}").as_bytes());
                write_u64(&mut record, number as u64);
            }
            let mut buffer = RecordBuffer::default();
            let mut editor = buffer.open(&record);
            editor.set(&path("new"), b"\x01");
            let fields = editor.fields();
            assert_eq!(buffer_len(fields), MAX_FIELDS + 1);
            assert_eq!(fields.len() as usize, count + 1);
            assert_eq!(fields.iter().count(), count + 1);
            assert!(fields.get_name(format!("key{}", MAX_FIELDS - 1).as_bytes()).is_some());
            assert_eq!(fields.get_name(format!("key{MAX_FIELDS}").as_bytes()), None);
        }
    }

    fn buffer_len(fields: RecordFields<'_>) -> usize {
        fields.buffer.fields.len()
    }

    #[test]
    fn nothing_of_the_event_before_remains() {
        let mut buffer = RecordBuffer::default();
        buffer.open(RECORD).set(&path("new"), b"\x01");
        assert_eq!(text(buffer.open(b"\x81\xa1z\x01").fields()), r#""z"=1 "#);
    }
}
