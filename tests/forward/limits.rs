//! At each limit the sender waits or is turned away, and nobody else notices.

use std::io::Write;
use std::time::{Duration, Instant};

use hikyaku::config::InputConfig;
use hikyaku::wire::client::{Packed, encode_packed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::certificates::Authority;
use crate::support::client::{Client, ENTRY, all_send, message, plain, sized_message, tls};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

#[tokio::test]
async fn one_connection_more_than_allowed_is_closed_at_once() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&InputConfig { max_connections: 2, ..config(None) }, &journal);
    let mut clients = Vec::new();
    for id in ["a", "b"] {
        let mut client = plain(server.address).await;
        client.send(&message(id)).await;
        journal.next().await.durable();
        assert_eq!(client.ack().await.unwrap(), id.as_bytes());
        clients.push(client);
    }
    assert_eq!(plain(server.address).await.ack().await, None);
    assert_eq!(server.samples().refused("max_connections"), 1);
    clients[0].send(&message("still")).await;
    journal.next().await.durable();
    assert_eq!(clients[0].ack().await.unwrap(), b"still");
    drop(clients);
    server.stop().await;
}

#[tokio::test]
async fn one_chunk_more_than_may_wait_for_its_sync_waits_for_an_earlier_one() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&InputConfig { max_pending_acks: 2, ..config(None) }, &journal);
    let mut client = plain(server.address).await;
    client.send(&[message("1"), message("2"), message("3")].concat()).await;
    let (first, _second) = (journal.next().await, journal.next().await);
    journal.nothing_comes().await;
    first.durable();
    assert_eq!(journal.next().await.id(), b"3");
}

/// 370 KiB for messages of 100 KiB: two of them, the one that may always go on, and 67 for what came at once.
fn small_budget() -> InputConfig {
    InputConfig { max_message_size: 100 << 10, max_in_flight: 370 << 10, ..config(None) }
}

#[tokio::test]
async fn memory_between_reading_and_sync_stays_within_its_limit_and_everything_arrives() {
    const SENDERS: usize = 12;
    let journal = ScriptedJournal::new();
    let server = Server::start(&small_budget(), &journal);
    let bytes = sized_message("id", 16_000);
    assert!(bytes.len() > 90 << 10);
    let senders = all_send(SENDERS, server.address, &bytes).await;
    for _ in 0..SENDERS {
        let taken = journal.next().await;
        let held = server.samples().input("in_flight_bytes");
        assert!(held <= 370 << 10, "{held} bytes are held");
        taken.durable();
    }
    for sender in senders {
        assert_eq!(sender.await.unwrap().unwrap(), b"id");
    }
    assert_eq!(server.stop().await.input("in_flight_bytes"), 0);
}

#[tokio::test]
async fn a_message_that_stops_half_way_holds_up_nobody_else() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&small_budget(), &journal);
    let bytes = sized_message("id", 16_000);
    let mut halves: Vec<Client<TcpStream>> = Vec::new();
    for _ in 0..2 {
        let mut half = plain(server.address).await;
        half.send(&bytes[..bytes.len() / 2]).await;
        halves.push(half);
    }
    let mut whole = plain(server.address).await;
    whole.send(&bytes).await;
    journal.next().await.durable();
    assert_eq!(whole.ack().await.unwrap(), b"id");
    for half in &mut halves {
        half.send(&bytes[bytes.len() / 2..]).await;
        journal.next().await.durable();
        assert_eq!(half.ack().await.unwrap(), b"id");
    }
}

#[tokio::test]
async fn a_journal_without_room_makes_senders_wait_and_not_the_listener() {
    let journal = ScriptedJournal::with_room(0);
    let server = Server::plain(&journal);
    let mut waiting = plain(server.address).await;
    waiting.send(&message("waits")).await;
    waiting.no_ack().await;
    let mut refused = plain(server.address).await;
    refused.send(b"\xc1").await;
    assert_eq!(refused.ack().await, None, "others are still served");
    journal.make_room(1);
    journal.next().await.durable();
    assert_eq!(waiting.ack().await.unwrap(), b"waits");
}

