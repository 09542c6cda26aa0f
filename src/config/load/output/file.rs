//! `[[output]]` of `type = "file"`

use std::collections::BTreeMap;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::{Read, Table, Value, did_you_mean, field_paths};
use crate::config::reference::INJECT;
use crate::config::{CompressionLevel, FileFormat, FileOutputConfig, GiveUpConfig, InjectConfig};
use crate::pipeline::characters::CharacterSet;
use crate::pipeline::template::{PathTemplate, SyntaxError};
use crate::pipeline::time_format::TimeFormat;

pub(super) fn file(table: &Table<'_>) -> Read<FileOutputConfig> {
    let path = table.value("path", |value| value.syntax(path_template));
    let path_characters = path_characters(table);
    let format = format(table);
    let inject = table.optional("inject", |value| inject(&value.table(&INJECT)?));
    let timezone = table.value("timezone", timezone);
    let flush_interval = table.value("flush_interval", Value::time);
    let checkpoint_interval = table.value("checkpoint_interval", Value::time);
    let buffer_memory = table.value("buffer_memory", Value::memory_size);
    let max_open_files = table.value("max_open_files", Value::count);
    let compression_level = table.value("compression_level", Value::count_or_auto);
    let compression_threads = table.value("compression_threads", Value::count);
    let undone_max_size = table.value("undone_max_size", Value::size);
    let give_up = give_up(table);
    Ok(FileOutputConfig {
        path: path?,
        path_characters: path_characters?,
        format: format?,
        inject: inject?.unwrap_or_default(),
        timezone: timezone?,
        flush_interval: flush_interval?,
        checkpoint_interval: checkpoint_interval?,
        buffer_memory: buffer_memory?,
        max_open_files: max_open_files?,
        compression_level: match compression_level? {
            None => CompressionLevel::Auto,
            // The key's limits are far inside.
            Some(level) => CompressionLevel::Fixed(level as i32),
        },
        compression_threads: compression_threads?,
        undone_max_size: undone_max_size?,
        give_up: give_up?,
    })
}

/// Only with `retry_timeout`: a disk comes back, and the journal holds everything until then.
fn give_up(table: &Table<'_>) -> Read<Option<GiveUpConfig>> {
    let after = table.optional("retry_timeout", Value::time);
    let forever = table.optional("retry_forever", Value::boolean);
    let secondary = table.optional("secondary", Value::text);
    let (after, forever, secondary) = (after?, forever?, secondary?);
    match (after, forever) {
        (Some(_), Some(true)) => {
            Err(table.report("retry_timeout", "`retry_timeout` means nothing with `retry_forever = true`"))
        }
        (Some(after), _) => Ok(Some(GiveUpConfig { after, secondary })),
        (None, Some(false)) => Err(table.report(
            "retry_forever",
            "`retry_forever = false` needs `retry_timeout`, after which to give up",
        )),
        (None, _) if secondary.is_some() => {
            Err(table.report("secondary", "`secondary` means nothing without `retry_timeout`"))
        }
        (None, _) => Ok(None),
    }
}

/// Refuses what no template may do before it looks at placeholders.
fn path_template(text: &str) -> Result<PathTemplate, SyntaxError> {
    let wrong = |at, message: &str| Err(SyntaxError { at, message: message.to_owned() });
    if text.is_empty() {
        return wrong(0..0, "`path` is empty");
    }
    if text.ends_with('/') {
        return wrong(text.len() - 1..text.len(), "expected the path of a file; this is a folder");
    }
    if text.ends_with(".zst") {
        return wrong(text.len() - 4..text.len(), "Zstandard is not supported yet; use .gz");
    }
    let mut start = 0;
    for component in text.split('/') {
        if component == ".." {
            return wrong(start..start + 2, "`..` is not allowed in a path; write the folder that is meant");
        }
        start += component.len() + 1;
    }
    PathTemplate::parse(text)
}

fn path_characters(table: &Table<'_>) -> Read<BTreeMap<String, CharacterSet>> {
    let path = table.optional("path", |value| Ok(value.value.as_str().unwrap_or_default().to_owned()));
    let path = path.ok().flatten().unwrap_or_default();
    table.value("path_characters", |value| {
        let document = value.document;
        let sets: Vec<_> = (value.map()?.into_iter())
            .map(|(name, at, value)| {
                if !path.contains(&format!("{{{name}}}")) {
                    return Err(document.report(&at, format!("`path` has no placeholder `{{{name}}}`")));
                }
                Ok((name.to_owned(), value.syntax(CharacterSet::parse)?))
            })
            .collect();
        sets.into_iter().collect()
    })
}

fn format(table: &Table<'_>) -> Read<FileFormat> {
    let format = table.value("format", Value::choice);
    let fields = table.optional("csv_fields", field_paths);
    match (format?, fields?) {
        ("csv", Some(fields)) if !fields.is_empty() => Ok(FileFormat::Csv { fields }),
        ("csv", _) => Err(table.report("format", "`format = \"csv\"` needs `csv_fields`, a list of fields")),
        (_, Some(_)) => {
            Err(table.report("csv_fields", "`csv_fields` means nothing without `format = \"csv\"`"))
        }
        ("msgpack", None) => Ok(FileFormat::Msgpack),
        ("ltsv", None) => Ok(FileFormat::Ltsv),
        (_, None) => Ok(FileFormat::Json),
    }
}

fn inject(table: &Table<'_>) -> Read<InjectConfig> {
    let tag = table.optional("tag", Value::text);
    let field = table.optional("time", Value::text);
    let zone = table.value("timezone", timezone);
    let format = zone.and_then(|zone| {
        if zone != TimeZone::UTC && !table.has("time_format") {
            return Err(table.report(
                "timezone",
                "a zone other than UTC needs a `time_format`, such as \"%Y-%m-%dT%H:%M:%S.%L%:z\"",
            ));
        }
        table.value("time_format", |value| value.syntax(|text| TimeFormat::parse(text, zone)))
    });
    let (tag, field, format) = (tag?, field?, format?);
    for name in ["time_format", "timezone"] {
        if field.is_none() && table.has(name) {
            table.report(name, format!("`{name}` means nothing without `time`, the field to write"));
        }
    }
    if tag.is_some() && tag == field {
        table.report("time", "`tag` and `time` name the same field");
    }
    Ok(InjectConfig { tag, time: field.map(|field| (field, format)) })
}

/// Only the bundled database is asked, so that a name means the same on every machine.
pub(in crate::config::load) fn timezone(value: Value<'_>) -> Read<TimeZone> {
    let name = value.string()?.value;
    let zones = TimeZoneDatabase::bundled();
    zones.get(&name).map_err(|_| {
        let names: Vec<String> = zones.available().map(|zone| zone.to_string()).collect();
        let suggestion = did_you_mean(&name, names.iter().map(String::as_str));
        value.report(format!("expected a time zone such as \"UTC\" or \"Asia/Tokyo\"{suggestion}"))
    })
}
