//! `[[filter]]`

mod events;
mod fields;
mod judge;
mod parse;
mod remap;
mod secrets;
mod text;

pub(super) use fields::{field_paths, tag_patterns};

use regex::bytes::Regex;

use super::document::Read;
use super::{Table, Value};
use crate::config::{FilterConfig, FilterKind};
use crate::pipeline::condition::Condition;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::patterns::compile;
use crate::pipeline::template::SyntaxError;

pub(super) fn filter(table: &Table<'_>) -> Read<FilterConfig> {
    let tags = table.value("match", tag_patterns);
    let condition = table.optional("where", |value| value.syntax(Condition::parse));
    let pipeline = table.optional("pipeline", Value::text);
    let kind = table.value("type", Value::choice);
    let (tags, mut condition, pipeline, kind) = (tags, condition?, pipeline?, kind?);
    let kind = match kind {
        "set" => FilterKind::Set { fields: table.value("fields", fields::field_values)? },
        "default" => FilterKind::Default { fields: table.value("fields", fields::field_values)? },
        "remove" => FilterKind::Remove { fields: table.value("fields", some_fields)? },
        "keep" => FilterKind::Keep { fields: table.value("fields", some_fields)? },
        "rename" => FilterKind::Rename { fields: table.value("fields", fields::renames)? },
        "sanitize" => FilterKind::Sanitize(text::sanitize(table)?),
        "mask" => FilterKind::Mask(text::mask(table)?),
        "level" => FilterKind::Level(judge::level(table)?),
        "time" => FilterKind::Time(judge::time(table)?),
        "validate" => FilterKind::Validate(judge::validate(table)?),
        "hash" => secrets::hash(table)?,
        "encrypt" => secrets::encrypt(table)?,
        "parse" => FilterKind::Parse(parse::parse(table)?),
        "drop" => FilterKind::Drop,
        "keep_if" => match condition.take() {
            Some(condition) => FilterKind::KeepIf { condition },
            None => return Err(table.report("type", "`keep_if` needs `where`: which events stay?")),
        },
        "sample" => events::sample(table)?,
        "throttle" => FilterKind::Throttle(events::throttle(table)?),
        "retag" => events::retag(table)?,
        "relabel" => events::relabel(table)?,
        "multiline" => FilterKind::Multiline(events::multiline(table)?),
        _ => remap::remap(table)?,
    };
    Ok(FilterConfig { line: table.line(), pipeline, tags: tags?, condition, kind })
}

/// A list of at least one field.
fn some_fields(value: Value<'_>) -> Read<Vec<FieldPath>> {
    let whole = value.clone();
    let fields = field_paths(value)?;
    if fields.is_empty() { Err(whole.report("the list of fields is empty")) } else { Ok(fields) }
}

fn field(value: Value<'_>) -> Read<FieldPath> {
    value.syntax(FieldPath::parse)
}

/// Text that may be empty.
fn text(value: Value<'_>) -> Read<String> {
    Ok(value.string()?.value)
}

fn regex(value: Value<'_>) -> Read<Regex> {
    value.syntax(|text| compile(text, false).map_err(|message| SyntaxError { at: 0..text.len(), message }))
}

fn regexes(value: Value<'_>) -> Read<Vec<Regex>> {
    let regexes: Vec<_> = value.list()?.into_iter().map(regex).collect();
    regexes.into_iter().collect()
}

/// One of these by its name.
fn named<T: Copy>(value: &Value<'_>, names: &[(&str, T)]) -> Read<T> {
    let text = value.string()?.value;
    names.iter().find(|(name, _)| *name == text).map(|(_, named)| *named).ok_or_else(|| {
        let names: Vec<_> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
        value.report(format!("expected one of {}", names.join(", ")))
    })
}
