use std::process::Command;

use crate::support::{HIKYAKU, Scene, Server, metrics_alone, run_with_input};

/// Two engines of one authority, users of a shared key beside them, and an upstream that gets what fits.
fn scene() -> (Scene, Server) {
    let scene = Scene::new();
    for client in ["acme", "globex"] {
        scene.certify(client);
    }
    let (root, tls, endpoints) = (scene.directory.path().display(), scene.server_tls(), metrics_alone(0));
    let config = format!(
        r#"
[server]
data_dir = "{root}/data"
[log]
format = "json"
[journal]
max_size = "64MiB"
segment_size = "4MiB"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
max_message_size = "2MiB"
{tls}
allow = {{ customer_name = ["{{@san_dns[0]}}"] }}
[[input]]
id = "users"
type = "forward"
listen = "127.0.0.1:0"
max_message_size = "2MiB"
security = {{ shared_key = "secret", users = {{ acme = "a", globex = "g" }} }}
[input.owners]
"user:acme" = {{ customer_name = "acme" }}
"user:globex" = {{ customer_name = "globex" }}
[[output]]
id = "archive"
type = "file"
match = "**"
path = "{root}/archive/{{customer_name}}/%Y.log"
flush_interval = "100ms"
[[output]]
id = "invalid"
type = "file"
invalid = true
path = "{root}/invalid/{{@sender}}.log"
flush_interval = "100ms"
{endpoints}
"#
    );
    let server = Server::run(&scene.path("hikyaku.toml"), &config, 3);
    (scene, server)
}

fn send(mut command: Command, lines: &str) {
    command.arg("nginx.access");
    let output = run_with_input(command, lines);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn user(port: u16, name: &str, password: &str) -> Command {
    let mut command = Command::new(HIKYAKU);
    command.args([
        "send",
        "--plain",
        "--shared-key",
        "secret",
        "--user",
        name,
        "--password",
        password,
        "--server",
    ]);
    command.arg(format!("127.0.0.1:{port}"));
    command
}

const ACME: &str = "{\"customer_name\":\"acme\"}\n";
const GLOBEX: &str = "{\"customer_name\":\"globex\"}\n";

#[test]
fn an_engine_that_claims_anothers_customer_is_found_in_the_invalid_store_only() {
    let (scene, server) = scene();
    let (edge, users) = (server.port("edge"), server.port("users"));
    send(scene.send_as("acme", edge), &[ACME, ACME].concat());
    // Its own, the other's twice, and both in one record.
    let both = "{\"customer_name\":\"globex\",\"customer_name\":\"acme\"}\n";
    send(scene.send_as("globex", edge), &[GLOBEX, ACME, ACME, both].concat());
    send(user(users, "acme", "a"), ACME);
    send(user(users, "globex", "g"), &[ACME, "{}\n"].concat());
    let line = server.line_with("what is not its own");
    assert_eq!(line["level"], "WARN");
    assert!(line["sender"].as_str().unwrap().contains("globex"), "{line}");
    assert_eq!(line["peer"], "127.0.0.1");
    server.until_metric("hikyaku_disowned_records_total", 5.0);
    let metrics = server.get("metrics", "/metrics").1;
    for (labels, count) in [
        ("input=\"edge\",reason=\"not_allowed\"", 3),
        ("input=\"users\",reason=\"not_allowed\"", 1),
        ("input=\"users\",reason=\"missing\"", 1),
    ] {
        assert!(
            metrics.contains(&format!("hikyaku_disowned_records_total{{{labels}}} {count}\n")),
            "{metrics}"
        );
    }
    assert!(server.stop().success());

    assert_eq!(scene.lines("archive/acme").len(), 3);
    assert_eq!(scene.lines("archive/globex").len(), 1);
    assert_eq!(scene.lines("archive").len(), 4, "nowhere else");
    let invalid = scene.lines("invalid");
    assert_eq!(invalid.len(), 5);
    assert!(invalid.iter().all(|event| event["invalid_sender"].as_str().unwrap().contains("globex")));
    assert!(invalid.iter().all(|event| event["invalid_reason"].as_str().unwrap().contains("customer_name")));
}
