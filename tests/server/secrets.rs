use std::process::Command;
use std::time::Duration;

use crate::support::{HIKYAKU, Scene, Server, run_with_input};

const SHARED: &str = "s3cret-shared-key";
const NETWORK: &str = "s3cret-network-key";
const PASSWORD: &str = "s3cret-password";
const HASH: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const FIELD: &str = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

fn start(scene: &Scene, name: &str, rest: &str) -> Server {
    let (root, tls) = (scene.directory.path().display(), scene.server_tls());
    let config = format!(
        r#"
[server]
name = "{name}"
data_dir = "{root}/{name}"
[log]
format = "json"
level = "trace"
fold = "0s"
[journal]
max_size = "64MiB"
segment_size = "4MiB"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
max_message_size = "2MiB"
{tls}
[input.security]
shared_key = "${{TEST_SHARED_KEY}}"
users = {{ relay = "{PASSWORD}" }}
clients = [{{ network = "127.0.0.0/8", shared_key = "{NETWORK}" }}]
[[filter]]
type = "hash"
fields = ["a"]
key_file = "{root}/hash.key"
[[filter]]
type = "encrypt"
fields = ["b"]
key_file = "{root}/field.key"
{rest}
[health]
enabled = false
[monitor_agent]
listen = "127.0.0.1:0"
[metrics]
listen = "127.0.0.1:0"
"#
    );
    let path = scene.path(&format!("{name}.toml"));
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(HIKYAKU);
    command.env("TEST_SHARED_KEY", SHARED).arg("run").arg("-c").arg(path);
    Server::start(command, 3)
}

/// Sends one event as the user with this password and key.
fn send(scene: &Scene, port: u16, key: &str, password: &str) {
    let mut command = scene.send(port);
    command.args(["--shared-key", key, "--user", "relay", "--password", password, "--timeout", "1", "t"]);
    // Whoever has a wrong key or password is refused, and what of that is logged is the point here.
    run_with_input(command, "{\"a\":\"1\",\"b\":\"2\"}\n");
}

/// All lines that are still to come once the server has stopped.
fn log_of(server: Server) -> String {
    server.signal("-TERM");
    let mut log = String::new();
    while let Ok(line) = server.log.recv_timeout(Duration::from_secs(30)) {
        log.push_str(&line.to_string());
        log.push('\n');
    }
    log
}

#[test]
fn no_secret_is_in_the_log_however_much_of_it_is_asked_for() {
    let scene = Scene::new();
    std::fs::write(scene.path("hash.key"), HASH).unwrap();
    std::fs::write(scene.path("field.key"), FIELD).unwrap();
    let root = scene.directory.path().display();
    let archive = format!(
        "[[output]]\nid = \"o\"\ntype = \"file\"\nfallback = true\npath = \"{root}/archive/x.log\"\nflush_interval = \"100ms\""
    );
    let last = start(&scene, "last", &archive);
    let relay = start(
        &scene,
        "first",
        &format!(
            "[[output]]\nid = \"up\"\ntype = \"forward\"\nmatch = \"**\"\nshared_key = \"{NETWORK}\"\n\
             servers = [{{ address = \"127.0.0.1:{}\", username = \"relay\", password = \"{PASSWORD}\" }}]\n{}",
            last.port("edge"),
            scene.client_tls()
        ),
    );
    let port = relay.port("edge");
    for (key, password) in [(NETWORK, PASSWORD), (SHARED, PASSWORD), (NETWORK, "s3cret-wrong")] {
        send(&scene, port, key, password);
    }
    last.until_metric("fluentd_output_status_num_records_total", 1.0);
    relay.get("monitor_agent", "/api/plugins.json");
    let (first, last) = (log_of(relay), log_of(last));
    assert!(first.contains("\"TRACE\"") || first.contains("\"DEBUG\""), "the log is loud: {first}");
    let private = ["server.key", "client.key", "ca.key"]
        .map(|name| std::fs::read_to_string(scene.path("certs").join(name)));
    let lines: Vec<String> = private
        .iter()
        .flat_map(|text| text.as_ref().unwrap().lines())
        .filter(|line| !line.starts_with("-----"))
        .map(str::to_owned)
        .collect();
    assert!(lines.len() >= 3);
    for log in [first, last] {
        for secret in ["s3cret", HASH, FIELD].into_iter().chain(lines.iter().map(String::as_str)) {
            assert!(!log.contains(secret), "{secret} is in the log");
        }
    }
}
