//! The sections of the configuration as keys and values, named as in the file.

use crate::config::{
    FileFormat, FileOutputConfig, FilterConfig, FilterKind, InputConfig, OutputConfig, OutputKind,
    OutputTake, show_size, show_time,
};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::template::ValueTemplate;

/// One `[[input]]`.
pub(super) fn input_keys(kind: &str, config: &InputConfig) -> Vec<(String, String)> {
    let mut keys = keys(kind, Some(&config.id));
    push(&mut keys, "listen", config.listen);
    // Fluentd's names for the same, which scripts look for.
    push(&mut keys, "bind", config.listen.ip());
    push(&mut keys, "port", config.listen.port());
    if let Some(tls) = &config.tls {
        push(&mut keys, "tls.cert", tls.cert.display());
        push(&mut keys, "tls.key", tls.key.display());
        if let Some(client_ca) = &tls.client_ca {
            push(&mut keys, "tls.client_ca", client_ca.display());
        }
    }
    push(&mut keys, "max_connections", config.max_connections);
    push(&mut keys, "handshake_timeout", show_time(config.handshake_timeout));
    push(&mut keys, "max_message_size", show_size(config.max_message_size as u64));
    push(&mut keys, "spool_above", show_size(config.spool_above as u64));
    push(&mut keys, "max_spool_size", show_size(config.max_spool_size as u64));
    push(&mut keys, "min_rate", show_size(config.min_rate));
    push(&mut keys, "max_entry_size", show_size(config.max_entry_size as u64));
    push(&mut keys, "max_depth", config.max_depth);
    push(&mut keys, "max_inflated_size", show_size(config.max_inflated_size));
    push(&mut keys, "max_inflate_ratio", config.max_inflate_ratio);
    push(&mut keys, "max_in_flight", show_size(config.max_in_flight as u64));
    push(&mut keys, "max_pending_acks", config.max_pending_acks);
    keys
}

/// One `[[output]]`.
pub(super) fn output_keys(config: &OutputConfig) -> Vec<(String, String)> {
    let mut keys = keys(config.kind.name(), Some(&config.id));
    match &config.take {
        OutputTake::Match { tags, require } => {
            push(&mut keys, "match", tags);
            if !require.is_empty() {
                push(&mut keys, "require", joined(require));
            }
        }
        OutputTake::Invalid => push(&mut keys, "invalid", true),
        OutputTake::Fallback => push(&mut keys, "fallback", true),
    }
    match &config.kind {
        OutputKind::File(file) => push_file(&mut keys, file),
    }
    push(&mut keys, "retry_min_interval", show_time(config.retry_min_interval));
    push(&mut keys, "retry_max_interval", show_time(config.retry_max_interval));
    keys
}

/// The part of an output of `type = "file"`.
fn push_file(keys: &mut Vec<(String, String)>, file: &FileOutputConfig) {
    push(keys, "path", &file.path);
    for (placeholder, characters) in &file.path_characters {
        push(keys, &format!("path_characters.{placeholder}"), characters);
    }
    if let Some(zone) = file.timezone.iana_name() {
        push(keys, "timezone", zone);
    }
    let format = match &file.format {
        FileFormat::Json => "json",
        FileFormat::Msgpack => "msgpack",
        FileFormat::Ltsv => "ltsv",
        FileFormat::Csv { .. } => "csv",
    };
    push(keys, "format", format);
    if let FileFormat::Csv { fields } = &file.format {
        push(keys, "csv_fields", joined(fields));
    }
    if let Some(field) = &file.inject.tag {
        push(keys, "inject.tag", field);
    }
    if let Some((field, format)) = &file.inject.time {
        push(keys, "inject.time", field);
        push(keys, "inject.time_format", format);
    }
    push(keys, "flush_interval", show_time(file.flush_interval));
    push(keys, "checkpoint_interval", show_time(file.checkpoint_interval));
    push(keys, "buffer_memory", show_size(file.buffer_memory as u64));
    push(keys, "max_open_files", file.max_open_files);
    push(keys, "compression_level", file.compression_level);
}

/// One `[[filter]]`.
pub(super) fn filter_keys(kind: &str, config: &FilterConfig) -> Vec<(String, String)> {
    let mut keys = keys(kind, None);
    push(&mut keys, "match", &config.tags);
    match &config.kind {
        FilterKind::Set { fields } | FilterKind::Default { fields } => push_fields(&mut keys, fields),
        FilterKind::Remove { fields } => push(&mut keys, "fields", joined(fields)),
    }
    keys
}

/// What every section begins with, spelt as in Fluentd.
fn keys(kind: &str, id: Option<&str>) -> Vec<(String, String)> {
    let mut keys = vec![("@type".to_owned(), kind.to_owned())];
    if let Some(id) = id {
        push(&mut keys, "@id", id);
    }
    keys
}

fn push(keys: &mut Vec<(String, String)>, key: &str, value: impl ToString) {
    keys.push((key.to_owned(), value.to_string()));
}

fn push_fields(keys: &mut Vec<(String, String)>, fields: &[(FieldPath, ValueTemplate)]) {
    for (field, value) in fields {
        push(keys, &format!("fields.{field}"), value);
    }
}

fn joined(fields: &[FieldPath]) -> String {
    fields.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
