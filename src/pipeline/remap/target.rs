//! One event as a program sees and changes it.
//!
//! The compiler knows which top-level fields a program can touch; only those are turned into values, and only those that
//! come out different are turned back. So a program costs what it uses, and whatever it leaves alone stays byte for byte as
//! it came: integers beyond 2^63 - 1, NaN, ext types, the order of the fields. A program that asks for `.` itself has the
//! whole record turned.
//!
//! Fields whose names are no text in UTF-8 are not seen. They stay, unless the program puts something else in place of `.`.

use std::cell::Cell;

use vrl::compiler::{SecretTarget, Target};
use vrl::path::{OwnedSegment, OwnedTargetPath, OwnedValuePath, PathPrefix};
use vrl::value::{KeyString, ObjectMap, Value};

use super::metadata;
use super::value::{WriteError, name, to_vrl, write, write_name};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::filter::{Context, Draft};
use crate::pipeline::record::RecordFields;
use crate::wire::msgpack::write_map;

/// What a program can touch, as the compiler found out.
#[derive(Debug, Clone)]
pub(super) struct Touched {
    /// Top-level fields of the record; `None` is all of them.
    pub(super) fields: Option<Vec<(KeyString, FieldPath)>>,
    /// Names of [`metadata`].
    pub(super) metadata: Vec<&'static str>,
}

/// Memory for what is written, from event to event.
#[derive(Debug, Default)]
pub(super) struct WriteScratch {
    encoded: Vec<u8>,
    record: Vec<u8>,
    /// The ends of the values in `encoded`; `None` for a field that goes.
    ends: Vec<(usize, Option<usize>)>,
}

#[derive(Debug)]
pub(super) struct EventTarget<'t> {
    touched: &'t Touched,
    record: Value,
    metadata: Value,
    /// By the place of the field in `touched`.
    changed: Vec<bool>,
    /// Whether anything in the record was written to.
    is_changed: bool,
    /// Whether something else was put in place of the whole record.
    is_replaced: bool,
    failure: Cell<Option<&'static str>>,
}

const NO_OBJECT: &str = "`.` has to stay an object: an event is one record";
const UNFORESEEN: &str =
    "the program reaches for a field that its compiler did not foresee; please report this";

impl<'t> EventTarget<'t> {
    pub(super) fn new(touched: &'t Touched, fields: RecordFields<'_>, context: &Context<'_>) -> Self {
        let record: ObjectMap = match &touched.fields {
            None => {
                let all = fields.iter().filter_map(|field| Some((name(field.key)?, field.value)));
                all.map(|(name, value)| (name.into(), to_vrl(value))).collect()
            }
            Some(names) => (names.iter())
                .filter_map(|(name, _)| {
                    Some((name.clone(), to_vrl(fields.get_name(name.as_str().as_bytes())?)))
                })
                .collect(),
        };
        let metadata = touched.metadata.iter().map(|name| ((*name).into(), metadata::value(name, context)));
        Self {
            touched,
            record: Value::Object(record),
            metadata: Value::Object(metadata.collect()),
            changed: vec![false; touched.fields.as_ref().map_or(0, Vec::len)],
            is_changed: false,
            is_replaced: false,
            failure: Cell::new(None),
        }
    }

    /// What went wrong without the program being told: VRL ignores the errors of assignments.
    pub(super) fn failure(&self) -> Option<&'static str> {
        self.failure.get()
    }

    /// A value of the metadata as the program left it.
    pub(super) fn metadata(&self, name: &str) -> Option<&Value> {
        self.metadata.as_object()?.get(name)
    }

    /// Writes what the program changed into the record: all of it or, with an error, nothing.
    pub(super) fn write_back(
        self,
        draft: &mut Draft<'_>,
        scratch: &mut WriteScratch,
    ) -> Result<(), WriteError> {
        if !self.is_changed {
            return Ok(());
        }
        let Value::Object(record) = self.record else { return Ok(()) };
        match &self.touched.fields {
            Some(names) => write_fields(names, &self.changed, &record, draft, scratch),
            None => write_whole(record, self.is_replaced, draft, scratch),
        }
    }

    /// Takes note that a field is written to; whether it may be.
    fn touch(&mut self, path: &OwnedValuePath) -> bool {
        let Some(OwnedSegment::Field(name)) = path.segments.first() else {
            self.failure.set(Some(NO_OBJECT));
            return false;
        };
        if let Some(names) = &self.touched.fields {
            match names.iter().position(|(known, _)| known == name) {
                Some(position) => self.changed[position] = true,
                None => {
                    self.failure.set(Some(UNFORESEEN));
                    return false;
                }
            }
        }
        self.is_changed = true;
        true
    }
}