#[tokio::test]
async fn one_connection_more_than_its_sender_may_have_is_closed_and_other_senders_are_served() {
    let authority = Authority::new("ca");
    let journal = ScriptedJournal::new();
    let limits = InputConfig { max_connections_by_sender: 2, ..config(Some(authority.server())) };
    let server = Server::start(&limits, &journal);
    let [one, other] =
        ["engine-1", "engine-2"].map(|name| authority.client(Some(&authority.issue(name, |_| ()))));
    let mut clients = Vec::new();
    for client in [&one, &one, &other] {
        let mut client = tls(server.address, client.clone()).await.unwrap();
        client.send(&message("id")).await;
        journal.next().await.durable();
        assert_eq!(client.ack().await.unwrap(), b"id");
        clients.push(client);
    }
    assert_eq!(tls(server.address, one.clone()).await.unwrap().ack().await, None);
    assert_eq!(server.samples().refused("max_connections_by_sender"), 1);
    drop(clients.remove(0));
    server.until(|samples| samples.get(CONNECTIONS_OF_ENGINE_1) == 1).await;
    let mut next = tls(server.address, one).await.unwrap();
    next.send(&message("next")).await;
    journal.next().await.durable();
    assert_eq!(next.ack().await.unwrap(), b"next");
}

const CONNECTIONS_OF_ENGINE_1: &str =
    "hikyaku_input_connections{input=\"edge\",sender=\"CN=engine-1,O=Example;DNS:engine-1\"}";

#[tokio::test]
async fn one_handshake_more_than_an_address_may_have_is_closed_at_once() {
    let authority = Authority::new("ca");
    let journal = ScriptedJournal::new();
    let limits = InputConfig { max_handshakes_by_address: 2, ..config(Some(authority.server())) };
    let server = Server::start(&limits, &journal);
    let engine = authority.client(Some(&authority.issue("engine-1", |_| ())));
    let mut good = tls(server.address, engine.clone()).await.unwrap();
    good.send(&message("good")).await;
    journal.next().await.durable();
    assert_eq!(good.ack().await.unwrap(), b"good", "who is known is in no handshake any more");

    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut client = plain(server.address).await;
        client.send(b"\x16").await;
        slow.push(client);
    }
    // Closed with bytes unread or read, which a client sees as a reset or an end.
    let mut refused = TcpStream::connect(server.address).await.unwrap();
    assert!(matches!(refused.read(&mut [0]).await, Ok(0) | Err(_)));
    assert_eq!(server.samples().refused("max_handshakes_by_address"), 1);

    drop(slow);
    server.until(|samples| samples.refused("closed") == 2).await;
    // The places are given back a moment after the count.
    while tls(server.address, engine.clone()).await.is_err() {}
}

#[tokio::test]
async fn a_connection_without_a_byte_is_closed_in_order_and_one_with_heartbeats_is_kept() {
    const IDLE: Duration = Duration::from_millis(500);
    let journal = ScriptedJournal::new();
    let server = Server::start(&InputConfig { idle_timeout: Some(IDLE), ..config(None) }, &journal);
    let mut idle = plain(server.address).await;
    idle.send(&message("idle")).await;
    let waiting = journal.next().await;
    let mut alive = plain(server.address).await;
    waiting.durable();
    assert_eq!(idle.ack().await.unwrap(), b"idle");
    while server.samples().input("idle_connections_closed_total") == 0 {
        alive.send(b"\xc0").await;
        tokio::task::yield_now().await;
    }
    assert_eq!(idle.ack().await, None);
    alive.send(&message("alive")).await;
    journal.next().await.durable();
    assert_eq!(alive.ack().await.unwrap(), b"alive");
}

#[tokio::test]
async fn a_sender_past_its_rate_waits_with_all_its_connections_and_nobody_else_does() {
    let authority = Authority::new("ca");
    let journal = ScriptedJournal::new();
    let limits = InputConfig { max_events_per_second: Some(100), ..config(Some(authority.server())) };
    let server = Server::start(&limits, &journal);
    let [one, other] =
        ["engine-1", "engine-2"].map(|name| authority.client(Some(&authority.issue(name, |_| ()))));
    let started = Instant::now();
    // The burst of a second, and a debt of 20 events.
    let mut first = tls(server.address, one.clone()).await.unwrap();
    first.send(&sized_message("first", 120)).await;
    journal.next().await.durable();
    assert_eq!(first.ack().await.unwrap(), b"first");

    let mut second = tls(server.address, one).await.unwrap();
    second.send(&message("second")).await;
    let mut unhurt = tls(server.address, other).await.unwrap();
    unhurt.send(&message("unhurt")).await;
    assert_eq!(journal.next().await.durable().id.unwrap(), b"unhurt"[..]);
    assert_eq!(unhurt.ack().await.unwrap(), b"unhurt");

    assert_eq!(journal.next().await.durable().id.unwrap(), b"second"[..]);
    assert_eq!(second.ack().await.unwrap(), b"second");
    assert!(started.elapsed() >= Duration::from_millis(210), "the debt and the event itself");
    assert!(server.samples().throttled("max_events_per_second") > 0.1);
}

