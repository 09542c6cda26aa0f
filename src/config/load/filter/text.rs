//! Filters that rewrite text.

use super::{named, regexes, text};
use crate::config::load::document::Read;
use crate::config::load::{Table, Value};
use crate::config::{Detector, MaskConfig, SanitizeConfig};
use crate::pipeline::characters::CharacterSet;
use crate::pipeline::field_path::FieldPath;

pub(super) fn sanitize(table: &Table<'_>) -> Read<SanitizeConfig> {
    let fields = fields_or_all(table);
    let characters = table.optional("characters", |value| value.syntax(CharacterSet::parse));
    let replacement = table.value("replacement", text);
    let max_length = table.optional("max_length", Value::count);
    let (fields, keys) = fields?;
    Ok(SanitizeConfig {
        fields,
        keys,
        characters: characters?,
        replacement: replacement?,
        max_length: max_length?,
    })
}

pub(super) fn mask(table: &Table<'_>) -> Read<MaskConfig> {
    let fields = fields_or_all(table);
    let patterns = table.value("patterns", regexes);
    let detect = table.value("detect", |value| {
        let detectors: Vec<_> =
            value.list()?.iter().map(|element| named(element, &Detector::NAMES)).collect();
        detectors.into_iter().collect::<Read<Vec<_>>>()
    });
    let replacement = table.value("replacement", text);
    let ((fields, keys), patterns, detect) = (fields?, patterns?, detect?);
    if fields.is_empty() && patterns.is_empty() && detect.is_empty() {
        return Err(table.report("", "what is hidden? expected `fields`, `detect` or `patterns`"));
    }
    Ok(MaskConfig { fields, patterns, detect, keys, replacement: replacement? })
}

/// The named fields, or (with an empty list) all text of the record, perhaps with the keys.
fn fields_or_all(table: &Table<'_>) -> Read<(Vec<FieldPath>, bool)> {
    let fields = table.optional("fields", super::some_fields);
    let keys = table.value("keys", Value::boolean);
    let (fields, keys) = (fields?.unwrap_or_default(), keys?);
    if keys && !fields.is_empty() {
        return Err(table.report("keys", "`keys` means all keys of the record and does not go with `fields`"));
    }
    Ok((fields, keys))
}
