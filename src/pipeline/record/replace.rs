//! Another record in place of the one at hand.

use std::num::NonZeroU8;

use super::{Field, MAX_FIELDS, RecordEditor, Span};
use crate::pipeline::nested::MapEntries;

impl RecordEditor<'_> {
    /// Puts the pairs of an encoded map in place of all fields. No text of it may come as a key twice.
    pub fn replace(&mut self, map: &[u8]) {
        let whole = self.keep(map);
        let buffer = &mut *self.buffer;
        buffer.fields.clear();
        (buffer.rest, buffer.rest_count) = (Span::default(), 0);
        let Some(mut entries) = MapEntries::of(map) else { return };
        while buffer.fields.len() < MAX_FIELDS {
            let Some(entry) = entries.next() else { break };
            let end = whole.start + entries.offset();
            let value = Span { start: end - entry.value.len(), end, in_arena: true };
            let key = Span { start: value.start - entry.key.len(), end: value.start, in_arena: true };
            let name_offset =
                entry.name.and_then(|name| NonZeroU8::new((entry.key.len() - name.len()) as u8));
            buffer.fields.push(Field { key, name_offset, value, known: None });
        }
        buffer.rest = Span { start: whole.start + entries.offset(), end: whole.end, in_arena: true };
        buffer.rest_count = entries.remaining();
    }
}

#[cfg(test)]
mod tests {
    use super::super::RecordBuffer;
    use super::super::tests::{RECORD, path, text};
    use super::*;
    use crate::wire::msgpack::{write_map, write_str, write_u64};

    #[test]
    fn the_new_fields_are_all_there_is_and_can_be_edited() {
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(RECORD);
        editor.set(&path("b.c"), b"\x09");
        editor.replace(b"\x83\xa1b\x07\x05\x06\xa1z\x81\xa1y\x08");
        assert_eq!(text(editor.fields()), r#""b"=7 "5"=6 "z"={"y":8} "#);
        editor.set(&path("z.x"), b"\x01");
        editor.remove(&path("b"));
        assert_eq!(text(editor.fields()), r#""5"=6 "z"={"y":8,"x":1} "#);
        editor.replace(b"\x80");
        assert_eq!(text(editor.fields()), "");
    }

    #[test]
    fn fields_past_the_limit_stay_unseen() {
        let count = MAX_FIELDS as u32 + 2;
        let mut map = Vec::new();
        write_map(&mut map, count);
        for number in 0..count {
            write_str(&mut map, number.to_string().as_bytes());
            write_u64(&mut map, u64::from(number));
        }
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(RECORD);
        editor.replace(&map);
        assert_eq!((editor.fields().len(), editor.buffer.fields.len()), (count, MAX_FIELDS));
        let mut written = Vec::new();
        editor.fields().write(&mut written);
        assert!(written == map);
    }
}
