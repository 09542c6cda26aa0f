//! The sections of the configuration as keys and values, named as in the file.

use super::plugin_info::MASK;
use super::pool_keys::push_pool;
use crate::chunk::Encoding;
use crate::config::{
    CertificatePair, FileFormat, FileOutputConfig, FilterConfig, FilterKind, ForwardOutputConfig,
    GiveUpConfig, InputConfig, LevelConfig, ListenAddress, MaskConfig, MetadataHandling, MultilineConfig,
    OutputConfig, OutputKind, OutputTake, ParseConfig, SanitizeConfig, ThrottleConfig, TimeSource, show_size,
    show_time,
};
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::template::ValueTemplate;

/// One `[[input]]`.
pub(super) fn input_keys(kind: &str, config: &InputConfig) -> Vec<(String, String)> {
    let mut keys = keys(kind, Some(&config.id));
    push(&mut keys, "listen", &config.listen);
    push_pipeline(&mut keys, config.pipeline.as_deref());
    // Fluentd's names for the same, which scripts look for.
    match &config.listen {
        ListenAddress::Tcp(address) => {
            push(&mut keys, "bind", address.ip());
            push(&mut keys, "port", address.port());
            push(&mut keys, "udp_heartbeat", config.udp_heartbeat);
            push(&mut keys, "resolve_hostname", config.resolve_hostname);
        }
        ListenAddress::Unix(path) => {
            push(&mut keys, "path", path.display());
            push(&mut keys, "socket_mode", format_args!("{:04o}", config.socket_mode));
        }
    }
    if let Some(tls) = &config.tls {
        push(&mut keys, "tls.cert", tls.cert.display());
        push(&mut keys, "tls.key", tls.key.display());
        for pair in &tls.certificates {
            push(&mut keys, "tls.certificates.cert", pair.cert.display());
            push(&mut keys, "tls.certificates.key", pair.key.display());
        }
        for (key, paths) in [("tls.client_ca", &tls.client_ca), ("tls.crl", &tls.crl)] {
            if !paths.is_empty() {
                push(&mut keys, key, joined(&paths.iter().map(|path| path.display()).collect::<Vec<_>>()));
            }
        }
        if !tls.crl.is_empty() {
            push(&mut keys, "tls.crl_expired", if tls.refuse_when_crl_expired { "refuse" } else { "accept" });
        }
        push(&mut keys, "tls.reload_interval", show_time(tls.reload_interval));
    }
    if let Some(security) = &config.security {
        push(&mut keys, "security.self_hostname", &security.self_hostname);
        push(&mut keys, "security.shared_key", MASK);
        push(&mut keys, "security.allow_anonymous_source", security.allow_anonymous_source);
        push(&mut keys, "security.keepalive", security.keepalive);
    }
    push(&mut keys, "max_connections", config.max_connections);
    push(&mut keys, "max_connections_by_sender", config.max_connections_by_sender);
    push(&mut keys, "max_handshakes_by_address", config.max_handshakes_by_address);
    push(&mut keys, "handshake_timeout", show_time(config.handshake_timeout));
    push(&mut keys, "idle_timeout", show_time(config.idle_timeout.unwrap_or_default()));
    push(&mut keys, "stall_timeout", show_time(config.stall_timeout));
    push(&mut keys, "max_message_size", show_size(config.max_message_size as u64));
    push(&mut keys, "spool_above", show_size(config.spool_above as u64));
    push(&mut keys, "max_spool_size", show_size(config.max_spool_size as u64));
    push(&mut keys, "min_rate", show_size(config.min_rate));
    push(&mut keys, "max_entry_size", show_size(config.max_entry_size as u64));
    push(&mut keys, "max_depth", config.max_depth);
    push(&mut keys, "max_inflated_size", show_size(config.max_inflated_size));
    push(&mut keys, "max_inflate_ratio", config.max_inflate_ratio);
    push(&mut keys, "max_in_flight", show_size(config.max_in_flight as u64));
    push(&mut keys, "max_in_flight_by_sender", show_size(config.max_in_flight_by_sender as u64));
    push(&mut keys, "max_pending_acks", config.max_pending_acks);
    if let Some(events) = config.max_events_per_second {
        push(&mut keys, "max_events_per_second", events);
    }
    if let Some(bytes) = config.max_bytes_per_second {
        push(&mut keys, "max_bytes_per_second", show_size(bytes));
    }
    push(&mut keys, "refusal_window", show_time(config.refusal_window));
    push(&mut keys, "max_remembered_refusals", config.max_remembered_refusals);
    let texts = [("tag", &config.tag), ("add_tag_prefix", &config.add_tag_prefix)];
    for (key, text) in texts {
        if let Some(text) = text {
            push(&mut keys, key, text);
        }
    }
    if let Some(field) = &config.metadata_field {
        push(&mut keys, "metadata_field", field);
    }
    for row in config.ownership.iter().flat_map(|ownership| &ownership.rows) {
        for (field, values) in &row.fields {
            push(&mut keys, &format!("allow.{}.{field}", row.senders), joined(values));
        }
    }
    keys
}

