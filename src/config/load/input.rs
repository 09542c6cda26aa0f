//! `[[input]]`

use super::document::Read;
use super::{Table, Value};
use crate::config::reference::TLS;
use crate::config::{InputConfig, ListenAddress, TlsConfig};
use crate::pipeline::field_path::FieldPath;

pub(super) fn input(table: &Table<'_>) -> Read<InputConfig> {
    let id = table.value("id", Value::text);
    let kind = table.value("type", Value::choice);
    let listen = table.value("listen", Value::listen_address);
    let socket_mode = table.value("socket_mode", Value::permissions);
    let udp_heartbeat = table.value("udp_heartbeat", Value::boolean);
    let tls = table.optional("tls", |value| tls(&value.table(&TLS)?));
    let max_connections = table.value("max_connections", Value::count);
    let handshake_timeout = table.value("handshake_timeout", Value::time);
    let max_message_size = table.value("max_message_size", Value::memory_size);
    let max_inflated_size = table.value("max_inflated_size", Value::memory_size);
    let max_in_flight = table.value("max_in_flight", Value::memory_size);
    let max_pending_acks = table.value("max_pending_acks", Value::count);
    let tag = table.optional("tag", Value::text);
    let add_tag_prefix = table.optional("add_tag_prefix", Value::text);
    let metadata_field = table.optional("metadata_field", |value| value.syntax(FieldPath::parse));
    let resolve_hostname = table.value("resolve_hostname", Value::boolean);
    kind?;
    let input = InputConfig {
        id: id?,
        listen: listen?,
        socket_mode: socket_mode?,
        udp_heartbeat: udp_heartbeat?,
        tls: tls?,
        max_connections: max_connections?,
        handshake_timeout: handshake_timeout?,
        max_message_size: max_message_size?,
        max_inflated_size: max_inflated_size?,
        max_in_flight: max_in_flight?,
        max_pending_acks: max_pending_acks?,
        tag: tag?,
        add_tag_prefix: add_tag_prefix?,
        metadata_field: metadata_field?,
        resolve_hostname: resolve_hostname?,
    };
    for (name, size) in
        [("max_inflated_size", input.max_inflated_size), ("max_in_flight", input.max_in_flight)]
    {
        if size < input.max_message_size {
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
    transport(table, &input);
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
    let client_ca = table.optional("client_ca", Value::path);
    Ok(TlsConfig { cert: cert?, key: key?, client_ca: client_ca? })
}
