//! A network that loses acknowledgements between a sender that repeats and a server that recognises it.

use std::process::Stdio;

use crate::ack_proxy::AckProxy;
use crate::support::Scene;

/// `HIKYAKU_EVENTS=1000000 cargo nextest run --profile campaign --release one_ack_in_ten` is the long campaign.
const EVENTS: u64 = 20_000;

#[test]
fn with_one_ack_in_ten_lost_every_event_is_in_the_archive_exactly_once() {
    let events = std::env::var("HIKYAKU_EVENTS")
        .map_or(EVENTS, |events| events.parse().expect("HIKYAKU_EVENTS is a number"));
    let scene = Scene::new();
    let server = scene.start();
    let proxy = AckProxy::start(server.port("edge"), 10);
    let started = std::time::Instant::now();
    let sent = scene
        .send(proxy.port)
        .args(["nginx.access", "--connections", "8", "--chunk-events", "50", "--timeout", "60", "--json"])
        .args(["--customers", "5", "--count", &events.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(sent.status.success(), "the sender got every acknowledgement");
    let report: serde_json::Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!(report["delivered_events"], events);
    let (acks, lost) = proxy.counts();
    assert!(acks >= events / 50 && lost == acks / 10 && lost > 0, "{lost} of {acks} acknowledgements lost");
    let (chunks, duplicates) = (
        server.metric("hikyaku_journal_chunks_total"),
        server.metric("hikyaku_journal_duplicate_chunks_total"),
    );
    assert_eq!(chunks, (events / 50) as f64);
    assert!(duplicates >= lost as f64, "what was not acknowledged came again");
    assert_eq!(server.metric("hikyaku_journal_doubtful_resends_total"), 0.0);
    assert!(server.stop().success());

    let mut times_seen = vec![0u8; events as usize];
    for event in scene.lines("archive") {
        let times = &mut times_seen[event["number"].as_u64().unwrap() as usize];
        *times = times.saturating_add(1);
    }
    let missing = times_seen.iter().filter(|times| **times == 0).count();
    let doubled = times_seen.iter().filter(|times| **times > 1).count();
    println!(
        "{events} events in {:.1} s, {lost} of {acks} acks lost, {duplicates} resent chunks recognised, \
         {missing} events missing, {doubled} doubled",
        started.elapsed().as_secs_f64()
    );
    assert_eq!((missing, doubled), (0, 0));
}