/// One `[[output]]`.
pub(super) fn output_keys(config: &OutputConfig) -> Vec<(String, String)> {
    let mut keys = keys(config.kind.name(), Some(&config.id));
    push_pipeline(&mut keys, config.pipeline.as_deref());
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
        OutputTake::Secondary => {}
    }
    match &config.kind {
        OutputKind::File(file) => push_file(&mut keys, file),
        OutputKind::Forward(forward) => push_forward(&mut keys, forward),
    }
    push(&mut keys, "retry_min_interval", show_time(config.retry_min_interval));
    push(&mut keys, "retry_max_interval", show_time(config.retry_max_interval));
    if let Some(max_backlog) = config.backlog.max_backlog {
        push(&mut keys, "max_backlog", show_size(max_backlog));
    }
    push(&mut keys, "when_backlogged", config.backlog.when_backlogged.name());
    push(&mut keys, "max_set_aside", show_size(config.backlog.max_set_aside));
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
    push(keys, "compression_threads", file.compression_threads);
    push_give_up(keys, file.give_up.as_ref());
}

fn push_give_up(keys: &mut Vec<(String, String)>, give_up: Option<&GiveUpConfig>) {
    let Some(GiveUpConfig { after, secondary }) = give_up else {
        push(keys, "retry_forever", true);
        return;
    };
    push(keys, "retry_timeout", show_time(*after));
    if let Some(secondary) = secondary {
        push(keys, "secondary", secondary);
    }
}

/// The part of an output of `type = "forward"`.
fn push_forward(keys: &mut Vec<(String, String)>, forward: &ForwardOutputConfig) {
    push_pool(keys, &forward.pool);
    if let Some(tls) = &forward.tls {
        push(keys, "tls.ca", tls.ca.display());
        if let Some(CertificatePair { cert, key }) = &tls.identity {
            push(keys, "tls.cert", cert.display());
            push(keys, "tls.key", key.display());
        }
        push(keys, "tls.reload_interval", show_time(tls.reload_interval));
        if let Some(server_name) = &tls.server_name {
            push(keys, "tls.server_name", server_name);
        }
    }
    push_give_up(keys, forward.give_up.as_ref());
    if let Some(self_hostname) = &forward.self_hostname {
        push(keys, "self_hostname", self_hostname);
    }
    let compress = match forward.compress {
        Encoding::Plain => "text",
        Encoding::Gzip => "gzip",
        Encoding::Zstd => "zstd",
    };
    push(keys, "compress", compress);
    push(keys, "metadata", if forward.metadata == MetadataHandling::Keep { "keep" } else { "drop" });
    push(keys, "acks", forward.acks);
    push(keys, "ack_timeout", show_time(forward.ack_timeout));
    push(keys, "send_timeout", show_time(forward.send_timeout));
    push(keys, "connect_timeout", show_time(forward.connect_timeout));
    push(keys, "keepalive_timeout", show_time(forward.keepalive_timeout));
    push(keys, "chunk_size", show_size(forward.chunk_size as u64));
    push(keys, "connections", forward.connections);
    push(keys, "max_in_doubt", forward.max_in_doubt);
    push(keys, "in_doubt_timeout", show_time(forward.in_doubt_timeout));
    push(keys, "checkpoint_interval", show_time(forward.checkpoint_interval));
    push(keys, "verify_connection_at_startup", forward.verify_connection_at_startup);
}

/// One `[[filter]]`.
pub(super) fn filter_keys(kind: &str, config: &FilterConfig) -> Vec<(String, String)> {
    let mut keys = keys(kind, None);
    push(&mut keys, "match", &config.tags);
    push_pipeline(&mut keys, config.pipeline.as_deref());
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
        FilterKind::Throttle(ThrottleConfig { key, limit, interval, max_keys }) => {
            if let Some(key) = key {
                push(&mut keys, "key", key);
            }
            push(&mut keys, "limit", limit);
            push(&mut keys, "interval", show_time(*interval));
            push(&mut keys, "max_keys", max_keys);
        }
        FilterKind::Retag { tag } => push(&mut keys, "tag", tag),
        FilterKind::Relabel { to } => push(&mut keys, "to", joined(to)),
        FilterKind::Level(LevelConfig { field, .. })
        | FilterKind::Time(TimeSource { field, .. })
        | FilterKind::Parse(ParseConfig { field, .. })
        | FilterKind::Multiline(MultilineConfig { field, .. }) => push(&mut keys, "field", field),
        FilterKind::Validate(validate) => {
            if !validate.required.is_empty() {
                push(&mut keys, "required", joined(&validate.required));
            }
        }
        #[cfg(feature = "remap")]
        FilterKind::Remap(remap) => push(&mut keys, "source", remap.program.source()),
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

fn push_pipeline(keys: &mut Vec<(String, String)>, pipeline: Option<&str>) {
    if let Some(pipeline) = pipeline {
        push(keys, "pipeline", pipeline);
    }
}

fn push_fields(keys: &mut Vec<(String, String)>, fields: &[(FieldPath, ValueTemplate)]) {
    for (field, value) in fields {
        push(keys, &format!("fields.{field}"), value);
    }
}

fn joined(values: &[impl ToString]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
