//! Messages that can't be delivered within `retry_timeout`: to the dead letters or to another output, once.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hikyaku::dead_letters::requests::Requests;
use hikyaku::dead_letters::{Filter, Store};
use tempfile::TempDir;

use crate::process::{lines_below, reserved_address};
use crate::support::ENTRY;
use crate::support::relay::Relay;
use crate::support::upstream::Upstream;

const GIVEN_UP: &str = "hikyaku_output_given_up_records_total";

/// An element of `servers` where nobody listens.
fn nobody() -> (String, SocketAddr) {
    let address = reserved_address();
    (format!("{{ address = \"{address}\" }}"), address)
}

/// The letters that a stopped relay left.
fn letters(folder: &TempDir) -> Vec<serde_json::Value> {
    lines_below(&folder.path().join("data/dead-letters"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_server_takes_becomes_a_letter_and_the_output_goes_on() {
    let (server, address) = nobody();
    let relay = Relay::start(&[server], "retry_timeout = \"100ms\"").await;
    relay.take("t", &ENTRY.repeat(3), 3).await;
    relay.until(GIVEN_UP, 3.0).await;
    let upstream = Upstream::at(address).await;
    relay.take_one("next").await;
    let mut peer = upstream.accept().await;
    let next = peer.expect("next").await;
    peer.acknowledge(&next).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    let folder = relay.stop().await;

    let [letter] = &letters(&folder)[..] else { panic!("{:?}", letters(&folder)) };
    assert_eq!(letter["entries"], BASE64_STANDARD.encode(ENTRY.repeat(3)));
    assert_eq!(
        (&letter["output"], &letter["tag"], &letter["events"]),
        (&"up".into(), &"t".into(), &3.into())
    );
    assert_eq!((&letter["in_doubt"], &letter["sender"]), (&false.into(), &"127.0.0.1".into()));
    assert!(letter["reason"].as_str().unwrap().contains("retry_timeout"), "{letter}");
    assert!(BASE64_STANDARD.decode(letter["chunk"].as_str().unwrap()).unwrap().starts_with(b"edge "));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_arrived_is_marked_and_counted() {
    let upstream = Upstream::start().await;
    let keys = "retry_timeout = \"100ms\"\nack_timeout = \"50ms\"";
    let relay = Relay::start(&[upstream.server()], keys).await;
    relay.take_one("t").await;
    let id = upstream.accept().await.expect("t").await.id().clone();
    relay.until(GIVEN_UP, 1.0).await;
    assert_eq!(relay.metric("hikyaku_output_in_doubt").await, 0.0);
    let folder = relay.stop().await;
    let [letter] = &letters(&folder)[..] else { panic!() };
    assert_eq!(letter["in_doubt"], true);
    assert_eq!(letter["message_id"].as_str().unwrap().as_bytes(), id);
    assert!(letter["reason"].as_str().unwrap().contains("acknowledge"), "{letter}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_is_not_reached_early_and_never_with_retry_forever() {
    for keys in ["retry_forever = true", "retry_timeout = \"1h\"", ""] {
        let (server, address) = nobody();
        let relay = Relay::start(&[server], keys).await;
        relay.take_one("t").await;
        while relay.metric("fluentd_output_status_num_errors").await < 3.0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(relay.metric(GIVEN_UP).await, 0.0, "{keys}");
        let upstream = Upstream::at(address).await;
        let mut peer = upstream.accept().await;
        let received = peer.expect("t").await;
        peer.acknowledge(&received).await;
        relay.until("fluentd_output_status_num_records_total", 1.0).await;
        assert_eq!(letters(&relay.stop().await).len(), 0);
    }
}

/// An output that gets what `up` gives up.
fn rescue(folder: &Path) -> String {
    format!(
        "[[output]]\nid = \"rescue\"\ntype = \"file\"\npath = \"{}/rescue/%Y.log\"\nflush_interval = \"10ms\"\n\
         checkpoint_interval = \"100ms\"\n",
        folder.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_gets_what_is_given_up_and_nothing_else() {
    let (server, address) = nobody();
    let elsewhere = tempfile::tempdir().unwrap();
    let keys = "retry_timeout = \"100ms\"\nsecondary = \"rescue\"";
    let relay = Relay::with_sections(&[server], keys, &rescue(elsewhere.path())).await;
    relay.take("t", &ENTRY.repeat(2), 2).await;
    relay.until(GIVEN_UP, 2.0).await;
    let upstream = Upstream::at(address).await;
    relay.take_one("next").await;
    let mut peer = upstream.accept().await;
    let next = peer.expect("next").await;
    peer.acknowledge(&next).await;
    relay.until("fluentd_output_status_num_records_total", 3.0).await;
    let folder = relay.stop().await;
    assert_eq!(
        lines_below(&elsewhere.path().join("rescue")),
        [serde_json::json!({"a": 1}), serde_json::json!({"a": 1})]
    );
    assert_eq!(letters(&folder).len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_secondary_had_still_to_take_goes_to_the_dead_letters_when_it_is_gone() {
    let (server, _) = nobody();
    let elsewhere = tempfile::tempdir().unwrap();
    // A file where its folder must be: it takes nothing.
    std::fs::write(elsewhere.path().join("rescue"), "in the way").unwrap();
    let keys = "retry_timeout = \"100ms\"\nsecondary = \"rescue\"";
    let relay = Relay::with_sections(std::slice::from_ref(&server), keys, &rescue(elsewhere.path())).await;
    relay.take("t", &ENTRY.repeat(2), 2).await;
    relay.until(GIVEN_UP, 2.0).await;
    let folder = relay.stop().await;
    assert_eq!(letters(&folder).len(), 0);

    // It is one letter, however often the server starts.
    let mut folder = folder;
    for _ in 0..3 {
        let relay = Relay::restart(folder, std::slice::from_ref(&server), "retry_timeout = \"1h\"").await;
        folder = relay.stop().await;
        let [letter] = &letters(&folder)[..] else { panic!("{:?}", letters(&folder)) };
        assert_eq!(letter["entries"], BASE64_STANDARD.encode(ENTRY.repeat(2)));
        assert_eq!(letter["output"], "up");
    }
    let (scan, _) = Store::new(&folder.path().join("data"))
        .read(&Filter::default(), |_, _, _| ControlFlow::<()>::Continue(()))
        .unwrap();
    assert_eq!(scan.letters, 1, "and commands find it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_before_a_crash_is_not_delivered_after_it() {
    let (server, address) = nobody();
    let keys = "retry_timeout = \"100ms\"";
    let relay = Relay::start(std::slice::from_ref(&server), keys).await;
    let cursors = ["data/cursors/up.cursor", "data/given-up/cursors/@from-up.cursor"];
    let data = relay.folder().to_owned();
    let before = cursors.map(|cursor| std::fs::read(data.join(cursor)).unwrap());
    relay.take("t", &ENTRY.repeat(2), 2).await;
    relay.until(GIVEN_UP, 2.0).await;
    let folder = relay.stop().await;
    // The crash comes when the message is durable elsewhere, and before the cursors are saved.
    for (cursor, bytes) in cursors.iter().zip(before) {
        std::fs::write(data.join(cursor), bytes).unwrap();
    }
    let upstream = Upstream::at(address).await;
    let relay = Relay::restart(folder, &[server], keys).await;
    relay.take_one("next").await;
    let mut peer = upstream.accept().await;
    let next = peer.expect("next").await;
    peer.acknowledge(&next).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    peer.nothing_comes().await;
    let folder = relay.stop().await;
    assert_eq!(letters(&folder).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_that_is_retried_goes_to_its_output_under_the_same_id() {
    let (server, address) = nobody();
    let relay = Relay::start(&[server], "retry_timeout = \"100ms\"").await;
    relay.take("t", &ENTRY.repeat(2), 2).await;
    relay.until(GIVEN_UP, 2.0).await;
    let data = relay.folder().join("data");
    let mut letter = None;
    while letter.is_none() {
        tokio::task::yield_now().await;
        let read =
            Store::new(&data).read(&Filter::default(), |id, letter, _| ControlFlow::Break((id, letter)));
        letter = read.unwrap().1;
    }
    let (id, letter) = letter.unwrap();
    Requests::new(&data).place(&[id]).unwrap();
    let upstream = Upstream::at(address).await;
    let mut peer = upstream.accept().await;
    let again = peer.expect("t").await;
    assert_eq!(again.entries(), ENTRY.repeat(2));
    assert_eq!(Some(again.id()), letter.message_id.map(bytes::Bytes::from).as_ref());
    peer.acknowledge(&again).await;
    relay.until("fluentd_output_status_num_records_total", 2.0).await;
    relay.stop().await;
}
