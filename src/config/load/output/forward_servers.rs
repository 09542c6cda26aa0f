//! The servers of an `[[output]]` of `type = "forward"`

use rustls_pki_types::ServerName;

use super::{Read, Table, Value};
use crate::config::reference::{FORWARD_SERVER, SRV};
use crate::config::{
    ForwardPoolConfig, ForwardServerConfig, HeartbeatKind, HostPort, Secret, SrvConfig, is_host_name,
};

/// Servers that one output may name: each has a heartbeat and metrics.
const MAX_SERVERS: usize = 64;

/// Reads the keys of [`FORWARD_POOL`](crate::config::reference::FORWARD_POOL) from a table of an output;
/// `shared_key` is what the output says for all servers.
pub(super) fn pool(table: &Table<'_>, shared_key: Option<&Secret>) -> Read<ForwardPoolConfig> {
    let servers = table.optional("servers", |value| servers(value, shared_key));
    let srv = table.optional("srv", |value| srv(&value.table(&SRV)?, shared_key));
    let heartbeat = table.value("heartbeat", Value::choice);
    let heartbeat_interval = table.value("heartbeat_interval", Value::time);
    let phi_threshold = table.value("phi_threshold", Value::count);
    let hard_timeout = table.value("hard_timeout", Value::time);
    let recover_wait = table.value("recover_wait", Value::time);
    let expire_dns_cache = table.value("expire_dns_cache", Value::time);
    let dns_round_robin = table.value("dns_round_robin", Value::boolean);

    let heartbeat = heartbeat.map(|heartbeat| match heartbeat {
        "udp" => HeartbeatKind::Udp,
        "none" => HeartbeatKind::None,
        _ => HeartbeatKind::Transport,
    });
    if matches!(heartbeat, Ok(HeartbeatKind::None)) {
        for name in ["heartbeat_interval", "phi_threshold", "hard_timeout"] {
            if table.has(name) {
                table.report(name, format!("`{name}` means nothing with `heartbeat = \"none\"`"));
            }
        }
    } else if let (Ok(interval), Ok(timeout)) = (&heartbeat_interval, &hard_timeout)
        && timeout <= interval
    {
        let name = if table.has("hard_timeout") { "hard_timeout" } else { "heartbeat_interval" };
        table.report(name, "`hard_timeout` must be more than `heartbeat_interval`");
    }
    let (servers, srv) = (servers?, srv?);
    if servers.is_none() && srv.is_none() {
        return Err(table.report("servers", "which servers? expected `servers`, `srv` or both"));
    }
    let servers = servers.unwrap_or_default();
    if srv.is_none() && !servers.iter().any(|server| server.weight > 0 && !server.standby) {
        return Err(table.report(
            "servers",
            "no server would get anything; at least one needs a `weight` above 0 and no `standby`",
        ));
    }
    Ok(ForwardPoolConfig {
        servers,
        srv,
        heartbeat: heartbeat?,
        heartbeat_interval: heartbeat_interval?,
        // The key's limits are far inside.
        phi_threshold: phi_threshold? as f64,
        hard_timeout: hard_timeout?,
        recover_wait: recover_wait?,
        expire_dns_cache: expire_dns_cache?,
        dns_round_robin: dns_round_robin?,
    })
}

fn servers(value: Value<'_>, shared_key: Option<&Secret>) -> Read<Vec<ForwardServerConfig>> {
    let whole = value.clone();
    let elements = value.list()?;
    if elements.len() > MAX_SERVERS {
        return Err(whole.report(format!("{} servers; at most {MAX_SERVERS} are possible", elements.len())));
    }
    let mut servers: Vec<Read<ForwardServerConfig>> = Vec::with_capacity(elements.len());
    for element in elements {
        let server = element.table(&FORWARD_SERVER).and_then(|table| {
            let server = server(&table, shared_key)?;
            let mut earlier = servers.iter().flatten();
            if earlier.clone().any(|earlier| earlier.address == server.address) {
                return Err(table.report("address", format!("{} is there twice", server.address)));
            }
            if earlier.any(|earlier| earlier.name == server.name) {
                let key = if table.has("name") { "name" } else { "address" };
                return Err(table.report(key, format!("another server is called {} already", server.name)));
            }
            Ok(server)
        });
        servers.push(server);
    }
    servers.into_iter().collect()
}

fn server(table: &Table<'_>, shared_key: Option<&Secret>) -> Read<ForwardServerConfig> {
    let address = table.value("address", |value| {
        let place = value.clone();
        HostPort::parse(&value.text()?).ok_or_else(|| {
            place.report(
                "expected a host and a port such as \"10.0.0.2:24224\", \"logs.example:24224\" or \"[::1]:24224\"",
            )
        })
    });
    let name = table.optional("name", Value::text);
    let weight = table.value("weight", Value::count);
    let standby = table.value("standby", Value::boolean);
    let server_name = server_name(table);
    let (shared_key, user) = credentials(table, shared_key)?;
    let address = address?;
    Ok(ForwardServerConfig {
        name: name?.unwrap_or_else(|| address.to_string()),
        address,
        // The key's limits are far inside.
        weight: weight? as u32,
        standby: standby?,
        server_name: server_name?,
        shared_key,
        user,
    })
}

fn srv(table: &Table<'_>, shared_key: Option<&Secret>) -> Read<SrvConfig> {
    let host = table.value("host", |value| {
        let place = value.clone();
        let host = value.text()?;
        match is_host_name(&host) {
            true => Ok(host),
            false => Err(place.report("expected a domain such as \"logs.example.com\"")),
        }
    });
    let service = table.value("service", label);
    let proto = table.value("proto", label);
    let refresh = table.value("refresh", Value::time);
    let server_name = server_name(table);
    let (shared_key, user) = credentials(table, shared_key)?;
    Ok(SrvConfig {
        service: service?,
        proto: proto?,
        host: host?,
        refresh: refresh?,
        server_name: server_name?,
        shared_key,
        user,
    })
}

/// A part of an SRV name.
fn label(value: Value<'_>) -> Read<String> {
    let place = value.clone();
    let label = value.text()?;
    match is_host_name(&label) && !label.contains(['.', '_']) {
        true => Ok(label),
        false => Err(place.report("expected letters, digits and `-`; the underscore is put before it")),
    }
}

fn server_name(table: &Table<'_>) -> Read<Option<String>> {
    table.optional("server_name", |value| {
        let place = value.clone();
        let name = value.text()?;
        match ServerName::try_from(name.as_str()) {
            Ok(_) => Ok(name),
            Err(_) => Err(place.report(format!("`{name}` is no name that a certificate could carry"))),
        }
    })
}

/// The shared key, and the user with the password.
type Credentials = (Option<Secret>, Option<(String, Secret)>);

fn credentials(table: &Table<'_>, shared_key: Option<&Secret>) -> Read<Credentials> {
    let secret = |value: Value<'_>| value.text().map(Secret::new);
    let own_key = table.optional("shared_key", secret);
    let username = table.optional("username", Value::text);
    let password = table.optional("password", secret);
    let shared_key = own_key?.or_else(|| shared_key.cloned());
    let user = match (username?, password?) {
        (Some(_), Some(_)) if shared_key.is_none() => {
            let message = "a user is asked for in the handshake; it needs a `shared_key`";
            return Err(table.report("username", message));
        }
        (Some(username), Some(password)) => Some((username, password)),
        (None, None) => None,
        (Some(_), None) => return Err(table.report("username", "`username` needs `password`")),
        (None, Some(_)) => return Err(table.report("password", "`password` needs `username`")),
    };
    Ok((shared_key, user))
}

#[cfg(test)]
mod tests;
