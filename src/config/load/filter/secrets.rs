//! Filters that need a key file.

use super::some_fields;
use crate::config::load::document::Read;
use crate::config::load::{Table, Value};
use crate::config::{FilterKind, KeyFile};

pub(super) fn hash(table: &Table<'_>) -> Read<FilterKind> {
    let fields = table.value("fields", some_fields);
    let key = table.value("key_file", key_file);
    let length = table.value("length", Value::count);
    Ok(FilterKind::Hash { fields: fields?, key: key?, length: length? })
}

pub(super) fn encrypt(table: &Table<'_>) -> Read<FilterKind> {
    let fields = table.value("fields", some_fields);
    let key = table.value("key_file", key_file);
    Ok(FilterKind::Encrypt { fields: fields?, key: key? })
}

fn key_file(value: Value<'_>) -> Read<KeyFile> {
    let whole = value.clone();
    KeyFile::read(&value.path()?).map_err(|error| whole.report(error.to_string()))
}
