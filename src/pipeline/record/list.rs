//! Listing the fields of a record.

use std::num::NonZeroU8;

use super::known_keys::KeyId;
use super::seen_keys::SeenKeys;
use super::{Field, MAX_FIELDS, RecordBuffer, RecordEditor, Span};
use crate::pipeline::nested::{MapEntries, PairSpan, pair_at, value_end};
use crate::wire::msgpack::{MAX_DEPTH, skip_within};

/// Records with more fields are listed as if nothing was known of their keys.
const MAX_KNOWN_FIELDS: u32 = 1024;

/// The same goes for records with more keys that are not remembered, since each of them is compared with the others.
const MAX_UNKNOWN_KEYS: usize = 16;

impl RecordBuffer {
    /// Lists the fields of an encoded record (a map). Of a key that appears twice the last value counts, as in Ruby,
    /// at the place of the first.
    pub fn open<'a>(&'a mut self, record: &'a [u8]) -> RecordEditor<'a> {
        self.list(record);
        self.listed(record)
    }

    /// As [`open`](Self::open), for the record that `bytes` begin with: its length; `None` where it is not all there, is
    /// nested deeper than [`MAX_DEPTH`], or is no map.
    pub(in crate::pipeline) fn list(&mut self, bytes: &[u8]) -> Option<usize> {
        self.fields.clear();
        self.arena.clear();
        (self.rest, self.rest_count) = (Span::default(), 0);
        let entries = MapEntries::of(bytes)?;
        let (at, count) = (entries.offset(), entries.remaining());
        if let Some(end) = self.list_known(bytes, at, count) {
            self.rest = Span { start: end, end, in_arena: false };
            return Some(end);
        }
        self.fields.clear();
        self.list_any(bytes, at, count)
    }

    /// The record whose fields were listed last.
    pub(in crate::pipeline) fn listed<'a>(&'a mut self, record: &'a [u8]) -> RecordEditor<'a> {
        RecordEditor::new(record, self)
    }

    /// Lists the pairs of a record of the usual kind, whose keys are remembered; `None` of any other, with nothing said
    /// about what is wrong with it.
    fn list_known(&mut self, bytes: &[u8], mut at: usize, count: u32) -> Option<usize> {
        if count > MAX_KNOWN_FIELDS {
            return None;
        }
        self.known.begin_record();
        let mut before = None;
        let mut unknown = 0;
        for _ in 0..count {
            let Some(found) = self.known.find(bytes.get(at..)?.first_chunk()?, before) else {
                unknown += 1;
                at = self.list_unknown(bytes, at, unknown)?;
                continue;
            };
            if found.is_double {
                return None;
            }
            before = Some(found.id);
            let middle = at + found.length;
            let end = value_end(bytes, middle)?;
            self.fields.push(Field::listed(at, ONE, middle, end, before));
            at = end;
        }
        Some(at)
    }

    /// Lists a pair whose key is not remembered: its end; `None` where it may be the double of another.
    #[cold]
    #[inline(never)]
    fn list_unknown(&mut self, bytes: &[u8], at: usize, unknown: usize) -> Option<usize> {
        let PairSpan { start, name_offset, middle, end } = pair_at(bytes, at)?;
        let field = Field::listed(start, name_offset, middle, end, None);
        if !self.is_single(bytes, &field, unknown) {
            return None;
        }
        self.fields.push(field);
        Some(end)
    }

    fn is_single(&self, bytes: &[u8], field: &Field, unknown: usize) -> bool {
        let Some(name) = field.name_in(bytes) else { return true };
        // In a longer form than it needs it could have the name of one that is remembered.
        let is_shortest = match bytes[field.key.start] {
            0xa0..=0xbf => true,
            0xd9 => name.len() >= 32,
            _ => false,
        };
        let mut others = self.fields.iter().filter(|other| other.known.is_none());
        is_shortest && unknown <= MAX_UNKNOWN_KEYS && others.all(|other| other.name_in(bytes) != Some(name))
    }

