//! `[[input]]`

use super::document::Read;
use super::{Table, Value, security};
use crate::config::reference::{SECURITY, TLS};
use crate::config::{InputConfig, TlsConfig};

pub(super) fn input(table: &Table<'_>, server_name: &str) -> Read<InputConfig> {
    let id = table.value("id", Value::text);
    let kind = table.value("type", Value::choice);
    let listen = table.value("listen", Value::address);
    let tls = table.optional("tls", |value| tls(&value.table(&TLS)?));
    let security =
        table.optional("security", |value| security::security(&value.table(&SECURITY)?, server_name));
    let max_connections = table.value("max_connections", Value::count);
    let handshake_timeout = table.value("handshake_timeout", Value::time);
    let max_message_size = table.value("max_message_size", Value::memory_size);
    let max_inflated_size = table.value("max_inflated_size", Value::memory_size);
    let max_in_flight = table.value("max_in_flight", Value::memory_size);
    let max_pending_acks = table.value("max_pending_acks", Value::count);
    kind?;
    let input = InputConfig {
        id: id?,
        listen: listen?,
        tls: tls?,
        security: security?,
        max_connections: max_connections?,
        handshake_timeout: handshake_timeout?,
        max_message_size: max_message_size?,
        max_inflated_size: max_inflated_size?,
        max_in_flight: max_in_flight?,
        max_pending_acks: max_pending_acks?,
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
    Ok(input)
}

fn tls(table: &Table<'_>) -> Read<TlsConfig> {
    let cert = table.value("cert", Value::path);
    let key = table.value("key", Value::path);
    let client_ca = table.optional("client_ca", Value::path);
    Ok(TlsConfig { cert: cert?, key: key?, client_ca: client_ca? })
}