#[tokio::test]
async fn bytes_are_limited_in_the_same_way_and_a_stop_waits_for_nobody() {
    let journal = ScriptedJournal::new();
    let limits = InputConfig { max_bytes_per_second: Some(1024), ..config(None) };
    let server = Server::start(&limits, &journal);
    let mut client = plain(server.address).await;
    // Ten minutes' worth.
    client.send(&sized_message("first", 100_000)).await;
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"first");
    client.send(&message("second")).await;
    journal.nothing_comes().await;
    server.begin_shutdown();
    assert_eq!(client.ack().await, None);
    drop(client);
    assert!(server.stop().await.throttled("max_bytes_per_second") > 0.0);
}

#[tokio::test]
async fn messages_are_taken_up_to_exactly_their_limits() {
    let largest = sized_message("id", 20_000);
    for (limit, taken) in [(largest.len(), true), (largest.len() - 1, false)] {
        let limits = InputConfig { max_message_size: limit, ..config(None) };
        assert_eq!(is_taken(&limits, &largest).await, taken, "max_message_size {limit}");
    }
    let entries = ENTRY.repeat(20_000);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&entries).unwrap();
    let entries_gzip = gzip.finish().unwrap();
    let packed = Packed { tag: b"t", entries: &entries_gzip, count: 20_000, chunk: Some(b"id"), gzip: true };
    for (limit, taken) in [(entries.len(), true), (entries.len() - 1, false)] {
        let limits = InputConfig { max_inflated_size: limit as u64, ..config(None) };
        assert_eq!(is_taken(&limits, &encode_packed(&packed)).await, taken, "max_inflated_size {limit}");
    }
}

async fn is_taken(limits: &InputConfig, message: &[u8]) -> bool {
    let journal = ScriptedJournal::new();
    let server = Server::start(limits, &journal);
    let mut client = plain(server.address).await;
    // A server that refuses at the announced length does not read on.
    let sent = client.stream.write_all(message).await;
    let taken = tokio::select! {
        chunk = journal.next() => { chunk.durable(); true }
        ack = client.ack_or_reset() => { assert_eq!(ack, None); false }
    };
    assert!(sent.is_ok() || !taken);
    drop(client);
    assert_eq!(server.stop().await.rejected("too_large"), i64::from(!taken));
    taken
}

#[tokio::test]
async fn a_sender_that_stops_half_way_everywhere_holds_up_no_other_sender_and_no_small_message() {
    let authority = Authority::new("ca");
    let journal = ScriptedJournal::new();
    // One sender: 67 KiB of messages that are being read, and one that may always go on. All: five times as much.
    let limits = InputConfig {
        max_message_size: 100 << 10,
        max_in_flight: 540 << 10,
        max_in_flight_by_sender: 190 << 10,
        ..config(Some(authority.server()))
    };
    let server = Server::start(&limits, &journal);
    let [one, other] =
        ["engine-1", "engine-2"].map(|name| authority.client(Some(&authority.issue(name, |_| ()))));
    let large = sized_message("large", 16_000);
    let mut halves = Vec::new();
    for _ in 0..20 {
        let mut half = tls(server.address, one.clone()).await.unwrap();
        half.send(&large[..large.len() / 2]).await;
        halves.push(half);
    }
    let mut same = tls(server.address, one).await.unwrap();
    same.send(&message("small")).await;
    journal.next().await.durable();
    assert_eq!(same.ack().await.unwrap(), b"small");
    let mut unhurt = tls(server.address, other).await.unwrap();
    unhurt.send(&large).await;
    journal.next().await.durable();
    assert_eq!(unhurt.ack().await.unwrap(), b"large");
    assert!(server.samples().input("in_flight_bytes") <= 190 << 10);
    for half in &mut halves {
        half.send(&large[large.len() / 2..]).await;
    }
    for _ in &halves {
        journal.next().await.durable();
    }
    for half in &mut halves {
        assert_eq!(half.ack().await.unwrap(), b"large");
    }
}
