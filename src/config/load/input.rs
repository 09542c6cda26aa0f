//! `[[input]]`

use super::document::Read;
use super::{Table, Value, ownership, security};
use crate::config::reference::{CERTIFICATE, SECURITY, TLS};
use crate::config::{CertificatePair, InputConfig, ListenAddress, TlsConfig};
use crate::pipeline::field_path::FieldPath;

pub(super) fn input(table: &Table<'_>, server_name: &str) -> Read<InputConfig> {
    let id = table.value("id", Value::text);
    let kind = table.value("type", Value::choice);
    let listen = table.value("listen", Value::listen_address);
    let pipeline = table.optional("pipeline", Value::text);
    let socket_mode = table.value("socket_mode", Value::permissions);
    let udp_heartbeat = table.value("udp_heartbeat", Value::boolean);
    let tls = table.optional("tls", |value| tls(&value.table(&TLS)?));
    let security =
        table.optional("security", |value| security::security(&value.table(&SECURITY)?, server_name));
    let max_connections = table.value("max_connections", Value::count);
    let max_connections_by_sender = table.value("max_connections_by_sender", Value::count);
    let max_handshakes_by_address = table.value("max_handshakes_by_address", Value::count);
    let idle_timeout = table.value("idle_timeout", Value::time);
    let stall_timeout = table.value("stall_timeout", Value::time);
    let max_events_per_second = table.optional("max_events_per_second", Value::count);
    let max_bytes_per_second = table.optional("max_bytes_per_second", Value::size);
    let refusal_window = table.value("refusal_window", Value::time);
    let max_remembered_refusals = table.value("max_remembered_refusals", Value::count);
    let handshake_timeout = table.value("handshake_timeout", Value::time);
    let max_message_size = table.value("max_message_size", Value::memory_size);
    let spool_above = table.value("spool_above", Value::memory_size);
    let max_spool_size = table.value("max_spool_size", Value::memory_size);
    let min_rate = table.value("min_rate", Value::size);
    let max_entry_size = table.value("max_entry_size", Value::memory_size);
    let max_depth = table.value("max_depth", Value::count);
    let max_inflated_size = table.value("max_inflated_size", Value::size);
    let max_inflate_ratio = table.value("max_inflate_ratio", Value::count);
    let max_in_flight = table.value("max_in_flight", Value::memory_size);
    let max_in_flight_by_sender = table.value("max_in_flight_by_sender", Value::memory_size);
    let max_pending_acks = table.value("max_pending_acks", Value::count);
    let tag = table.optional("tag", Value::text);
    let add_tag_prefix = table.optional("add_tag_prefix", Value::text);
    let metadata_field = table.optional("metadata_field", |value| value.syntax(FieldPath::parse));
    let resolve_hostname = table.value("resolve_hostname", Value::boolean);
    let ownership = ownership::ownership(table);
    kind?;
    let input = InputConfig {
        id: id?,
        listen: listen?,
        pipeline: pipeline?,
        socket_mode: socket_mode?,
        udp_heartbeat: udp_heartbeat?,
        tls: tls?,
        security: security?,
        max_connections: max_connections?,
        max_connections_by_sender: max_connections_by_sender?,
        max_handshakes_by_address: max_handshakes_by_address?,
        handshake_timeout: handshake_timeout?,
        idle_timeout: Some(idle_timeout?).filter(|idle| !idle.is_zero()),
        stall_timeout: stall_timeout?,
        max_message_size: max_message_size?,
        spool_above: spool_above?,
        max_spool_size: max_spool_size?,
        min_rate: min_rate?,
        max_entry_size: max_entry_size?,
        max_depth: max_depth?,
        max_inflated_size: max_inflated_size?,
        max_inflate_ratio: max_inflate_ratio? as u64,
        max_in_flight: max_in_flight?,
        max_in_flight_by_sender: max_in_flight_by_sender?,
        max_pending_acks: max_pending_acks?,
        max_events_per_second: max_events_per_second?.map(|events| events as u64),
        max_bytes_per_second: max_bytes_per_second?,
        refusal_window: refusal_window?,
        max_remembered_refusals: max_remembered_refusals?,
        tag: tag?,
        add_tag_prefix: add_tag_prefix?,
        metadata_field: metadata_field?,
        ownership: ownership?,
        resolve_hostname: resolve_hostname?,
    };
    let mut sizes = vec![("max_inflated_size", input.max_inflated_size)];
    if input.spools() {
        sizes.push(("max_spool_size", input.max_spool_size as u64));
    }
    for (name, size) in sizes {
        if size < input.max_message_size as u64 {
            table.report(
                name,
                format!(
                    "`{name}` is {size} bytes, less than `max_message_size` ({}); the largest message would \
                     never get through",
                    input.max_message_size
                ),
            );
        }
    }
    let least = input.max_memory_of_message();
    if input.max_in_flight < least {
        table.report(
            "max_in_flight",
            format!(
                "`max_in_flight` is {} bytes, less than the {least} that one message can take (`spool_above`, or \
                 `max_entry_size` and 1 MiB); the largest message would never get through",
                input.max_in_flight
            ),
        );
    }
    transport(table, &input);
    ownership::proofs(table, &input);
    Ok(input)
}

/// Keys that say nothing about this kind of socket were meant for another one.
fn transport(table: &Table<'_>, input: &InputConfig) {
    let needs_tcp = [
        ("tls", input.tls.is_some()),
        ("udp_heartbeat", input.udp_heartbeat),
        ("resolve_hostname", input.resolve_hostname),
    ];
    match &input.listen {
        ListenAddress::Tcp(_) if table.has("socket_mode") => {
            table
                .report("socket_mode", "`socket_mode` is for Unix sockets, and this input listens on a port");
        }
        ListenAddress::Tcp(_) => {}
        ListenAddress::Unix(_) => {
            for (name, wanted) in needs_tcp {
                if wanted && table.has(name) {
                    table.report(
                        name,
                        format!("`{name}` is for TCP, and this input listens on a Unix socket"),
                    );
                }
            }
        }
    }
}

fn tls(table: &Table<'_>) -> Read<TlsConfig> {
    let cert = table.value("cert", Value::path);
    let key = table.value("key", Value::path);
    let certificates = table.optional("certificates", certificates);
    let client_ca = table.optional("client_ca", Value::paths);
    let crl = table.optional("crl", Value::paths);
    let crl_expired = table.value("crl_expired", Value::choice);
    let reload_interval = table.value("reload_interval", Value::time);
    let tls = TlsConfig {
        cert: cert?,
        key: key?,
        certificates: certificates?.unwrap_or_default(),
        client_ca: client_ca?.unwrap_or_default(),
        crl: crl?.unwrap_or_default(),
        refuse_when_crl_expired: crl_expired? == "refuse",
        reload_interval: reload_interval?,
    };
    if !tls.crl.is_empty() && tls.client_ca.is_empty() {
        table.report(
            "crl",
            "`crl` revokes certificates of `client_ca`, which is missing: add it, or take `crl` away",
        );
    }
    if tls.refuse_when_crl_expired && tls.crl.is_empty() {
        table.report("crl_expired", "`crl_expired` is about the lists in `crl`, which is missing");
    }
    Ok(tls)
}

fn certificates(value: Value<'_>) -> Read<Vec<CertificatePair>> {
    let tables = value.list()?.into_iter().map(|value| {
        let table = value.table(&CERTIFICATE)?;
        let (cert, key) = (table.value("cert", Value::path), table.value("key", Value::path));
        Ok(CertificatePair { cert: cert?, key: key? })
    });
    tables.collect::<Vec<_>>().into_iter().collect()
}
