use std::time::Duration;

use toml::de::DeTable;

use super::super::super::document::Document;
use super::*;
use crate::config::reference::FORWARD_POOL;

/// What the keys say, or the messages of all problems.
fn parse(text: &str) -> Result<ForwardPoolConfig, Vec<String>> {
    let document = Document::new(text, &|_| None);
    let root = DeTable::parse(text).unwrap();
    let table = Table::open(&document, &FORWARD_POOL, root.get_ref(), 0..0);
    let config = pool(&table, Some(&Secret::new("output's")));
    let problems: Vec<String> = document.into_problems().into_iter().map(|problem| problem.message).collect();
    match config {
        Ok(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

fn assert_problem(text: &str, expected: &str) {
    let problems = parse(text).unwrap_err();
    assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:#?} should hold {expected:?}");
}

const ONE: &str = "servers = [{ address = \"a:24224\" }]\n";

#[test]
fn what_is_left_out_has_its_default() {
    let config = parse(ONE).unwrap();
    let server = ForwardServerConfig {
        address: HostPort::new("a", 24224),
        name: "a:24224".to_owned(),
        weight: 60,
        standby: false,
        server_name: None,
        shared_key: Some(Secret::new("output's")),
        user: None,
    };
    assert_eq!(config.servers, [server]);
    assert_eq!(config.srv, None);
    assert_eq!(config.heartbeat, HeartbeatKind::Transport);
    assert_eq!(config.heartbeat_interval, Duration::from_secs(1));
    assert_eq!(config.phi_threshold, 16.0);
    assert_eq!(config.hard_timeout, Duration::from_secs(60));
    assert_eq!(config.recover_wait, Duration::from_secs(10));
    assert_eq!(config.expire_dns_cache, Duration::from_secs(60));
    assert!(!config.dns_round_robin);
}

#[test]
fn every_key_of_a_server_and_of_srv_is_read() {
    let config = parse(
        r#"
        servers = [{ address = "[::1]:24224", name = "one", weight = 0, standby = true, server_name = "a.example",
                     shared_key = "own", username = "relay", password = "pa55" }]
        srv = { host = "logs.example", service = "logs", proto = "udp", refresh = "5m", server_name = "b.example",
                username = "relay", password = "pa55" }
        heartbeat = "udp"
        "#,
    )
    .unwrap();
    let user = Some(("relay".to_owned(), Secret::new("pa55")));
    assert_eq!(
        config.servers,
        [ForwardServerConfig {
            address: HostPort::new("::1", 24224),
            name: "one".to_owned(),
            weight: 0,
            standby: true,
            server_name: Some("a.example".to_owned()),
            shared_key: Some(Secret::new("own")),
            user: user.clone(),
        }]
    );
    let srv = config.srv.unwrap();
    assert_eq!(srv.query(), "_logs._udp.logs.example");
    assert_eq!((srv.refresh, srv.server_name.as_deref()), (Duration::from_secs(300), Some("b.example")));
    assert_eq!((srv.shared_key, srv.user), (Some(Secret::new("output's")), user));
    assert_eq!(config.heartbeat, HeartbeatKind::Udp);
    let srv = parse("srv = { host = \"logs.example\" }").unwrap().srv.unwrap();
    assert_eq!((srv.query().as_str(), srv.refresh), ("_fluentd._tcp.logs.example", Duration::from_secs(60)));
}

#[test]
fn servers_must_come_from_somewhere_and_one_must_be_used() {
    assert_problem("", "expected `servers`, `srv` or both");
    assert_problem("servers = []", "no server would get anything");
    assert_problem("servers = [{ address = \"a:1\", weight = 0 }]", "no server would get anything");
    assert_problem("servers = [{ address = \"a:1\", standby = true }]", "no server would get anything");
    parse("servers = [{ address = \"a:1\", standby = true }]\nsrv = { host = \"b\" }").unwrap();
}

#[test]
fn every_server_is_there_once() {
    assert_problem(
        "servers = [{ address = \"a:1\" }, { address = \"a:1\", name = \"b\" }]",
        "a:1 is there twice",
    );
    let same_name = "servers = [{ address = \"a:1\" }, { address = \"b:1\", name = \"a:1\" }]";
    assert_problem(same_name, "another server is called a:1");
}

#[test]
fn addresses_and_names_that_cannot_be_are_refused() {
    assert_problem("servers = [{ address = \"a\" }]", "expected a host and a port");
    assert_problem("servers = [{ address = \"a:1\", server_name = \"a b\" }]", "no name that a certificate");
    assert_problem("srv = { host = \"a b\" }", "expected a domain");
    assert_problem("srv = { host = \"a\", service = \"_fluentd\" }", "the underscore is put before it");
}

#[test]
fn a_user_needs_a_password() {
    assert_problem("servers = [{ address = \"a:1\", username = \"relay\" }]", "`username` needs `password`");
    assert_problem("srv = { host = \"a\", password = \"pa55\" }", "`password` needs `username`");
}

#[test]
fn limits_hold_at_their_edges() {
    let servers = |count: usize| {
        let list: Vec<String> = (0..count).map(|index| format!("{{ address = \"s{index}:1\" }}")).collect();
        format!("servers = [{}]", list.join(", "))
    };
    parse(&servers(MAX_SERVERS)).unwrap();
    assert_problem(&servers(MAX_SERVERS + 1), "65 servers; at most 64");
    parse("servers = [{ address = \"a:1\", weight = 65535 }]").unwrap();
    assert_problem("servers = [{ address = \"a:1\", weight = 65536 }]", "`weight` is out of range");
    for (inside, outside) in [
        ("heartbeat_interval = \"10ms\"", "heartbeat_interval = \"9ms\""),
        ("phi_threshold = 1", "phi_threshold = 0"),
        ("phi_threshold = 1000", "phi_threshold = 1001"),
        ("hard_timeout = \"1d\"", "hard_timeout = \"86401s\""),
        ("recover_wait = \"10ms\"", "recover_wait = \"9ms\""),
        ("expire_dns_cache = \"0s\"", "expire_dns_cache = \"2d\""),
        ("srv = { host = \"a\", refresh = \"1s\" }", "srv = { host = \"a\", refresh = \"999ms\" }"),
    ] {
        parse(&format!("{ONE}{inside}")).unwrap();
        assert_problem(&format!("{ONE}{outside}"), "is out of range");
    }
}

#[test]
fn timeouts_and_intervals_must_make_sense_together() {
    assert_problem(&format!("{ONE}hard_timeout = \"1s\""), "must be more than `heartbeat_interval`");
    parse(&format!("{ONE}hard_timeout = \"1001ms\"")).unwrap();
    assert_problem(&format!("{ONE}heartbeat_interval = \"1m\""), "must be more than `heartbeat_interval`");
    let none = format!("{ONE}heartbeat = \"none\"\n");
    parse(&format!("{none}recover_wait = \"1s\"")).unwrap();
    assert_problem(&format!("{none}hard_timeout = \"10s\""), "means nothing with `heartbeat = \"none\"`");
}
