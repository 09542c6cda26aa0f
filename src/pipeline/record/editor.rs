//! Changing the fields of a record.

use std::collections::HashMap;
use std::num::NonZeroU8;

use super::{Fate, Field, RecordBuffer, RecordFields, Span, is_blank};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::nested::{self, MapEntries};
use crate::wire::msgpack::{skip, write_str};

/// Up to so many comparisons of names are made one by one.
const MAX_COMPARISONS: usize = 1 << 16;

/// The end of a value that is about to be removed; no arena is that large.
const GONE: usize = usize::MAX;

/// The fields of one record, to be changed by filters.
#[derive(Debug)]
pub struct RecordEditor<'a> {
    record: &'a [u8],
    pub(super) buffer: &'a mut RecordBuffer,
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
    /// nested field are made where they are missing; anything else on the way is replaced by a map. Where that would nest
    /// deeper than [`MAX_DEPTH`](crate::wire::msgpack::MAX_DEPTH), nothing is written.
    pub fn set(&mut self, path: &FieldPath, value: &[u8]) {
        let (name, inner) = path.split_first();
        let position = self.fields().position(name.as_bytes());
        let value = if inner.is_empty() {
            self.keep(value)
        } else {
            // A peer's nesting may be at its limit already, and nobody could read what is deeper. An array of one around
            // the value stands for the record.
            let mut is_readable = false;
            let rebuilt = self.rebuild(position, |old, out| {
                out.push(0x91);
                nested::set(out, old, inner, value);
                is_readable = skip(out, 0).is_ok();
                out.remove(0);
            });
            if !is_readable {
                return;
            }
            rebuilt
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

    /// Removes a field, if it is there; also past [`MAX_FIELDS`](super::MAX_FIELDS).
    pub fn remove(&mut self, path: &FieldPath) {
        self.rewrite(path, |_, _| Fate::Goes);
    }

    /// Removes all fields but these, of which nested ones stay in their maps. They keep their places.
    pub fn keep_only(&mut self, paths: &[FieldPath]) {
        self.drop_rest();
        let mut position = 0;
        while position < self.buffer.fields.len() {
            let name = self.fields().name(&self.buffer.fields[position]);
            let stays =
                name.is_some_and(|name| paths.iter().any(|path| path.split_first().0.as_bytes() == name));
            if !stays || self.keep_within(position, paths) {
                self.buffer.fields[position].value.end = GONE;
            }
            position += 1;
        }
        self.buffer.fields.retain(|field| field.value.end != GONE);
    }

    /// Narrows a map to the paths that lead into it; whether nothing of it stays.
    fn keep_within(&mut self, position: usize, paths: &[FieldPath]) -> bool {
        let fields = self.fields();
        let field = &self.buffer.fields[position];
        let (name, value) = (fields.name(field), fields.bytes(field.value));
        let inner = || {
            let leading = paths.iter().map(FieldPath::split_first);
            leading.filter(|(first, _)| Some(first.as_bytes()) == name).map(|(_, inner)| inner)
        };
        if inner().any(<[String]>::is_empty) {
            return false;
        }
        let found = inner().filter(|inner| nested::descend(value, inner).is_some());
        let found: Vec<&[String]> = found.collect();
        if found.is_empty() {
            return true;
        }
        self.buffer.fields[position].value = self.rebuild(Some(position), |old, out| {
            let old = old.unwrap_or_default();
            let mut kept = None;
            for inner in found {
                let mut next = Vec::new();
                let value = nested::descend(old, inner).unwrap_or(&[0xc0]);
                nested::set(&mut next, kept.as_deref(), inner, value);
                kept = Some(next);
            }
            out.extend_from_slice(kept.as_deref().unwrap_or(&[0x80]));
        });
        false
    }

    /// Moves a value to another path, and replaces what is there. A field of the record itself keeps its place under its
    /// new name. What is missing is left alone.
    pub fn rename(&mut self, from: &FieldPath, to: &FieldPath) {
        if from == to || self.fields().get(from).is_none() {
            return;
        }
        let ((old, inner), (new, new_inner)) = (from.split_first(), to.split_first());
        if inner.is_empty() && new_inner.is_empty() {
            self.remove(to);
            if let Some(position) = self.fields().position(old.as_bytes()) {
                let key = self.keep_key(new.as_bytes());
                self.buffer.fields[position] = Field { value: self.buffer.fields[position].value, ..key };
            }
            return;
        }
        let mut moved = std::mem::take(&mut self.buffer.moved);
        moved.clear();
        moved.extend_from_slice(self.fields().get(from).unwrap_or_default());
        self.remove(from);
        self.set(to, &moved);
        self.buffer.moved = moved;
    }

    /// Puts the pairs of an encoded map into the record: in place of what has the same name, else behind the last field.
    /// Keys that are no text are left out.
    pub fn merge(&mut self, map: &[u8]) {
        let Some(entries) = MapEntries::of(map) else { return };
        // Many times many comparisons would be a peer's to choose.
        if self.buffer.fields.len().saturating_mul(entries.remaining() as usize) <= MAX_COMPARISONS {
            for entry in entries {
                let Some(name) = entry.name else { continue };
                let value = self.keep(entry.value);
                match self.fields().position(name) {
                    Some(position) => self.buffer.fields[position].value = value,
                    None => self.append(name, value),
                }
            }
            return;
        }
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        for (position, field) in self.buffer.fields.iter().enumerate() {
            known.extend(self.fields().name(field).map(|name| (name.to_vec(), position)));
        }
        for entry in entries {
            let Some(name) = entry.name else { continue };
            let value = self.keep(entry.value);
            match known.get(name) {
                Some(position) => self.buffer.fields[*position].value = value,
                None => {
                    known.insert(name.to_vec(), self.buffer.fields.len());
                    self.append(name, value);
                }
            }
        }
    }

    fn append(&mut self, name: &[u8], value: Span) {
        let key = self.keep_key(name);
        self.buffer.fields.push(Field { value, ..key });
    }

    /// A field of this name without a value.
    fn keep_key(&mut self, name: &[u8]) -> Field {
        let start = self.buffer.arena.len();
        write_str(&mut self.buffer.arena, name);
        let end = self.buffer.arena.len();
        let name_offset = NonZeroU8::new((end - start - name.len()) as u8);
        Field { key: Span { start, end, in_arena: true }, name_offset, value: Span::default(), known: None }
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

    pub(super) fn keep(&mut self, value: &[u8]) -> Span {
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
    fn nothing_is_nested_deeper_than_can_be_read() {
        use crate::wire::msgpack::MAX_DEPTH;
        for (depth, deepest) in [(MAX_DEPTH - 3, true), (MAX_DEPTH - 2, false)] {
            let value = [vec![0x91; depth], vec![0x01]].concat();
            let mut buffer = RecordBuffer::default();
            let mut editor = buffer.open(b"\x80");
            editor.set(&path("a.b.c"), &value);
            assert_eq!(editor.fields().get_name(b"a").is_some(), deepest, "{depth}");
        }
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
    fn keep_only_leaves_what_is_named_in_its_place() {
        let kept = |names: &[&str]| {
            let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
            edited(|record| record.keep_only(&paths))
        };
        assert_eq!(kept(&["b", "a", "x"]), r#""a"=1 "b"={"c":2,"d":3} "#);
        assert_eq!(kept(&["b.d"]), r#""b"={"d":3} "#);
        assert_eq!(kept(&["b.d", "b.c", "b.x"]), r#""b"={"d":3,"c":2} "#);
        assert_eq!(kept(&["b.d", "b"]), r#""b"={"c":2,"d":3} "#);
        assert_eq!(kept(&["b.x", "a.x"]), "");
    }

    #[test]
    fn rename_moves_a_value_and_replaces_what_is_there() {
        let renamed = |from: &str, to: &str| edited(|record| record.rename(&path(from), &path(to)));
        assert_eq!(renamed("a", "z"), r#""z"=1 "b"={"c":2,"d":3} "4"=5 "#);
        assert_eq!(renamed("b", "a"), r#""a"={"c":2,"d":3} "4"=5 "#);
        assert_eq!(renamed("b.c", "a"), r#""a"=2 "b"={"d":3} "4"=5 "#);
        assert_eq!(renamed("a", "b.c"), r#""b"={"c":1,"d":3} "4"=5 "#);
        assert_eq!(renamed("b", "b.inner"), r#""a"=1 "4"=5 "b"={"inner":{"c":2,"d":3}} "#);
        assert_eq!(renamed("b.c", "b"), r#""a"=1 "b"=2 "4"=5 "#);
        for (from, to) in [("x", "a"), ("a", "a"), ("a.x", "b")] {
            assert_eq!(renamed(from, to), edited(|_| {}));
        }
    }

    #[test]
    fn merge_replaces_and_appends_however_many_there_are() {
        assert_eq!(
            edited(|record| record.merge(b"\x83\xa1a\x09\xa1n\x08\x07\x07")),
            r#""a"=9 "b"={"c":2,"d":3} "4"=5 "n"=8 "#
        );
        let mut map = Vec::new();
        crate::wire::msgpack::write_map(&mut map, 60_000);
        for number in 0..60_000u64 {
            write_str(&mut map, format!("k{}", number % 30_000).as_bytes());
            crate::wire::msgpack::write_u64(&mut map, number);
        }
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(RECORD);
        editor.merge(&map);
        assert_eq!(editor.fields().len(), 30_003);
        assert_eq!(editor.fields().get_name(b"k0"), Some(&b"\xcd\x75\x30"[..]));
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
