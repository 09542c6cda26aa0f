//! The sections of the configuration as keys and values, named as in the file.

use super::plugin_info::MASK;
use crate::config::{
    FileFormat, FileOutputConfig, FilterConfig, FilterKind, InputConfig, LevelConfig, MaskConfig,
    MultilineConfig, OutputConfig, OutputKind, OutputTake, ParseConfig, SanitizeConfig, TimeSource,
    show_size, show_time,
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
    if let Some(security) = &config.security {
        push(&mut keys, "security.self_hostname", &security.self_hostname);
        push(&mut keys, "security.shared_key", MASK);
        push(&mut keys, "security.allow_anonymous_source", security.allow_anonymous_source);
        push(&mut keys, "security.keepalive", security.keepalive);
    }
    push(&mut keys, "max_connections", config.max_connections);
    push(&mut keys, "handshake_timeout", show_time(config.handshake_timeout));
    push(&mut keys, "max_message_size", show_size(config.max_message_size as u64));
    push(&mut keys, "max_inflated_size", show_size(config.max_inflated_size as u64));
    push(&mut keys, "max_in_flight", show_size(config.max_in_flight as u64));
    push(&mut keys, "max_pending_acks", config.max_pending_acks);
    keys
}

/// One `[[output]]`.
pub(super) fn output_keys(config: &OutputConfig) -> Vec<(String, String)> {
    let mut keys = keys(config.kind.name(), Some(&config.id));
    match &config.take {
        OutputTake::Match { tags, condition, require } => {
            push(&mut keys, "match", tags);
            if let Some(condition) = condition {
                push(&mut keys, "where", condition);
            }
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
    if let Some(condition) = &config.condition {
        push(&mut keys, "where", condition);
    }
    match &config.kind {
        FilterKind::Set { fields } | FilterKind::Default { fields } => push_fields(&mut keys, fields),
        FilterKind::Rename { fields } => {
            for (from, to) in fields {
                push(&mut keys, &format!("fields.{from}"), to);
            }
        }
        FilterKind::Remove { fields } | FilterKind::Keep { fields } => {
            push(&mut keys, "fields", joined(fields));
        }
        FilterKind::Hash { fields, key, .. } | FilterKind::Encrypt { fields, key } => {
            push(&mut keys, "fields", joined(fields));
            push(&mut keys, "key_file", key.path().display());
        }
        FilterKind::Sanitize(SanitizeConfig { fields, .. }) | FilterKind::Mask(MaskConfig { fields, .. }) => {
            if !fields.is_empty() {
                push(&mut keys, "fields", joined(fields));
            }
        }
        FilterKind::KeepIf { condition } => push(&mut keys, "where", condition),
        FilterKind::Sample { one_in, by } => {
            push(&mut keys, "one_in", one_in);
            if let Some(by) = by {
                push(&mut keys, "by", by);
            }
        }
        FilterKind::Retag { tag } => push(&mut keys, "tag", tag),
        FilterKind::Level(LevelConfig { field, .. })
        | FilterKind::Time(TimeSource { field, .. })
        | FilterKind::Parse(ParseConfig { field, .. })
        | FilterKind::Multiline(MultilineConfig { field, .. }) => push(&mut keys, "field", field),
        FilterKind::Validate(validate) => {
            if !validate.required.is_empty() {
                push(&mut keys, "required", joined(&validate.required));
            }
        }
        FilterKind::Drop => {}
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
