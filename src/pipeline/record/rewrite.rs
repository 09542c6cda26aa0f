//! Changing values in place, wherever in the record they are.
//!
//! Filters that hide something have to reach every copy of it: also the fields past [`MAX_FIELDS`](super::MAX_FIELDS),
//! and each of several values that a map holds under one key.

use std::num::NonZeroU8;

use super::{RecordEditor, Span};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::nested::{self, MapEntries};
use crate::wire::msgpack::{Token, read, skip, write_bin, write_str};

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Stays,
    /// What was written takes its place.
    Replaced,
    Goes,
}

/// Which texts of a record are rewritten, beside text values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts {
    /// Keys as well.
    pub keys: bool,
    /// The digits of numbers as well; a number that is rewritten becomes text.
    pub numbers: bool,
}

impl RecordEditor<'_> {
    /// Rewrites what is at a path: `rewrite` gets the encoded value, appends a new one and says so.
    pub fn rewrite(&mut self, path: &FieldPath, mut rewrite: impl FnMut(&[u8], &mut Vec<u8>) -> Fate) {
        let (name, inner) = path.split_first();
        let name = name.as_bytes();
        if let Some(position) = self.fields().position(name) {
            let value = self.buffer.fields[position].value;
            let (fate, value) =
                self.written(|fields, out| nested::rewrite(out, fields.bytes(value), inner, &mut rewrite));
            match fate {
                Fate::Stays => {}
                Fate::Replaced => self.buffer.fields[position].value = value,
                Fate::Goes => drop(self.buffer.fields.remove(position)),
            }
        }
        if self.buffer.rest_count > 0 {
            self.rewrite_rest(|entry, key, value| {
                key.extend_from_slice(entry.key);
                match entry.name == Some(name) {
                    true => nested::rewrite(value, entry.value, inner, &mut rewrite),
                    false => Fate::Stays,
                }
            });
        }
    }

    /// Rewrites texts of the record, at every depth. `rewrite` gets a text, appends a new one and returns whether it did.
    pub fn rewrite_texts(&mut self, texts: Texts, mut rewrite: impl FnMut(&[u8], &mut Vec<u8>) -> bool) {
        for position in 0..self.buffer.fields.len() {
            let value = self.buffer.fields[position].value;
            let (fate, value) = self.written(|fields, out| {
                match rewrite_texts(out, fields.bytes(value), texts, &mut rewrite) {
                    true => Fate::Replaced,
                    false => Fate::Stays,
                }
            });
            if fate == Fate::Replaced {
                self.buffer.fields[position].value = value;
            }
            if texts.keys {
                let key = self.buffer.fields[position].key;
                let (fate, key) = self.written(|fields, out| {
                    match rewrite_texts(out, fields.bytes(key), texts, &mut rewrite) {
                        true => Fate::Replaced,
                        false => Fate::Stays,
                    }
                });
                if fate == Fate::Replaced {
                    let bytes = self.fields().bytes(key);
                    let name = nested::as_text(bytes);
                    let name_offset = name.and_then(|name| NonZeroU8::new((bytes.len() - name.len()) as u8));
                    let field = &mut self.buffer.fields[position];
                    (field.key, field.name_offset, field.known) = (key, name_offset, None);
                }
            }
        }
        if self.buffer.rest_count > 0 {
            self.rewrite_rest(|entry, key, value| {
                let in_key = texts.keys && rewrite_texts(key, entry.key, texts, &mut rewrite);
                if !in_key {
                    key.clear();
                    key.extend_from_slice(entry.key);
                }
                let in_value = rewrite_texts(value, entry.value, texts, &mut rewrite);
                if !in_value {
                    value.clear();
                    value.extend_from_slice(entry.value);
                }
                if in_key || in_value { Fate::Replaced } else { Fate::Stays }
            });
        }
    }

    /// Removes the fields past the limit.
    pub(super) fn drop_rest(&mut self) {
        self.buffer.rest = Span { start: 0, end: 0, in_arena: true };
        self.buffer.rest_count = 0;
    }

    /// Puts what `write` writes into the arena.
    fn written(&mut self, write: impl FnOnce(super::RecordFields<'_>, &mut Vec<u8>) -> Fate) -> (Fate, Span) {
        let mut rebuilt = std::mem::take(&mut self.buffer.rebuilt);
        rebuilt.clear();
        let fate = write(self.fields(), &mut rebuilt);
        let span = match fate {
            Fate::Replaced => self.keep(&rebuilt),
            Fate::Stays | Fate::Goes => Span { start: 0, end: 0, in_arena: true },
        };
        self.buffer.rebuilt = rebuilt;
        (fate, span)
    }

    /// Rewrites the fields past the limit: `rewrite` appends the key, and the value where it is replaced.
    fn rewrite_rest(
        &mut self,
        mut rewrite: impl FnMut(nested::MapEntry<'_>, &mut Vec<u8>, &mut Vec<u8>) -> Fate,
    ) {
        let (mut rest, mut key, mut value) = (Vec::new(), Vec::new(), Vec::new());
        let mut count = 0;
        for entry in MapEntries::following(self.fields().bytes(self.buffer.rest), self.buffer.rest_count) {
            key.clear();
            value.clear();
            match rewrite(entry, &mut key, &mut value) {
                Fate::Goes => continue,
                Fate::Stays => {
                    rest.extend_from_slice(entry.key);
                    rest.extend_from_slice(entry.value);
                }
                Fate::Replaced => {
                    rest.extend_from_slice(&key);
                    rest.extend_from_slice(&value);
                }
            }
            count += 1;
        }
        self.buffer.rest = self.keep(&rest);
        self.buffer.rest_count = count;
    }
}

/// As [`RecordEditor::rewrite_texts`] for one encoded value, which is appended as it becomes; whether it changed.
pub fn rewrite_texts_of(
    out: &mut Vec<u8>,
    value: &[u8],
    texts: Texts,
    mut rewrite: impl FnMut(&[u8], &mut Vec<u8>) -> bool,
) -> bool {
    rewrite_texts(out, value, texts, &mut rewrite)
}

fn rewrite_texts(
    out: &mut Vec<u8>,
    value: &[u8],
    texts: Texts,
    rewrite: &mut impl FnMut(&[u8], &mut Vec<u8>) -> bool,
) -> bool {
    // Nearly every value is text, and nearly all of it stays.
    if let [0xa0..=0xbf, text @ ..] | [0xd9, _, text @ ..] | [0xda, _, _, text @ ..] = value {
        let start = out.len();
        if !rewrite(text, out) {
            return false;
        }
        let length = out.len();
        write_head(out, length - start);
        let head = out.len() - length;
        out[start..].rotate_right(head);
        return true;
    }
    let mut walk = Walk { value, at: 0, texts, changed: false, text: Vec::new() };
    walk.step(out, true, rewrite);
    walk.changed
}

/// The head of a text of so many bytes.
fn write_head(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=31 => out.push(0xa0 | length as u8),
        32..=0xff => out.extend_from_slice(&[0xd9, length as u8]),
        0x100..=0xffff => {
            out.push(0xda);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0xdb);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}

struct Walk<'a> {
    value: &'a [u8],
    at: usize,
    texts: Texts,
    changed: bool,
    text: Vec<u8>,
}

