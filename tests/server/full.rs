use std::fs;
use std::process::Stdio;

use crate::support::{Scene, Server};

const EVENTS: u64 = 40_000;

/// A server with a small journal, of which nothing can be delivered.
fn blocked() -> (Scene, Server) {
    let scene = Scene::new();
    let config = fs::read_to_string(scene.path("hikyaku.toml")).unwrap();
    fs::write(scene.path("hikyaku.toml"), config.replace("max_size = \"64MiB\"", "max_size = \"12MiB\""))
        .unwrap();
    // A file where the archive's folder must be: every write fails, whoever runs this.
    fs::write(scene.path("archive"), "in the way").unwrap();
    let server = scene.start();
    (scene, server)
}

#[test]
fn a_server_whose_journal_is_full_stops_at_once() {
    let (scene, server) = blocked();
    let mut sender = scene
        .send(server.port("edge"))
        .args(["nginx.access", "--count", &EVENTS.to_string(), "--connections", "2"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    server.until_unready("full");
    let asked = std::time::Instant::now();
    assert!(server.stop().success());
    // Far below server.shutdown_timeout, which is there for senders that can be served.
    assert!(asked.elapsed() < std::time::Duration::from_secs(15), "{:?}", asked.elapsed());
    sender.kill().unwrap();
    sender.wait().unwrap();
}

#[test]
fn a_blocked_archive_fills_the_journal_the_sender_waits_and_all_goes_on_by_itself() {
    let (scene, server) = blocked();
    let sender = scene
        .send(server.port("edge"))
        .args(["nginx.access", "--count", &EVENTS.to_string(), "--connections", "2", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();

    server.until_unready("full");
    // Nothing else waits.
    assert_eq!(server.get("health", "/health").0, 200);
    assert_eq!(server.metric("hikyaku_journal_accepting"), 0.0);
    assert!(server.metric("hikyaku_journal_bytes") <= 12.0 * 1024.0 * 1024.0);
    server.until_metric("fluentd_output_status_retry_count", 1.0);
    let plugins = server.get("monitor_agent", "/api/plugins.json").1;
    assert!(plugins.contains("\"plugin_id\":\"archive\""), "{plugins}");

    fs::remove_file(scene.path("archive")).unwrap();
    assert!(sender.wait_with_output().unwrap().status.success());
    assert_eq!(server.get("health", "/ready").0, 200);
    assert!(server.stop().success());
    let mut numbers: Vec<u64> =
        scene.lines("archive").iter().map(|event| event["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..EVENTS), "{} events", numbers.len());
}
