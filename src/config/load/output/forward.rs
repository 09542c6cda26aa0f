//! `[[output]]` of `type = "forward"`

use super::{Read, Table, Value, forward_servers};
use crate::chunk::Encoding;
use crate::config::reference::CLIENT_TLS;
use crate::config::{
    CertificatePair, ClientTlsConfig, ForwardOutputConfig, ForwardPoolConfig, GiveUpConfig, MetadataHandling,
    Secret,
};

pub(super) fn forward(table: &Table<'_>) -> Read<ForwardOutputConfig> {
    let shared_key = table.optional("shared_key", secret);
    let pool = match &shared_key {
        Ok(shared_key) => forward_servers::pool(table, shared_key.as_ref()),
        Err(reported) => Err(*reported),
    };
    let self_hostname = table.optional("self_hostname", Value::text);
    let tls = table.optional("tls", |value| tls(&value.table(&CLIENT_TLS)?));
    let compress = table.value("compress", Value::choice);
    let metadata = table.value("metadata", Value::choice);
    let acks = table.value("acks", Value::boolean);
    let ack_timeout = table.value("ack_timeout", Value::time);
    let send_timeout = table.value("send_timeout", Value::time);
    let connect_timeout = table.value("connect_timeout", Value::time);
    let keepalive_timeout = table.value("keepalive_timeout", Value::time);
    let chunk_size = table.value("chunk_size", Value::memory_size);
    let connections = table.value("connections", Value::count);
    let max_in_doubt = table.value("max_in_doubt", Value::count);
    let in_doubt_timeout = table.value("in_doubt_timeout", Value::time);
    let checkpoint_interval = table.value("checkpoint_interval", Value::time);
    let give_up = give_up(table);
    let verify_connection_at_startup = table.value("verify_connection_at_startup", Value::boolean);
    if let (Ok(pool), Ok(Some(tls))) = (&pool, &tls) {
        server_names(table, pool, tls);
    }
    Ok(ForwardOutputConfig {
        pool: pool?,
        tls: tls?,
        self_hostname: self_hostname?,
        compress: match compress? {
            "gzip" => Encoding::Gzip,
            "zstd" => Encoding::Zstd,
            _ => Encoding::Plain,
        },
        metadata: if metadata? == "keep" { MetadataHandling::Keep } else { MetadataHandling::Drop },
        acks: acks?,
        ack_timeout: ack_timeout?,
        send_timeout: send_timeout?,
        connect_timeout: connect_timeout?,
        keepalive_timeout: keepalive_timeout?,
        chunk_size: chunk_size?,
        connections: connections?,
        max_in_doubt: max_in_doubt?,
        in_doubt_timeout: in_doubt_timeout?,
        checkpoint_interval: checkpoint_interval?,
        give_up: give_up?,
        verify_connection_at_startup: verify_connection_at_startup?,
    })
}

fn give_up(table: &Table<'_>) -> Read<Option<GiveUpConfig>> {
    let after = table.value("retry_timeout", Value::time);
    let forever = table.value("retry_forever", Value::boolean);
    let secondary = table.optional("secondary", Value::text);
    let (after, forever, secondary) = (after?, forever?, secondary?);
    if !forever {
        return Ok(Some(GiveUpConfig { after, secondary }));
    }
    for name in ["retry_timeout", "secondary"] {
        if table.has(name) {
            table.report(name, format!("`{name}` means nothing with `retry_forever = true`"));
        }
    }
    Ok(None)
}

fn secret(value: Value<'_>) -> Read<Secret> {
    value.text().map(Secret::new)
}

fn tls(table: &Table<'_>) -> Read<ClientTlsConfig> {
    let ca = table.value("ca", Value::path);
    let cert = table.optional("cert", Value::path);
    let key = table.optional("key", Value::path);
    let server_name = table.optional("server_name", Value::text);
    let reload_interval = table.value("reload_interval", Value::time);
    let identity = match (cert?, key?) {
        (Some(cert), Some(key)) => Some(CertificatePair { cert, key }),
        (None, None) => None,
        (Some(_), None) => return Err(table.report("cert", "`cert` needs `key`, the private key of it")),
        (None, Some(_)) => return Err(table.report("key", "`key` needs `cert`, the certificate of it")),
    };
    Ok(ClientTlsConfig { ca: ca?, identity, server_name: server_name?, reload_interval: reload_interval? })
}

/// Every name that a certificate is held against must be one that a certificate can carry.
fn server_names(table: &Table<'_>, pool: &ForwardPoolConfig, tls: &ClientTlsConfig) {
    let is_name = |name: &str| rustls_pki_types::ServerName::try_from(name).is_ok();
    if let Some(name) = &tls.server_name {
        if !is_name(name) {
            table.report("tls", format!("`{name}` is no name that a certificate could carry"));
        }
        return;
    }
    for server in &pool.servers {
        if server.server_name.is_none() && !is_name(server.address.host()) {
            table.report(
                "servers",
                format!(
                    "the host of `{}` is no name that a certificate could carry; say which with `server_name` in `tls`",
                    server.address
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests;