impl Walk<'_> {
    /// Recursion ends where the intake's limit of nesting does.
    fn step(
        &mut self,
        out: &mut Vec<u8>,
        rewrites: bool,
        rewrite: &mut impl FnMut(&[u8], &mut Vec<u8>) -> bool,
    ) {
        let start = self.at;
        let Ok(token) = read(self.value, &mut self.at) else { return };
        let (length, is_map) = match token {
            Token::Array(length) => (length, false),
            Token::Map(length) => (length, true),
            scalar => {
                let whole = &self.value[start..self.at];
                self.text.clear();
                let numbers = self.texts.numbers;
                let mut changes = |text: &[u8], into: &mut Vec<u8>| rewrites && rewrite(text, into);
                let changed = match scalar {
                    Token::Str(text) | Token::Bin(text) => changes(text, &mut self.text),
                    Token::Unsigned(number) if numbers => {
                        changes(itoa::Buffer::new().format(number).as_bytes(), &mut self.text)
                    }
                    Token::Negative(number) if numbers => {
                        changes(itoa::Buffer::new().format(number).as_bytes(), &mut self.text)
                    }
                    Token::F32(number) if numbers && number.is_finite() => {
                        changes(zmij::Buffer::new().format_finite(number).as_bytes(), &mut self.text)
                    }
                    Token::F64(number) if numbers && number.is_finite() => {
                        changes(zmij::Buffer::new().format_finite(number).as_bytes(), &mut self.text)
                    }
                    _ => false,
                };
                match (changed, scalar) {
                    (true, Token::Bin(_)) => write_bin(out, &self.text),
                    (true, _) => write_str(out, &self.text),
                    (false, _) => out.extend_from_slice(whole),
                }
                self.changed |= changed;
                return;
            }
        };
        out.extend_from_slice(&self.value[start..self.at]);
        for _ in 0..length {
            if is_map {
                self.step_key(out, rewrite);
            }
            self.step(out, rewrites, rewrite);
        }
    }

    fn step_key(&mut self, out: &mut Vec<u8>, rewrite: &mut impl FnMut(&[u8], &mut Vec<u8>) -> bool) {
        if self.texts.keys {
            return self.step(out, true, rewrite);
        }
        if let Ok(end) = skip(self.value, self.at) {
            out.extend_from_slice(&self.value[self.at..end]);
            self.at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{path, text};
    use super::super::{MAX_FIELDS, RecordBuffer};
    use super::*;
    use crate::wire::msgpack::{write_map, write_u64};

    const VALUES: Texts = Texts { keys: false, numbers: true };
    const ALL: Texts = Texts { keys: true, numbers: true };

    fn shout(text: &[u8], out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(&text.to_ascii_uppercase());
        text != text.to_ascii_uppercase()
    }

    /// `{"a": "x", "b": {"c": "y", "c": "z", "d": [1, "w"]}, "n": 5}`
    const RECORD: &[u8] = b"\x83\xa1a\xa1x\xa1b\x83\xa1c\xa1y\xa1c\xa1z\xa1d\x92\x01\xa1w\xa1n\x05";

    #[test]
    fn every_copy_at_a_path_is_rewritten() {
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(RECORD);
        let hide = |_: &[u8], out: &mut Vec<u8>| {
            out.push(0xc0);
            Fate::Replaced
        };
        for name in ["b.c", "a.x", "missing", "b.x"] {
            editor.rewrite(&path(name), hide);
        }
        assert_eq!(text(editor.fields()), r#""a"="x" "b"={"c":null,"c":null,"d":[1,"w"]} "n"=5 "#);
        editor.rewrite(&path("b.c"), |_, _| Fate::Goes);
        editor.rewrite(&path("a"), |_, _| Fate::Goes);
        editor.rewrite(&path("n"), |_, _| Fate::Stays);
        assert_eq!(text(editor.fields()), r#""b"={"d":[1,"w"]} "n"=5 "#);
    }

    #[test]
    fn every_text_is_rewritten_at_every_depth() {
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(RECORD);
        editor.rewrite_texts(VALUES, shout);
        assert_eq!(text(editor.fields()), r#""a"="X" "b"={"c":"Y","c":"Z","d":[1,"W"]} "n"=5 "#);
        editor.rewrite_texts(ALL, shout);
        assert_eq!(text(editor.fields()), r#""A"="X" "B"={"C":"Y","C":"Z","D":[1,"W"]} "N"=5 "#);
        assert!(editor.fields().get_name(b"A").is_some());
        editor.rewrite_texts(VALUES, |text, out| {
            out.extend_from_slice(b"five");
            text == b"5"
        });
        assert_eq!(text(editor.fields()), r#""A"="X" "B"={"C":"Y","C":"Z","D":[1,"W"]} "N"="five" "#);
    }

    #[test]
    fn fields_past_the_limit_are_reached() {
        let mut record = Vec::new();
        write_map(&mut record, MAX_FIELDS as u32 + 3);
        for number in 0..MAX_FIELDS {
            write_str(&mut record, format!("key{number}").as_bytes());
            write_u64(&mut record, 1);
        }
        record.extend_from_slice(b"\xa6secret\xa1x\xa6secret\x81\xa1k\xa1y\xa1z\xa1z");
        let last = |editor: &RecordEditor<'_>| {
            let fields: Vec<_> = editor.fields().iter().collect();
            fields[MAX_FIELDS..]
                .iter()
                .flat_map(|field| [field.key, field.value].concat())
                .collect::<Vec<_>>()
        };
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(&record);
        editor.rewrite_texts(VALUES, shout);
        assert_eq!(last(&editor), b"\xa6secret\xa1X\xa6secret\x81\xa1k\xa1Y\xa1z\xa1Z");
        editor.rewrite(&path("secret.k"), |_, out| {
            out.push(0xc0);
            Fate::Replaced
        });
        assert_eq!(last(&editor), b"\xa6secret\xa1X\xa6secret\x81\xa1k\xc0\xa1z\xa1Z");
        editor.rewrite(&path("secret"), |_, _| Fate::Goes);
        assert_eq!(last(&editor), b"\xa1z\xa1Z");
        editor.rewrite_texts(ALL, shout);
        assert_eq!(last(&editor), b"\xa1Z\xa1Z");
        assert_eq!(editor.fields().len() as usize, MAX_FIELDS + 1);
    }
}
