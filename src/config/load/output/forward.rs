//! `[[output]]` of `type = "forward"`

use super::{Read, Table, Value};
use crate::chunk::Encoding;
use crate::config::reference::{CLIENT_TLS, FORWARD_SERVER};
use crate::config::{ClientTlsConfig, ForwardOutputConfig, ForwardServerConfig, MetadataHandling, Secret};

pub(super) fn forward(table: &Table<'_>) -> Read<ForwardOutputConfig> {
    let shared_key = table.optional("shared_key", secret);
    let servers = match &shared_key {
        Ok(shared_key) => table.value("servers", |value| servers(value, shared_key.as_ref())),
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
    let verify_connection_at_startup = table.value("verify_connection_at_startup", Value::boolean);
    if let (Ok(servers), Ok(Some(tls))) = (&servers, &tls) {
        server_names(table, servers, tls);
    }
    Ok(ForwardOutputConfig {
        servers: servers?,
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
        verify_connection_at_startup: verify_connection_at_startup?,
    })
}

fn servers(value: Value<'_>, shared_key: Option<&Secret>) -> Read<Vec<ForwardServerConfig>> {
    let whole = value.clone();
    let mut servers: Vec<ForwardServerConfig> = Vec::new();
    let mut failed = None;
    for element in value.list()? {
        let table = element.table(&FORWARD_SERVER)?;
        match server(&table, shared_key) {
            Ok(server) => {
                if servers.iter().any(|earlier| earlier.name == server.name) {
                    let name = if table.has("name") { "name" } else { "address" };
                    table.report(name, format!("another server is called {} already", server.name));
                }
                servers.push(server);
            }
            Err(reported) => failed = Some(reported),
        }
    }
    match failed {
        Some(reported) => Err(reported),
        None if servers.is_empty() => Err(whole.report("`servers` is empty; at least one is needed")),
        None => Ok(servers),
    }
}

fn server(table: &Table<'_>, shared_key: Option<&Secret>) -> Read<ForwardServerConfig> {
    let address = table.value("address", |value| {
        let place = value.clone();
        let address = value.text()?;
        match host_of(&address) {
            Some(_) => Ok(address),
            None => Err(place.report(
                "expected a host and a port such as \"10.0.0.2:24224\", \"logs.example:24224\" or \"[::1]:24224\"",
            )),
        }
    });
    let name = table.optional("name", Value::text);
    let own_key = table.optional("shared_key", secret);
    let username = table.optional("username", Value::text);
    let password = table.optional("password", secret);
    let shared_key = own_key?.or_else(|| shared_key.cloned());
    let user = match (username?, password?) {
        (Some(_), Some(_)) if shared_key.is_none() => {
            return Err(
                table.report("username", "a user is asked for in the handshake; it needs a `shared_key`")
            );
        }
        (Some(username), Some(password)) => Some((username, password)),
        (None, None) => None,
        (Some(_), None) => return Err(table.report("username", "`username` needs `password`")),
        (None, Some(_)) => return Err(table.report("password", "`password` needs `username`")),
    };
    let address = address?;
    Ok(ForwardServerConfig { name: name?.unwrap_or_else(|| address.clone()), address, shared_key, user })
}

fn secret(value: Value<'_>) -> Read<Secret> {
    value.text().map(Secret::new)
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn host_of(address: &str) -> Option<&str> {
    let (host, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|port| *port > 0)?;
    match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|inner| !inner.is_empty()),
        None => Some(host).filter(|host| !host.is_empty() && !host.contains(':')),
    }
}

fn tls(table: &Table<'_>) -> Read<ClientTlsConfig> {
    let ca = table.value("ca", Value::path);
    let cert = table.optional("cert", Value::path);
    let key = table.optional("key", Value::path);
    let server_name = table.optional("server_name", Value::text);
    let identity = match (cert?, key?) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => return Err(table.report("cert", "`cert` needs `key`, the private key of it")),
        (None, Some(_)) => return Err(table.report("key", "`key` needs `cert`, the certificate of it")),
    };
    Ok(ClientTlsConfig { ca: ca?, identity, server_name: server_name? })
}

/// Every name that a certificate is held against must be one that a certificate can carry.
fn server_names(table: &Table<'_>, servers: &[ForwardServerConfig], tls: &ClientTlsConfig) {
    let is_name = |name: &str| rustls_pki_types::ServerName::try_from(name).is_ok();
    match &tls.server_name {
        Some(name) if !is_name(name) => {
            table.report("tls", format!("`{name}` is no name that a certificate could carry"));
        }
        Some(_) => {}
        None => {
            for server in servers {
                if host_of(&server.address).is_some_and(|host| !is_name(host)) {
                    table.report(
                        "servers",
                        format!(
                            "the host of `{}` is no name that a certificate could carry; say which with \
                             `server_name` in `tls`",
                            server.address
                        ),
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
