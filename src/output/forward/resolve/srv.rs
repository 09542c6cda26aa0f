//! From SRV records to servers.

use crate::config::{ForwardServerConfig, HostPort, SrvConfig, is_host_name};

use super::ServiceRecord;

/// Servers that one name may bring; those of the lowest priorities are taken. Each has metrics and a heartbeat.
pub(in crate::output::forward) const MAX_DISCOVERED: usize = 64;

/// The servers that an answer names, in the order in which standby servers step in: those of the lowest priority are
/// active, all others stand by.
///
/// Records that no server can be at are left out. A weight of zero is a small share and not none, as RFC 2782 has it.
pub(in crate::output::forward) fn servers(
    mut records: Vec<ServiceRecord>,
    srv: &SrvConfig,
) -> Vec<ForwardServerConfig> {
    // The name of an address in an answer is data from outside: it ends up in log lines and metrics.
    records.retain(|record| is_host_name(&record.host) && record.port > 0);
    records.sort_by(|left, right| {
        let key = |record: &ServiceRecord| (record.priority, u16::MAX - record.weight);
        key(left).cmp(&key(right)).then_with(|| (&left.host, left.port).cmp(&(&right.host, right.port)))
    });
    let active = records.first().map(|record| record.priority);
    let mut servers: Vec<ForwardServerConfig> = Vec::new();
    for ServiceRecord { priority, weight, host, port } in records {
        let address = HostPort::new(host.to_ascii_lowercase(), port);
        if servers.len() == MAX_DISCOVERED || servers.iter().any(|server| server.address == address) {
            continue;
        }
        servers.push(ForwardServerConfig {
            name: address.to_string(),
            address,
            weight: u32::from(weight).max(1),
            standby: Some(priority) != active,
            server_name: srv.server_name.clone(),
            shared_key: srv.shared_key.clone(),
            user: srv.user.clone(),
        });
    }
    servers
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Secret;

    fn srv() -> SrvConfig {
        SrvConfig {
            service: "fluentd".to_owned(),
            proto: "tcp".to_owned(),
            host: "logs.example".to_owned(),
            refresh: Duration::from_secs(60),
            server_name: Some("logs.example".to_owned()),
            shared_key: Some(Secret::new("key")),
            user: None,
        }
    }

    fn record(priority: u16, weight: u16, host: &str) -> ServiceRecord {
        ServiceRecord { priority, weight, host: host.to_owned(), port: 24224 }
    }

    /// `name weight`, with a star for a standby.
    fn shown(records: Vec<ServiceRecord>) -> Vec<String> {
        let show = |server: &ForwardServerConfig| {
            format!("{} {}{}", server.name, server.weight, if server.standby { "*" } else { "" })
        };
        servers(records, &srv()).iter().map(show).collect()
    }

    #[test]
    fn the_lowest_priority_is_active_and_the_others_stand_by_in_their_order() {
        let records = vec![record(20, 1, "d"), record(10, 5, "b"), record(30, 9, "e"), record(10, 60, "A")];
        assert_eq!(shown(records), ["a:24224 60", "b:24224 5", "d:24224 1*", "e:24224 9*"]);
    }

    #[test]
    fn no_weight_is_a_small_share_and_among_equals_an_equal_one() {
        assert_eq!(shown(vec![record(0, 0, "a"), record(0, 0, "b")]), ["a:24224 1", "b:24224 1"]);
    }

    #[test]
    fn records_that_are_no_server_are_left_out() {
        let nowhere = ServiceRecord { port: 0, ..record(0, 1, "zero") };
        let records =
            vec![record(0, 1, ""), record(0, 1, "a b"), nowhere, record(1, 1, "a"), record(2, 1, "a")];
        assert_eq!(shown(records), ["a:24224 1"]);
    }

    #[test]
    fn every_server_gets_what_the_configuration_says_about_all() {
        let server = servers(vec![record(0, 1, "a")], &srv()).remove(0);
        assert_eq!(server.server_name.as_deref(), Some("logs.example"));
        assert_eq!(server.shared_key, Some(Secret::new("key")));
    }

    #[test]
    fn an_answer_brings_a_bounded_number_of_servers() {
        let many = |count: usize| (0..count).map(|index| record(0, 1, &format!("s{index}"))).collect();
        assert_eq!(shown(many(MAX_DISCOVERED)).len(), MAX_DISCOVERED);
        assert_eq!(shown(many(MAX_DISCOVERED + 1)).len(), MAX_DISCOVERED);
    }
}
