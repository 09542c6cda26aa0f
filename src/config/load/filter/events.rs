//! Filters that drop, join and send events elsewhere.

use super::{field, field_paths, regex, text};
use crate::config::load::document::Read;
use crate::config::load::{Table, Value};
use crate::config::{FilterKind, MultilineConfig, ThrottleConfig};
use crate::pipeline::template::ValueTemplate;

pub(super) fn sample(table: &Table<'_>) -> Read<FilterKind> {
    let one_in = table.value("one_in", Value::count);
    let by = table.optional("by", |value| value.syntax(ValueTemplate::parse));
    Ok(FilterKind::Sample { one_in: one_in? as u64, by: by? })
}

pub(super) fn throttle(table: &Table<'_>) -> Read<ThrottleConfig> {
    let key = table.optional("key", |value| value.syntax(ValueTemplate::parse));
    let limit = table.value("limit", Value::count);
    let interval = table.value("interval", Value::time);
    let max_keys = table.value("max_keys", Value::count);
    Ok(ThrottleConfig { key: key?, limit: limit? as u32, interval: interval?, max_keys: max_keys? })
}

pub(super) fn retag(table: &Table<'_>) -> Read<FilterKind> {
    Ok(FilterKind::Retag { tag: table.value("tag", |value| value.syntax(ValueTemplate::parse))? })
}

/// One pipeline, or a list of at least one.
pub(super) fn relabel(table: &Table<'_>) -> Read<FilterKind> {
    let to = table.value("to", |value| {
        if value.value.is_str() {
            return Ok(vec![value.text()?]);
        }
        let whole = value.clone();
        let names: Vec<_> = value.list()?.into_iter().map(Value::text).collect();
        let names = names.into_iter().collect::<Read<Vec<_>>>()?;
        match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            _ if names.is_empty() => Err(whole.report("the list of pipelines is empty")),
            Some((_, name)) => Err(whole.report(format!("`{name}` is there twice"))),
            None => Ok(names),
        }
    });
    Ok(FilterKind::Relabel { to: to? })
}

pub(super) fn multiline(table: &Table<'_>) -> Read<MultilineConfig> {
    let line = table.value("field", field);
    let start = table.optional("start", regex);
    let continues = table.optional("continue", regex);
    let separator = table.value("separator", text);
    let group_by = table.value("group_by", field_paths);
    let max_lines = table.value("max_lines", Value::count);
    let max_size = table.value("max_size", Value::memory_size);
    let (start, continues) = (start?, continues?);
    if start.is_none() && continues.is_none() {
        return Err(table.report("", "which lines belong together? expected `start` or `continue`"));
    }
    Ok(MultilineConfig {
        field: line?,
        start,
        continues,
        separator: separator?,
        group_by: group_by?,
        max_lines: max_lines?,
        max_size: max_size?,
    })
}