    fn list_any(&mut self, bytes: &[u8], mut at: usize, mut remaining: u32) -> Option<usize> {
        let mut seen = SeenKeys::default();
        while remaining > 0 && self.fields.len() < MAX_FIELDS {
            let Some(pair) = pair_at(bytes, at) else {
                self.rest = Span { start: at, end: bytes.len(), in_arena: false };
                self.rest_count = remaining - 1;
                return None;
            };
            (at, remaining) = (pair.end, remaining - 1);
            self.add(bytes, pair, &mut seen);
        }
        let mut parts = 0..u64::from(remaining) * 2;
        let end = parts.try_fold(at, |at, _| skip_within(bytes, at, MAX_DEPTH - 1).ok());
        self.rest = Span { start: at, end: end.unwrap_or(bytes.len()), in_arena: false };
        self.rest_count = remaining;
        end
    }

    #[inline]
    fn add<'a>(&mut self, record: &'a [u8], pair: PairSpan, seen: &mut SeenKeys<'a>) {
        let PairSpan { start, name_offset, middle, end } = pair;
        let field = Field::listed(start, name_offset, middle, end, None);
        if let Some(first) = field.name_in(record).and_then(|name| seen.insert(name, &self.fields, record)) {
            self.fields[first].value = field.value;
            return;
        }
        self.fields.push(field);
    }
}

/// The head of a short text.
const ONE: Option<NonZeroU8> = NonZeroU8::new(1);

impl Field {
    #[inline]
    fn listed(
        start: usize,
        name_offset: Option<NonZeroU8>,
        middle: usize,
        end: usize,
        known: Option<KeyId>,
    ) -> Self {
        let span = |start, end| Span { start, end, in_arena: false };
        Self { key: span(start, middle), name_offset, value: span(middle, end), known }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::text;
    use super::*;
    use crate::wire::msgpack::{write_array, write_bin, write_map, write_str};

    /// Short and long names in every form, often the same, and keys that are no text.
    fn any_key() -> impl Strategy<Value = Vec<u8>> {
        let name = prop_oneof![4 => "[a-d]{0,2}", 1 => "a{15,16}", 1 => "b{30,34}", 1 => "[\"\\\\é]{1,3}"];
        (name, 0..24u8).prop_map(|(name, form)| {
            let mut key = Vec::new();
            match form {
                0 => write_bin(&mut key, name.as_bytes()),
                1 => {
                    key.extend_from_slice(&[0xd9, name.len() as u8]);
                    key.extend_from_slice(name.as_bytes());
                }
                2 => write_array(&mut key, 0),
                3 => key.push(0x05),
                4 => key.extend_from_slice(b"\xa2\xffa"),
                _ => write_str(&mut key, name.as_bytes()),
            }
            key
        })
    }

    proptest! {
        #[test]
        fn a_record_is_listed_the_same_whatever_is_known_of_its_keys(
            records in proptest::collection::vec(proptest::collection::vec((any_key(), 0..9u8), 0..40), 1..6),
            cut in 0usize..60,
        ) {
            let mut buffer = RecordBuffer::default();
            for (number, pairs) in records.iter().chain(&records).enumerate() {
                let mut record = Vec::new();
                write_map(&mut record, pairs.len() as u32);
                for (key, value) in pairs {
                    record.extend_from_slice(key);
                    record.extend_from_slice(&[0x91, *value]);
                }
                let end = record.len();
                // What comes behind, as another record does; or too little.
                match number % 2 {
                    0 => record.extend_from_slice(&[0xa1; 40]),
                    _ => record.truncate(end.saturating_sub(cut.saturating_sub(50))),
                }
                let mut plain = RecordBuffer::default();
                let entries = MapEntries::of(&record);
                let expected = entries.and_then(|it| plain.list_any(&record, it.offset(), it.remaining()));
                prop_assert_eq!(buffer.list(&record), expected);
                prop_assert_eq!(text(buffer.listed(&record).fields()), text(plain.listed(&record).fields()));
            }
        }
    }
}
