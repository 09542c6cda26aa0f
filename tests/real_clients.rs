//! Clients that others wrote, sending to a real server. `./test.sh` installs them and runs these tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "server/support.rs"]
#[allow(dead_code, reason = "shared with the tests of the server")]
mod support;

use std::path::PathBuf;
use std::process::Command;

use support::{Scene, Server};

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
