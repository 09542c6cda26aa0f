//! The servers of a `forward` output as keys and values, named as in the file.

use crate::config::{ForwardPoolConfig, HeartbeatKind, Secret, show_time};

/// What is known of a server besides where it is.
type Credentials<'a> = (&'a Option<String>, &'a Option<Secret>, &'a Option<(String, Secret)>);

/// Adds what an output says about its servers. Of secrets it says that they are there.
pub(super) fn push_pool(keys: &mut Vec<(String, String)>, pool: &ForwardPoolConfig) {
    let mut push = |key: String, value: String| keys.push((key, value));
    for (index, server) in pool.servers.iter().enumerate() {
        let key = |name: &str| format!("servers.{index}.{name}");
        push(key("address"), server.address.to_string());
        push(key("name"), server.name.clone());
        push(key("weight"), server.weight.to_string());
        push(key("standby"), server.standby.to_string());
        push_credentials(&mut push, key, (&server.server_name, &server.shared_key, &server.user));
    }
    if let Some(srv) = &pool.srv {
        let key = |name: &str| format!("srv.{name}");
        push(key("host"), srv.host.clone());
        push(key("service"), srv.service.clone());
        push(key("proto"), srv.proto.clone());
        push(key("refresh"), show_time(srv.refresh));
        push_credentials(&mut push, key, (&srv.server_name, &srv.shared_key, &srv.user));
    }
    let heartbeat = match pool.heartbeat {
        HeartbeatKind::Transport => "transport",
        HeartbeatKind::Udp => "udp",
        HeartbeatKind::None => "none",
    };
    push("heartbeat".to_owned(), heartbeat.to_owned());
    if pool.heartbeat != HeartbeatKind::None {
        push("heartbeat_interval".to_owned(), show_time(pool.heartbeat_interval));
        push("phi_threshold".to_owned(), pool.phi_threshold.to_string());
        push("hard_timeout".to_owned(), show_time(pool.hard_timeout));
    }
    push("recover_wait".to_owned(), show_time(pool.recover_wait));
    push("expire_dns_cache".to_owned(), show_time(pool.expire_dns_cache));
    push("dns_round_robin".to_owned(), pool.dns_round_robin.to_string());
}

fn push_credentials(
    push: &mut impl FnMut(String, String),
    key: impl Fn(&str) -> String,
    (server_name, shared_key, user): Credentials<'_>,
) {
    if let Some(server_name) = server_name {
        push(key("server_name"), server_name.clone());
    }
    // Masked by these names when they are shown; empty in case they were not.
    if shared_key.is_some() {
        push(key("shared_key"), String::new());
    }
    if let Some((username, _)) = user {
        push(key("username"), username.clone());
        push(key("password"), String::new());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{ForwardServerConfig, HostPort, SrvConfig};

    #[test]
    fn servers_are_shown_without_their_secrets() {
        let user = Some(("relay".to_owned(), Secret::new("pa55")));
        let server = ForwardServerConfig {
            address: HostPort::new("a", 24224),
            name: "first".to_owned(),
            weight: 60,
            standby: false,
            server_name: None,
            shared_key: Some(Secret::new("hunter2")),
            user: user.clone(),
        };
        let srv = SrvConfig {
            service: "fluentd".to_owned(),
            proto: "tcp".to_owned(),
            host: "logs.example".to_owned(),
            refresh: Duration::from_secs(60),
            server_name: Some("logs.example".to_owned()),
            shared_key: Some(Secret::new("hunter2")),
            user,
        };
        let pool = ForwardPoolConfig {
            servers: vec![server],
            srv: Some(srv),
            heartbeat: HeartbeatKind::None,
            heartbeat_interval: Duration::from_secs(1),
            phi_threshold: 16.0,
            hard_timeout: Duration::from_secs(60),
            recover_wait: Duration::from_secs(10),
            expire_dns_cache: Duration::from_secs(60),
            dns_round_robin: false,
        };
        let mut keys = Vec::new();
        push_pool(&mut keys, &pool);
        let shown: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            shown.join(" "),
            "servers.0.address=a:24224 servers.0.name=first servers.0.weight=60 servers.0.standby=false \
             servers.0.shared_key= servers.0.username=relay servers.0.password= srv.host=logs.example \
             srv.service=fluentd srv.proto=tcp srv.refresh=1m srv.server_name=logs.example srv.shared_key= \
             srv.username=relay srv.password= heartbeat=none recover_wait=10s expire_dns_cache=1m \
             dns_round_robin=false"
        );
    }
}
