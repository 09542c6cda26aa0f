//! Clients and servers that others wrote, before and behind a real server. `./test.sh` installs them and runs these tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "server/support/mod.rs"]
#[allow(dead_code, reason = "shared with the tests of the server")]
mod support;

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use support::{HIKYAKU, Scene, Server, metrics_alone, run_with_input};

const EVENTS: u64 = 10_000;

/// Where `./test.sh` installs the clients.
fn clients() -> PathBuf {
    std::env::var_os("HIKYAKU_CLIENTS").expect("run ./test.sh, which installs the clients").into()
}

/// All events of a mode, each exactly once, in the archive.
fn assert_archived(scene: &Scene, mode: &str) {
    let mut numbers: Vec<u64> = scene
        .lines("archive/acme/nginx/www.example.com")
        .iter()
        .filter(|event| event["mode"] == mode)
        .map(|event| event["number"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..EVENTS), "{mode}: {} events", numbers.len());
}

fn send_with_node(scene: &Scene, server: &Server, mode: &str) {
    let output = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/send.js"))
        .arg(server.port("edge").to_string())
        .arg(scene.path("certs"))
        .args([mode, &EVENTS.to_string()])
        .env("NODE_PATH", clients().join("node_modules"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{mode}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs the clients that ./test.sh installs"]
fn the_node_client_over_mutual_tls_in_all_four_modes() {
    let scene = Scene::new();
    let server = scene.start();
    let modes = ["Message", "Forward", "PackedForward", "CompressedPackedForward"];
    for mode in modes {
        send_with_node(&scene, &server, mode);
    }
    assert!(server.stop().success());
    for mode in modes {
        assert_archived(&scene, mode);
    }
}

#[test]
#[ignore = "needs the clients that ./test.sh installs"]
fn the_python_client_over_plain_tcp() {
    let scene = Scene::new();
    let server = scene.start();
    let output = Command::new(clients().join("python/bin/python3"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/send.py"))
        .args([server.port("containers").to_string(), EVENTS.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // This client waits for no acknowledgement: what it sent is on its way when it ends.
    server.until_metric("hikyaku_input_records_total", EVENTS as f64);
    assert!(server.stop().success());
    assert_archived(&scene, "python");
}

/// A relay with one plain input, and the Node server as its upstream.
fn relay_to(scene: &Scene, port: &str, keys: &str) -> Server {
    let (root, tls, endpoints) = (scene.directory.path().display(), scene.client_tls(), metrics_alone(0));
    let config = format!(
        r#"
[server]
name = "relay-1"
data_dir = "{root}/relay"
[log]
format = "json"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
max_message_size = "8MiB"
[[output]]
id = "up"
type = "forward"
match = "**"
start = "oldest"
servers = [{{ address = "localhost:{port}", username = "relay", password = "pa55" }}]
shared_key = "sekrit"
{tls}
{keys}
{endpoints}
"#
    );
    Server::run(&scene.path("relay.toml"), &config, 2)
}

#[test]
#[ignore = "needs the clients that ./test.sh installs"]
fn the_node_server_behind_mutual_tls_with_a_shared_key_and_a_user() {
    for keys in
        ["", "compress = \"gzip\"", "connections = 1\nkeepalive_timeout = \"0s\"\nchunk_size = \"16KiB\""]
    {
        let scene = Scene::new();
        let mut node = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/receive.js"))
            .arg(scene.path("certs"))
            .arg("sekrit")
            .env("NODE_PATH", clients().join("node_modules"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
        let relay = relay_to(&scene, &lines.next().unwrap().unwrap(), keys);

        let mut send = Command::new(HIKYAKU);
        send.args(["send", "app.log", "--plain", "--server", &format!("127.0.0.1:{}", relay.port("edge"))]);
        let events: String = (0..EVENTS).map(|number| format!("{{\"number\":{number}}}\n")).collect();
        assert!(run_with_input(send, &events).status.success());
        let mut numbers: Vec<u64> = lines
            .take(EVENTS as usize)
            .map(|line| {
                let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
                assert_eq!(event["tag"], "app.log");
                assert!(event["seconds"].as_u64().unwrap() > 1_700_000_000);
                event["record"]["number"].as_u64().unwrap()
            })
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..EVENTS), "{keys}");
        relay.until_metric("fluentd_output_status_num_records_total", EVENTS as f64);
        assert_eq!(relay.metric("fluentd_output_status_num_errors"), 0.0, "{keys}");
        assert!(relay.stop().success());
        // It ends with its standard input.
        drop(node.stdin.take());
        assert!(node.wait().unwrap().success());
    }
}
