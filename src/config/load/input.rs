//! `[[input]]`

use super::document::Read;
use super::{Table, Value};
use crate::config::reference::TLS;
use crate::config::{InputConfig, TlsConfig};

pub(super) fn input(table: &Table<'_>) -> Read<InputConfig> {
    let id = table.value("id", Value::text);
    let kind = table.value("type", Value::choice);
    let listen = table.value("listen", Value::address);
    let tls = table.optional("tls", |value| tls(&value.table(&TLS)?));
    let max_connections = table.value("max_connections", Value::count);
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
    let max_pending_acks = table.value("max_pending_acks", Value::count);
    kind?;
    let input = InputConfig {
        id: id?,
        listen: listen?,
        tls: tls?,
        max_connections: max_connections?,
        handshake_timeout: handshake_timeout?,
        max_message_size: max_message_size?,
        spool_above: spool_above?,
        max_spool_size: max_spool_size?,
        min_rate: min_rate?,
        max_entry_size: max_entry_size?,
        max_depth: max_depth?,
        max_inflated_size: max_inflated_size?,
        max_inflate_ratio: max_inflate_ratio? as u64,
        max_in_flight: max_in_flight?,
        max_pending_acks: max_pending_acks?,
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
    Ok(input)
}

fn tls(table: &Table<'_>) -> Read<TlsConfig> {
    let cert = table.value("cert", Value::path);
    let key = table.value("key", Value::path);
    let client_ca = table.optional("client_ca", Value::path);
    Ok(TlsConfig { cert: cert?, key: key?, client_ca: client_ca? })
}
