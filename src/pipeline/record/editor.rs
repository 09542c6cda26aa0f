//! Changing the fields of a record.

use super::{Field, RecordBuffer, RecordFields, Span, is_blank};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::nested;
use crate::wire::msgpack::write_str;

/// The fields of one record, to be changed by filters.
#[derive(Debug)]
pub struct RecordEditor<'a> {
    record: &'a [u8],
    buffer: &'a mut RecordBuffer,
}

impl<'a> RecordEditor<'a> {
    pub(super) fn new(record: &'a [u8], buffer: &'a mut RecordBuffer) -> Self {
        Self { record, buffer }
    }

    /// The fields as they are now.
    pub fn fields(&self) -> RecordFields<'_> {
        RecordFields { record: self.record, buffer: self.buffer }
    }

    /// Writes an encoded value: in place of the one that is there, else behind the last field. Maps on the way to a
    /// nested field are made where they are missing; anything else on the way is replaced by a map.
    pub fn set(&mut self, path: &FieldPath, value: &[u8]) {
        let (name, inner) = path.split_first();
        let position = self.fields().position(name.as_bytes());
        let value = if inner.is_empty() {
            self.keep(value)
        } else {
            self.rebuild(position, |old, out| nested::set(out, old, inner, value))
        };
        match position {
            Some(position) => self.buffer.fields[position].value = value,
            None => self.append(name.as_bytes(), value),
        }
    }

    /// Writes an encoded value where the field is missing or [blank](is_blank). A nested field whose way leads through
    /// something that is no map is left alone.
    pub fn set_default(&mut self, path: &FieldPath, value: &[u8]) {
        let fields = self.fields();
        if fields.get(path).is_some_and(|value| !is_blank(value)) {
            return;
        }
        let (name, inner) = path.split_first();
        if fields.get_name(name.as_bytes()).is_none_or(|old| nested::leads_through_maps(old, inner)) {
            self.set(path, value);
        }
    }

    /// Removes a field, if it is there.
    pub fn remove(&mut self, path: &FieldPath) {
        let (name, inner) = path.split_first();
        let fields = self.fields();
        let Some(position) = fields.position(name.as_bytes()) else { return };
        if inner.is_empty() {
            self.buffer.fields.remove(position);
        } else if fields.get(path).is_some() {
            let value =
                self.rebuild(Some(position), |old, out| nested::remove(out, old.unwrap_or_default(), inner));
            self.buffer.fields[position].value = value;
        }
    }

    fn append(&mut self, name: &[u8], value: Span) {
        let start = self.buffer.arena.len();
        write_str(&mut self.buffer.arena, name);
        let end = self.buffer.arena.len();
        let name_offset = Some((end - start - name.len()) as u8);
        self.buffer.fields.push(Field { key: Span { start, end, in_arena: true }, name_offset, value });
    }

    /// Puts a new value of a top-level field into the arena, made from its old value.
    fn rebuild(&mut self, position: Option<usize>, build: impl FnOnce(Option<&[u8]>, &mut Vec<u8>)) -> Span {
        let mut rebuilt = std::mem::take(&mut self.buffer.rebuilt);
        rebuilt.clear();
        let fields = self.fields();
        build(position.map(|position| fields.bytes(self.buffer.fields[position].value)), &mut rebuilt);
        let value = self.keep(&rebuilt);
        self.buffer.rebuilt = rebuilt;
        value
    }

    fn keep(&mut self, value: &[u8]) -> Span {
        let start = self.buffer.arena.len();
        self.buffer.arena.extend_from_slice(value);
        Span { start, end: self.buffer.arena.len(), in_arena: true }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RECORD, path, text};
    use super::*;

    fn edited(edit: impl FnOnce(&mut RecordEditor<'_>)) -> String {
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(RECORD);
        edit(&mut editor);
        text(editor.fields())
    }

    #[test]
    fn set_replaces_appends_and_makes_maps() {
        assert_eq!(edited(|record| record.set(&path("a"), b"\xc3")), r#""a"=true "b"={"c":2,"d":3} "4"=5 "#);
        assert_eq!(edited(|record| record.set(&path("b"), b"\xc3")), r#""a"=1 "b"=true "4"=5 "#);
        assert_eq!(
            edited(|record| record.set(&path("new"), b"\x09")),
            r#""a"=1 "b"={"c":2,"d":3} "4"=5 "new"=9 "#
        );
        assert_eq!(edited(|record| record.set(&path("b.c"), b"\x09")), r#""a"=1 "b"={"c":9,"d":3} "4"=5 "#);
        assert_eq!(
            edited(|record| record.set(&path("b.x.y"), b"\x09")),
            r#""a"=1 "b"={"c":2,"d":3,"x":{"y":9}} "4"=5 "#
        );
        assert_eq!(
            edited(|record| record.set(&path("a.x"), b"\x09")),
            r#""a"={"x":9} "b"={"c":2,"d":3} "4"=5 "#
        );
        assert_eq!(
            edited(|record| {
                record.set(&path("x.y"), b"\x07");
                record.set(&path("x.z"), b"\x08");
                record.set(&path("x.y"), b"\x09");
            }),
            r#""a"=1 "b"={"c":2,"d":3} "4"=5 "x"={"y":9,"z":8} "#
        );
    }

    #[test]
    fn defaults_fill_what_is_missing_nil_or_empty() {
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(b"\x84\xa1a\xa0\xa1b\xc0\xa1c\x00\xa1d\x81\xa1e\xc0");
        for name in ["a", "b", "c", "d.e", "d.f", "c.x", "g.h"] {
            editor.set_default(&path(name), b"\x09");
        }
        assert_eq!(text(editor.fields()), r#""a"=9 "b"=9 "c"=0 "d"={"e":9,"f":9} "g"={"h":9} "#);
    }

    #[test]
    fn remove_takes_only_what_is_there() {
        assert_eq!(edited(|record| record.remove(&path("a"))), r#""b"={"c":2,"d":3} "4"=5 "#);
        assert_eq!(edited(|record| record.remove(&path("b.c"))), r#""a"=1 "b"={"d":3} "4"=5 "#);
        for missing in ["x", "b.x", "a.x", "b.c.x", "4"] {
            assert_eq!(edited(|record| record.remove(&path(missing))), edited(|_| {}), "{missing}");
        }
    }
}
