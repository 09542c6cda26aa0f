//! Filters that look at what values mean.

use super::{field, named};
use crate::config::load::document::Read;
use crate::config::load::filter::field_paths;
use crate::config::load::output::timezone;
use crate::config::load::{Table, Value};
use crate::config::{LevelConfig, LevelNumbers, TimeSource, TimeSourceFormat, ValidateConfig, ValueType};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::level::LEVEL_NAMES;
use crate::pipeline::time_source;

pub(super) fn level(table: &Table<'_>) -> Read<LevelConfig> {
    let from = table.value("field", field);
    let to = table.optional("to", field);
    let numbers = table.value("numbers", Value::choice);
    let words = table.value("words", |value| {
        let levels: Vec<_> = LEVEL_NAMES.iter().map(|name| (*name, *name)).collect();
        let words: Vec<_> = (value.map()?.into_iter())
            .map(|(word, _, value)| Ok((word.to_lowercase(), named(&value, &levels)?)))
            .collect();
        words.into_iter().collect::<Read<Vec<_>>>()
    });
    let default = table.optional("default", Value::choice);
    let from = from?;
    Ok(LevelConfig {
        to: to?.unwrap_or_else(|| from.clone()),
        field: from,
        numbers: match numbers? {
            "pino" => LevelNumbers::Pino,
            "python" => LevelNumbers::Python,
            _ => LevelNumbers::Syslog,
        },
        words: words?,
        default: default?,
    })
}

pub(super) fn time(table: &Table<'_>) -> Read<TimeSource> {
    let from = table.value("field", field);
    let formats = table.value("formats", |value| {
        if value.value.is_str() {
            return Ok(vec![time_format(&value)?]);
        }
        let whole = value.clone();
        let formats: Vec<_> = value.list()?.iter().map(time_format).collect();
        if formats.is_empty() {
            return Err(whole.report("the list of formats is empty"));
        }
        formats.into_iter().collect::<Read<Vec<_>>>()
    });
    let timezone = table.value("timezone", timezone);
    let keep_field = table.value("keep_field", Value::boolean);
    Ok(TimeSource { field: from?, formats: formats?, timezone: timezone?, keep_field: keep_field? })
}

fn time_format(value: &Value<'_>) -> Read<TimeSourceFormat> {
    let text = value.string()?.value;
    Ok(match text.as_str() {
        "rfc3339" => TimeSourceFormat::Rfc3339,
        "unix" => TimeSourceFormat::Unix { per_second: 1 },
        "unix_ms" => TimeSourceFormat::Unix { per_second: 1_000 },
        "unix_us" => TimeSourceFormat::Unix { per_second: 1_000_000 },
        "unix_ns" => TimeSourceFormat::Unix { per_second: 1_000_000_000 },
        text if text.contains('%') => {
            time_source::check(text).map_err(|message| value.report(message))?;
            TimeSourceFormat::Strftime(time_source::translate(text))
        }
        _ => {
            return Err(value.report(
                "expected rfc3339, unix, unix_ms, unix_us, unix_ns or a format such as \"%d/%b/%Y:%H:%M:%S %z\"",
            ));
        }
    })
}

pub(super) fn validate(table: &Table<'_>) -> Read<ValidateConfig> {
    let required = table.value("required", field_paths);
    let types = table.value("types", |value| {
        let document = value.document;
        let types: Vec<_> = (value.map()?.into_iter())
            .map(|(name, at, value)| {
                let path = FieldPath::parse(name).map_err(|error| document.report(&at, error.message));
                let value_type = named(&value, &ValueType::NAMES);
                Ok((path?, value_type?))
            })
            .collect();
        types.into_iter().collect::<Read<Vec<_>>>()
    });
    let times = table.value("times", field_paths);
    let levels = table.value("levels", field_paths);
    let reason = table.value("reason_field", field);
    let config = ValidateConfig {
        required: required?,
        types: types?,
        times: times?,
        levels: levels?,
        reason: reason?,
    };
    let ValidateConfig { required, types, times, levels, .. } = &config;
    if required.is_empty() && types.is_empty() && times.is_empty() && levels.is_empty() {
        return Err(table.report("", "what is valid? expected `required`, `types`, `times` or `levels`"));
    }
    Ok(config)
}
