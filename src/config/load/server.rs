//! `[server]`, `[log]`, `[journal]` and the operator's listeners.

use tracing::level_filters::LevelFilter;

use super::document::{Read, did_you_mean};
use super::{Table, Value};
use crate::config::reference::LEVELS;
use crate::config::{
    AdminConfig, DeadLettersConfig, JournalConfig, LogConfig, LogFormat, MetricsConfig, ServerConfig,
    WhenFull,
};
use crate::journal::format::packed_entries::Packing;

pub(super) fn server(table: &Table<'_>) -> Read<ServerConfig> {
    let name = table.optional("name", Value::text);
    let data_dir = table.value("data_dir", Value::path);
    let shutdown_timeout = table.value("shutdown_timeout", Value::time);
    Ok(ServerConfig {
        name: name?.unwrap_or_else(crate::config::host_name),
        data_dir: data_dir?,
        shutdown_timeout: shutdown_timeout?,
    })
}

pub(super) fn log(table: &Table<'_>) -> Read<LogConfig> {
    let format = table.value("format", Value::choice);
    let level = table.value("level", Value::choice);
    let fold = table.value("fold", Value::time);
    let modules = table.value("modules", |value| {
        value
            .map()?
            .into_iter()
            .map(|(name, _, level)| Ok((name.to_owned(), module_level(&level)?)))
            .collect()
    });
    Ok(LogConfig {
        format: match format? {
            "json" => LogFormat::Json,
            "text" => LogFormat::Text,
            _ => LogFormat::Auto,
        },
        level: to_filter(level?),
        fold: fold?,
        modules: modules?,
    })
}

fn module_level(value: &Value<'_>) -> Read<LevelFilter> {
    let text = value.string()?.value;
    LEVELS.iter().find(|level| **level == text).map(|level| to_filter(level)).ok_or_else(|| {
        let suggestion = did_you_mean(&text, LEVELS.iter().copied());
        value.report(format!("expected a level: one of {}{suggestion}", LEVELS.join(", ")))
    })
}

fn to_filter(level: &str) -> LevelFilter {
    match level {
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => LevelFilter::INFO,
    }
}

pub(super) fn journal(table: &Table<'_>) -> Read<JournalConfig> {
    let max_size = table.value("max_size", Value::size);
    let when_full = table.value("when_full", Value::choice);
    let segment_size = table.value("segment_size", Value::size);
    let memory = table.value("memory", Value::size);
    let pace = table.value("pace", Value::time);
    let compression = table.value("compression", Value::choice);
    let retain = table.value("retain", Value::time);
    let dedup_window = table.value("dedup_window", Value::time);
    let dedup_max_ids = table.value("dedup_max_ids", Value::count);
    let dedup_max_ids_by_sender = table.value("dedup_max_ids_by_sender", Value::count);
    let dedup_max_size = table.value("dedup_max_size", Value::size);
    Ok(JournalConfig {
        max_size: max_size?,
        when_full: match when_full? {
            "reject" => WhenFull::Reject,
            "drop_oldest" => WhenFull::DropOldest,
            _ => WhenFull::Block,
        },
        segment_size: segment_size?,
        memory: memory?,
        pace: pace?,
        compression: match compression? {
            "lz4" => Some(Packing::Lz4),
            "zstd" => Some(Packing::Zstd),
            _ => None,
        },
        retain: retain?,
        dedup_window: dedup_window?,
        dedup_max_ids: dedup_max_ids?,
        dedup_max_ids_by_sender: dedup_max_ids_by_sender?,
        dedup_max_size: dedup_max_size?,
    })
}

pub(super) fn dead_letters(table: &Table<'_>) -> Read<DeadLettersConfig> {
    Ok(DeadLettersConfig { max_size: table.value("max_size", Value::size)? })
}

/// `None` where it is switched off.
pub(super) fn admin(table: &Table<'_>) -> Read<Option<AdminConfig>> {
    let enabled = table.value("enabled", Value::boolean);
    let listen = table.value("listen", Value::address);
    let config = AdminConfig { listen: listen? };
    Ok(enabled?.then_some(config))
}

/// `None` where it is switched off.
pub(super) fn metrics(table: &Table<'_>) -> Read<Option<MetricsConfig>> {
    let enabled = table.value("enabled", Value::boolean);
    let listen = table.value("listen", Value::address);
    let max_label_values = table.value("max_label_values", Value::count);
    let config = MetricsConfig { listen: listen?, max_label_values: max_label_values? };
    Ok(enabled?.then_some(config))
}
