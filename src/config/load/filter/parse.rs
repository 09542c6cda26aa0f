//! `type = "parse"`

use super::{field, named, regex};
use crate::config::load::document::Read;
use crate::config::load::{Table, Value};
use crate::config::{OnError, ParseConfig, ParseFormat, TypedField, ValueType};

/// What text can become.
const TYPES: [(&str, ValueType); 4] = [
    ("string", ValueType::String),
    ("integer", ValueType::Integer),
    ("float", ValueType::Float),
    ("boolean", ValueType::Boolean),
];

pub(super) fn parse(table: &Table<'_>) -> Read<ParseConfig> {
    let from = table.value("field", field);
    let format = format(table);
    let into = table.optional("into", field);
    let keep_field = table.value("keep_field", Value::boolean);
    let types = table.value("types", |value| {
        let types: Vec<_> = (value.map()?.into_iter())
            .map(|(name, _, value)| {
                Ok(TypedField { name: name.to_owned(), value_type: named(&value, &TYPES)? })
            })
            .collect();
        types.into_iter().collect::<Read<Vec<_>>>()
    });
    let on_error = table.value("on_error", Value::choice);
    let reason = table.value("error_field", field);
    let (on_error, reason) = (on_error?, reason?);
    if on_error == "keep" && table.has("error_field") {
        return Err(table.report("error_field", "`error_field` means nothing with `on_error = \"keep\"`"));
    }
    Ok(ParseConfig {
        field: from?,
        format: format?,
        into: into?,
        keep_field: keep_field?,
        types: types?,
        on_error: match on_error {
            "field" => OnError::Field { reason },
            "invalid" => OnError::Invalid { reason },
            _ => OnError::Keep,
        },
    })
}

fn format(table: &Table<'_>) -> Read<ParseFormat> {
    let format = table.value("format", Value::choice);
    let pattern = table.optional("regex", |value| {
        let whole = value.clone();
        let regex = regex(value)?;
        match regex.capture_names().flatten().next() {
            Some(_) => Ok(regex),
            None => Err(whole.report("no group has a name: write `(?<name>…)`")),
        }
    });
    let columns = table.optional("columns", |value| {
        let whole = value.clone();
        let columns: Vec<_> = value.list()?.into_iter().map(Value::text).collect();
        if columns.is_empty() {
            return Err(whole.report("the list of columns is empty"));
        }
        columns.into_iter().collect::<Read<Vec<_>>>()
    });
    let delimiter = table.optional("delimiter", |value| match value.string()?.value.as_bytes() {
        [delimiter] if delimiter.is_ascii() && !b"\"\n".contains(delimiter) => Ok(*delimiter),
        _ => Err(value.report("expected one ASCII character other than a quote and a newline")),
    });
    let (format, pattern, columns, delimiter) = (format?, pattern?, columns?, delimiter?);
    for (key, formats) in
        [("regex", &["regex"][..]), ("columns", &["csv"]), ("delimiter", &["csv", "key_value"])]
    {
        if table.has(key) && !formats.contains(&format) {
            table.report(key, format!("`{key}` means nothing with `format = \"{format}\"`"));
        }
    }
    Ok(match format {
        "json" => ParseFormat::Json,
        "ltsv" => ParseFormat::Ltsv,
        "csv" => match columns {
            Some(columns) => ParseFormat::Csv { columns, delimiter: delimiter.unwrap_or(b',') },
            None => return Err(table.report("format", "`csv` needs `columns`, a list of names")),
        },
        "key_value" => ParseFormat::KeyValue { delimiter: delimiter.unwrap_or(b' ') },
        "regex" => match pattern {
            Some(regex) => ParseFormat::Regex(regex),
            None => return Err(table.report("format", "`regex` needs `regex`, with groups that have names")),
        },
        "nginx_access" => ParseFormat::NginxAccess,
        "nginx_error" => ParseFormat::NginxError,
        "apache_access" => ParseFormat::ApacheAccess,
        "apache_error" => ParseFormat::ApacheError,
        "syslog_rfc3164" => ParseFormat::SyslogRfc3164,
        _ => ParseFormat::SyslogRfc5424,
    })
}
