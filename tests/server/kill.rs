use std::collections::HashMap;
use std::process::Stdio;

use crate::support::{Scene, kill_while_sending, planned_kills, sum_of};

/// `HIKYAKU_KILLS=500 cargo nextest run --release killed_again` is a long campaign.
const KILLS: usize = 20;

/// Enough for a kill every few chunks.
const EVENTS_FOR_A_KILL: u64 = 3_000;

#[test]
fn killed_again_and_again_under_load_every_event_is_in_the_archive_exactly_once() {
    let planned_kills = planned_kills(KILLS);
    let events = planned_kills as u64 * EVENTS_FOR_A_KILL;
    let scene = Scene::new();
    let mut server = scene.start();
    // The sender and the next servers must find the same ports again.
    let (port, metrics_port) = (server.port("edge"), server.port("metrics"));
    scene.write_config(port, metrics_port);

    let mut sender = scene
        .send(port)
        .args(["nginx.access", "--connections", "3", "--chunk-events", "50", "--timeout", "60", "--json"])
        .args(["--customers", "5", "--rate", "15000", "--count", &events.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();

    // In the middle of the work: after a different number of chunks in each life.
    let is_time = |kills: usize, metrics: &str| {
        sum_of(metrics, "hikyaku_journal_chunks_total") >= 10.0 + (kills * 7 % 23) as f64
    };
    let kills = kill_while_sending(&mut server, &mut sender, planned_kills, is_time, || scene.start());
    let sent = sender.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!(report["delivered_events"], events);
    assert!(report["sent_again_events"].as_u64().unwrap() > 0, "no kill met a chunk in flight");
    assert!(server.stop().success());

    let mut seen: HashMap<u64, u32> = HashMap::new();
    for event in scene.lines("archive") {
        *seen.entry(event["number"].as_u64().unwrap()).or_default() += 1;
    }
    let missing = (0..events).filter(|number| !seen.contains_key(number)).count();
    let doubled = seen.values().filter(|count| **count > 1).count();
    assert_eq!((missing, doubled), (0, 0), "after {kills} kills");
    assert_eq!(seen.len() as u64, events);
}
