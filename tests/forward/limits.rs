//! At each limit the sender waits or is turned away, and nobody else notices.

use hikyaku::config::InputConfig;
use tokio::net::TcpStream;

use crate::support::client::{Client, message, plain, sized_message};
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

/// 300 KiB for messages of 100 KiB: two of them, and the one that may always go on.
fn small_budget() -> InputConfig {
    InputConfig { max_message_size: 100 << 10, max_in_flight: 300 << 10, ..config(None) }
}

#[tokio::test]
async fn memory_between_reading_and_sync_stays_within_its_limit_and_everything_arrives() {
    const SENDERS: usize = 12;
    let journal = ScriptedJournal::new();
    let server = Server::start(&small_budget(), &journal);
    let bytes = sized_message("id", 16_000);
    assert!(bytes.len() > 90 << 10);
    let mut senders = Vec::new();
    for _ in 0..SENDERS {
        let mut client = plain(server.address).await;
        let bytes = bytes.clone();
        senders.push(tokio::spawn(async move {
            client.send(&bytes).await;
            client.ack().await
        }));
    }
    for _ in 0..SENDERS {
        let taken = journal.next().await;
        let held = server.samples().input("in_flight_bytes");
        assert!(held <= 300 << 10, "{held} bytes are held");
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
