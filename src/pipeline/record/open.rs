//! Fields with open ends, for those who write them out.

use super::known_keys::LONGEST_JSON;
use super::{Field, RecordFields, Span};

/// One top-level field of a record, for [`JsonText`](crate::pipeline::json::JsonText), which is quickest where bytes go on behind
/// what it writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenField<'a> {
    fields: RecordFields<'a>,
    field: &'a Field,
}

impl<'a> OpenField<'a> {
    /// The encoded key alone.
    #[inline]
    pub(crate) fn key(&self) -> &'a [u8] {
        self.fields.bytes(self.field.key)
    }

    /// The encoded value, and what lies behind it.
    #[inline]
    pub(crate) fn value(&self) -> &'a [u8] {
        self.fields.from(self.field.value)
    }

    /// A comma, the key as JSON writes it, and a colon: so many bytes of a block; of keys that were seen before.
    #[inline]
    pub(crate) fn json(&self) -> Option<(&'a [u8; LONGEST_JSON], usize)> {
        self.fields.buffer.known.json(self.field.known?)
    }

    /// The key's bytes and what lies behind them, and how many of them are the key's, if it is text.
    #[inline]
    pub(crate) fn name(&self) -> Option<(&'a [u8], usize)> {
        let key = self.field.key;
        let offset = usize::from(self.field.name_offset?.get());
        Some((&self.fields.from(key)[offset..], key.end - key.start - offset))
    }
}

impl<'a> RecordFields<'a> {
    /// The first [`MAX_FIELDS`](super::MAX_FIELDS) in their order.
    #[inline]
    pub(crate) fn open(&self) -> impl Iterator<Item = OpenField<'a>> + use<'a> {
        let fields = *self;
        self.buffer.fields.iter().map(move |field| OpenField { fields, field })
    }

    /// About how many bytes the record has as JSON: it has more punctuation, and rarely much to be escaped.
    #[inline]
    pub(crate) fn about_length(&self) -> usize {
        let length = self.record.len() + self.buffer.arena.len();
        length + 4 * self.buffer.fields.len()
    }

    #[inline]
    fn from(&self, span: Span) -> &'a [u8] {
        let bytes = if span.in_arena { &self.buffer.arena } else { self.record };
        &bytes[span.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::super::RecordBuffer;
    use super::super::tests::{RECORD, path};

    #[test]
    fn open_fields_begin_as_the_fields_do() {
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(RECORD);
        editor.set(&path("a"), b"\xa1x");
        editor.set(&path("new"), b"\xc3");
        let fields = editor.fields();
        assert_eq!(fields.open().count(), fields.iter().count());
        for (open, field) in fields.open().zip(fields.iter()) {
            assert_eq!(open.key(), field.key);
            assert_eq!(open.name().map(|(bytes, length)| &bytes[..length]), field.name);
            assert!(open.value().starts_with(field.value));
            let name = field.name.map(|name| format!(",\"{}\":", str::from_utf8(name).unwrap()));
            assert!(
                open.json()
                    .is_none_or(|(json, used)| Some(&json[..used]) == name.as_ref().map(String::as_bytes))
            );
        }
    }
}
