use std::collections::HashMap;

use crate::support::{Scene, kill_under_load, planned_kills, sum_of};

/// `HIKYAKU_KILLS=500 cargo nextest run --profile campaign --release killed_again` is a long campaign.
const KILLS: usize = 20;

#[test]
fn killed_again_and_again_under_load_every_event_is_in_the_archive_exactly_once() {
    let kills = planned_kills(KILLS);
    let scene = Scene::new();
    let port = scene.keep_ports();
    let mut server = scene.start();

    let mut send = scene.send(port);
    send.args(["nginx.access", "--connections", "3", "--chunk-events", "50", "--timeout", "60"]);
    send.args(["--customers", "5", "--rate", "15000"]);
    // In the middle of the work: after a different number of chunks in each life.
    let is_time = |kills: usize, metrics: &str| {
        sum_of(metrics, "hikyaku_journal_chunks_total") >= 10.0 + (kills * 7 % 23) as f64
    };
    let load = kill_under_load(&mut server, send, kills, is_time, || scene.start());
    assert!(load.sent_again > 0, "no kill met a chunk in flight");
    assert!(server.stop().success());

    let mut seen: HashMap<u64, u32> = HashMap::new();
    for event in scene.lines("archive") {
        *seen.entry(event["number"].as_u64().unwrap()).or_default() += 1;
    }
    let missing = (0..load.events).filter(|number| !seen.contains_key(number)).count();
    let doubled = seen.values().filter(|count| **count > 1).count();
    eprintln!("{} events, {kills} kills, {missing} events missing, {doubled} doubled", load.events);
    assert_eq!((missing, doubled), (0, 0));
    assert_eq!(seen.len() as u64, load.events);
}
