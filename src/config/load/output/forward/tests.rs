use std::time::Duration;

use crate::chunk::Encoding;
use crate::config::{
    CertificatePair, Config, ConfigErrors, ForwardOutputConfig, GiveUpConfig, MetadataHandling, OutputKind,
    Secret, StartAt,
};

const SERVERS: &str = "servers = [{ address = \"10.0.0.2:24224\" }]";

fn parse(keys: &str) -> Result<Config, ConfigErrors> {
    let text = format!(
        "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:24224\"\n\
         [[output]]\nid = \"up\"\ntype = \"forward\"\nmatch = \"**\"\n{keys}\n"
    );
    Config::parse(&text, None, &|_| None)
}

fn forward(keys: &str) -> ForwardOutputConfig {
    let config = parse(keys).unwrap_or_else(|errors| panic!("{errors}"));
    let OutputKind::Forward(forward) = config.outputs[0].kind.clone() else { panic!("no forward output") };
    *forward
}

/// The only problem of these keys.
fn assert_problem(keys: &str, expected: &str) {
    match parse(keys) {
        Err(ConfigErrors::Invalid(invalid)) => {
            let messages: Vec<_> = invalid.problems.iter().map(|problem| &problem.message).collect();
            assert!(messages.len() == 1 && messages[0].contains(expected), "{messages:#?}, not {expected:?}");
        }
        other => panic!("expected a problem with {expected:?}, got {other:?}"),
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = parse(SERVERS).unwrap();
    assert_eq!(config.outputs[0].start, StartAt::Newest);
    assert_eq!(config.outputs[0].kind.name(), "forward");
    let output = forward(SERVERS);
    let [server] = &output.pool.servers[..] else { panic!("{:?}", output.pool.servers) };
    assert_eq!(
        (server.address.to_string().as_str(), server.name.as_str()),
        ("10.0.0.2:24224", "10.0.0.2:24224")
    );
    assert!(server.shared_key.is_none() && server.user.is_none());
    assert!(output.tls.is_none() && output.self_hostname.is_none());
    assert_eq!((output.compress, output.metadata), (Encoding::Plain, MetadataHandling::Drop));
    assert!(output.acks && !output.verify_connection_at_startup);
    assert_eq!(output.ack_timeout, Duration::from_secs(190));
    assert_eq!(output.send_timeout, Duration::from_secs(60));
    assert_eq!(output.connect_timeout, Duration::from_secs(10));
    assert_eq!(output.keepalive_timeout, Duration::from_secs(600));
    assert_eq!(output.in_doubt_timeout, Duration::from_secs(600));
    assert_eq!(output.checkpoint_interval, Duration::from_secs(1));
    assert_eq!((output.chunk_size, output.connections, output.max_in_doubt), (8 << 20, 4, 8));
}

#[test]
fn everything_can_be_said() {
    let output = forward(
        r#"
        servers = [
            { address = "a.example:1", name = "a", username = "u", password = "p" },
            { address = "[::1]:65535", shared_key = "own" },
        ]
        tls = { ca = "ca.crt", cert = "c.crt", key = "c.key", server_name = "logs.example" }
        shared_key = "all"
        self_hostname = "edge-1"
        compress = "zstd"
        metadata = "keep"
        acks = false
        "#,
    );
    let [a, b] = &output.pool.servers[..] else { panic!("{:?}", output.pool.servers) };
    assert_eq!(a.name, "a");
    assert_eq!(a.shared_key, Some(Secret::new("all")));
    assert_eq!(a.user, Some(("u".to_owned(), Secret::new("p"))));
    assert_eq!((b.address.to_string().as_str(), &b.shared_key), ("[::1]:65535", &Some(Secret::new("own"))));
    let tls = output.tls.unwrap();
    assert_eq!(tls.identity, Some(CertificatePair { cert: "c.crt".into(), key: "c.key".into() }));
    assert_eq!(tls.server_name.as_deref(), Some("logs.example"));
    assert_eq!(output.self_hostname.as_deref(), Some("edge-1"));
    assert_eq!((output.compress, output.metadata), (Encoding::Zstd, MetadataHandling::Keep));
    assert!(!output.acks);
}

#[test]
fn servers_are_hosts_with_ports_and_names_of_their_own() {
    assert_problem("", "expected `servers`, `srv` or both");
    assert_problem("servers = []", "no server would get anything");
    for address in ["10.0.0.2", "10.0.0.2:", "10.0.0.2:0", "10.0.0.2:65536", ":24224", "::1:24224", "[]:1"] {
        assert_problem(&format!("servers = [{{ address = \"{address}\" }}]"), "expected a host and a port");
    }
    let twice = "servers = [{ address = \"a:1\" }, { address = \"b:1\", name = \"a:1\" }]";
    assert_problem(twice, "another server is called a:1 already");
    assert_problem("servers = [{ address = \"a:1\", wieght = 1 }]", "unknown key `wieght`");
}

#[test]
fn a_user_needs_a_password_and_a_shared_key() {
    let with = |keys: &str| format!("servers = [{{ address = \"a:1\", {keys} }}]");
    assert_problem(&with("username = \"u\""), "`username` needs `password`");
    assert_problem(&with("password = \"p\""), "`password` needs `username`");
    assert_problem(&with("username = \"u\", password = \"p\""), "needs a `shared_key`");
    forward(&with("username = \"u\", password = \"p\", shared_key = \"k\""));
}

#[test]
fn tls_needs_pairs_and_names() {
    let with = |tls: &str| format!("{SERVERS}\ntls = {{ ca = \"ca.crt\", {tls} }}");
    assert_problem(&with("cert = \"c.crt\""), "`cert` needs `key`");
    assert_problem(&with("key = \"c.key\""), "`key` needs `cert`");
    assert_problem(&with("server_name = \"not a name\""), "no name that a certificate could carry");
    // DNS knows names that no certificate can carry.
    let odd = "servers = [{ address = \"-a:1\" }]";
    assert_problem(&format!("{odd}\ntls = {{ ca = \"ca.crt\" }}"), "say which with `server_name`");
    forward(&format!("{odd}\ntls = {{ ca = \"ca.crt\", server_name = \"logs.example\" }}"));
}

#[test]
fn limits_hold_at_their_edges() {
    for (key, least, below, most, above) in [
        ("chunk_size", "\"1KiB\"", "1023", "\"1GiB\"", "1073741825"),
        ("connections", "1", "0", "1000", "1001"),
        ("max_in_doubt", "0", "-1", "10000", "10001"),
        ("ack_timeout", "\"10ms\"", "\"9ms\"", "\"1d\"", "\"86401s\""),
        ("send_timeout", "\"10ms\"", "\"9ms\"", "\"1h\"", "\"3601s\""),
        ("connect_timeout", "\"10ms\"", "\"9ms\"", "\"1h\"", "\"3601s\""),
        ("checkpoint_interval", "\"10ms\"", "\"9ms\"", "\"1h\"", "\"3601s\""),
        ("keepalive_timeout", "\"0s\"", "\"-1s\"", "\"1d\"", "\"86401s\""),
        ("in_doubt_timeout", "\"0s\"", "\"-1s\"", "\"1d\"", "\"86401s\""),
    ] {
        for value in [least, most] {
            forward(&format!("{SERVERS}\n{key} = {value}"));
        }
        for value in [below, above] {
            assert!(parse(&format!("{SERVERS}\n{key} = {value}")).is_err(), "{key} = {value}");
        }
    }
}

const RESCUE: &str = "[[output]]\nid = \"rescue\"\ntype = \"file\"\npath = \"x.log\"";

#[test]
fn it_gives_up_after_three_days_after_what_it_says_or_never() {
    let after = |keys: &str| forward(&format!("{SERVERS}\n{keys}")).give_up;
    let give_up = |seconds, secondary: Option<&str>| {
        let secondary = secondary.map(ToOwned::to_owned);
        Some(GiveUpConfig { after: Duration::from_secs(seconds), secondary })
    };
    assert_eq!(after(""), give_up(72 * 3600, None));
    assert_eq!(after("retry_timeout = \"365d\""), give_up(365 * 86_400, None));
    assert_eq!(after("retry_forever = true"), None);
    assert_eq!(after(&format!("secondary = \"rescue\"\n{RESCUE}")), give_up(72 * 3600, Some("rescue")));
    for (keys, expected) in [
        ("retry_timeout = \"9ms\"", "out of range"),
        ("retry_timeout = \"366d\"", "out of range"),
        ("retry_forever = true\nretry_timeout = \"1h\"", "means nothing"),
        ("secondary = \"rescue\"", "there is no output"),
        (&format!("secondary = \"recsue\"\n{RESCUE}"), "did you mean `rescue`?"),
        ("secondary = \"up\"", "takes events by itself"),
        (RESCUE, "which events?"),
    ] {
        assert_problem(&format!("{SERVERS}\n{keys}"), expected);
    }
}
