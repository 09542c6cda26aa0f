//! `security = { … }`

use std::net::IpAddr;

use ipnet::IpNet;

use super::document::Read;
use super::{Table, Value};
use crate::config::reference::SECURITY_CLIENTS;
use crate::config::{Secret, SecurityClient, SecurityConfig};

/// `server_name` is what the server calls itself where the section does not say.
pub(super) fn security(table: &Table<'_>, server_name: &str) -> Read<SecurityConfig> {
    let shared_key = table.value("shared_key", secret);
    let self_hostname = table.optional("self_hostname", Value::text);
    let users = table.value("users", users);
    let allow_anonymous_source = table.value("allow_anonymous_source", Value::boolean);
    let keepalive = table.value("keepalive", Value::boolean);
    let users = users?;
    let clients: Vec<_> =
        table.tables("clients", &SECURITY_CLIENTS).iter().map(|table| client(table, &users)).collect();
    let clients = clients.into_iter().collect::<Read<Vec<_>>>();
    let allow_anonymous_source = allow_anonymous_source?;
    if !allow_anonymous_source && clients.as_ref().is_ok_and(Vec::is_empty) {
        return Err(table.report(
            "allow_anonymous_source",
            "nobody could send: `allow_anonymous_source = false` needs `clients`, the addresses that may",
        ));
    }
    Ok(SecurityConfig {
        self_hostname: self_hostname?.unwrap_or_else(|| server_name.to_owned()),
        shared_key: shared_key?,
        users,
        allow_anonymous_source,
        keepalive: keepalive?,
        clients: clients?,
    })
}

fn client(table: &Table<'_>, known: &[(String, Secret)]) -> Read<SecurityClient> {
    let network = table.value("network", network);
    let shared_key = table.optional("shared_key", secret);
    let users = table.optional("users", |value| {
        let names: Vec<_> = (value.list()?.into_iter())
            .map(|value| {
                let name = value.string()?.value;
                let is_known = known.iter().any(|(user, _)| *user == name);
                if is_known { Ok(name) } else { Err(value.report("no such user in `users` of `security`")) }
            })
            .collect();
        names.into_iter().collect::<Read<Vec<String>>>()
    });
    Ok(SecurityClient { network: network?, shared_key: shared_key?, users: users? })
}

fn secret(value: Value<'_>) -> Read<Secret> {
    value.text().map(Secret::new)
}

fn users(value: Value<'_>) -> Read<Vec<(String, Secret)>> {
    let users: Vec<_> = (value.map()?.into_iter())
        .map(|(name, at, value)| {
            if name.is_empty() {
                return Err(value.document.report(&at, "the name of a user is empty"));
            }
            Ok((name.to_owned(), Secret::new(value.text()?)))
        })
        .collect();
    users.into_iter().collect()
}

fn network(value: Value<'_>) -> Read<IpNet> {
    let text = value.string()?.value;
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map(|network| network.trunc()).map_err(|_| {
        value.report("expected an IP address or a network such as \"10.1.0.0/16\" or \"2001:db8::/32\"")
    })
}