fn write_fields(
    names: &[(KeyString, FieldPath)],
    changed: &[bool],
    record: &ObjectMap,
    draft: &mut Draft<'_>,
    scratch: &mut WriteScratch,
) -> Result<(), WriteError> {
    let WriteScratch { encoded, ends, .. } = scratch;
    encoded.clear();
    ends.clear();
    for (index, (name, _)) in names.iter().enumerate().filter(|(index, _)| changed[*index]) {
        let before = draft.record.fields().get_name(name.as_str().as_bytes());
        let end = match record.get(name) {
            Some(value) if before.is_some_and(|before| to_vrl(before) == *value) => continue,
            Some(value) => {
                write(encoded, value, 1)?;
                Some(encoded.len())
            }
            None => None,
        };
        ends.push((index, end));
    }
    let mut start = 0;
    for (index, end) in ends {
        let path = &names[*index].1;
        match *end {
            Some(end) => {
                draft.record.set(path, &encoded[start..end]);
                start = end;
            }
            None => draft.record.remove(path),
        }
    }
    Ok(())
}

fn write_whole(
    mut record: ObjectMap,
    is_replaced: bool,
    draft: &mut Draft<'_>,
    scratch: &mut WriteScratch,
) -> Result<(), WriteError> {
    let WriteScratch { encoded, record: whole, .. } = scratch;
    encoded.clear();
    let mut count = 0u32;
    for field in draft.record.fields().iter() {
        match name(field.key) {
            Some(name) => {
                let Some(value) = record.remove(name) else { continue };
                encoded.extend_from_slice(field.key);
                if value == to_vrl(field.value) {
                    encoded.extend_from_slice(field.value);
                } else {
                    write(encoded, &value, 1)?;
                }
            }
            None if is_replaced => continue,
            None => {
                encoded.extend_from_slice(field.key);
                encoded.extend_from_slice(field.value);
            }
        }
        count += 1;
    }
    for (name, value) in &record {
        write_name(encoded, name.as_str())?;
        write(encoded, value, 1)?;
        count += 1;
    }
    whole.clear();
    write_map(whole, count);
    whole.extend_from_slice(encoded);
    draft.record.replace(whole);
    Ok(())
}

impl Target for EventTarget<'_> {
    fn target_insert(&mut self, path: &OwnedTargetPath, value: Value) -> Result<(), String> {
        match path.prefix {
            PathPrefix::Metadata => {
                self.metadata.insert(&path.path, value);
            }
            PathPrefix::Event if path.path.is_root() => {
                if !value.is_object() {
                    self.failure.set(Some(NO_OBJECT));
                    return Ok(());
                }
                self.record = value;
                (self.is_changed, self.is_replaced) = (true, true);
            }
            PathPrefix::Event => {
                if self.touch(&path.path) {
                    self.record.insert(&path.path, value);
                }
            }
        }
        Ok(())
    }

    fn target_get(&self, path: &OwnedTargetPath) -> Result<Option<&Value>, String> {
        Ok(match path.prefix {
            PathPrefix::Event => self.record.get(&path.path),
            PathPrefix::Metadata => self.metadata.get(&path.path),
        })
    }

    fn target_get_mut(&mut self, path: &OwnedTargetPath) -> Result<Option<&mut Value>, String> {
        match path.prefix {
            PathPrefix::Event if !self.touch(&path.path) => Ok(None),
            PathPrefix::Event => Ok(self.record.get_mut(&path.path)),
            PathPrefix::Metadata => Ok(self.metadata.get_mut(&path.path)),
        }
    }

    fn target_remove(&mut self, path: &OwnedTargetPath, compact: bool) -> Result<Option<Value>, String> {
        Ok(match path.prefix {
            PathPrefix::Metadata => {
                self.failure.set(Some("`%tag` and `%time` can be given anew, and not be removed"));
                None
            }
            PathPrefix::Event if path.path.is_root() => {
                (self.is_changed, self.is_replaced) = (true, true);
                Some(std::mem::replace(&mut self.record, metadata::empty()))
            }
            PathPrefix::Event if self.touch(&path.path) => self.record.remove(&path.path, compact),
            PathPrefix::Event => None,
        })
    }
}

/// There are none; the functions that would ask are refused.
impl SecretTarget for EventTarget<'_> {
    fn get_secret(&self, _: &str) -> Option<&str> {
        None
    }

    fn insert_secret(&mut self, _: &str, _: &str) {}

    fn remove_secret(&mut self, _: &str) {}
}
