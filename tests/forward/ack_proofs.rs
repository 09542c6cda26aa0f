//! What a connection shows about the acknowledgements that its sender has had.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hikyaku::chunk::AckProof;
use hikyaku::journal::format::footer::chunk_key;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::support::certificates::Authority;
use crate::support::client::{Client, message, plain, tls};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

/// An id that may be a hash of content.
fn id(number: u8) -> String {
    STANDARD.encode([number; 16])
}

fn key(number: u8) -> u128 {
    chunk_key(b"test.tag", id(number).as_bytes())
}

/// Sends a chunk, waits for its acknowledgement, and gives what was shown for it.
async fn send<S>(client: &mut Client<S>, journal: &ScriptedJournal, number: u8) -> AckProof
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    client.send(&message(&id(number))).await;
    let chunk = journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), id(number).as_bytes());
    chunk.proof
}

#[tokio::test]
async fn a_sender_that_waits_shows_that_it_had_the_last_acknowledgement() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    assert_eq!(send(&mut client, &journal, 1).await, AckProof::default());
    let proof = send(&mut client, &journal, 2).await;
    assert_eq!(proof, AckProof { acknowledged: Some(key(1)), sent_after: 1 });
    // Neither heartbeats nor what asks for no acknowledgement change that.
    client.send(b"\xc0").await;
    let proof = send(&mut client, &journal, 3).await;
    assert_eq!(proof, AckProof { acknowledged: Some(key(2)), sent_after: 2 });
}

#[tokio::test]
async fn a_sender_that_did_not_wait_once_shows_nothing() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&[message(&id(1)), message(&id(2))].concat()).await;
    for number in [1, 2] {
        assert_eq!(journal.next().await.durable().proof, AckProof::default());
        assert_eq!(client.ack().await.unwrap(), id(number).as_bytes());
    }
    assert_eq!(send(&mut client, &journal, 3).await, AckProof::default());
    // Another connection of the same sender may.
    let mut client = plain(server.address).await;
    send(&mut client, &journal, 4).await;
    assert_eq!(send(&mut client, &journal, 5).await.acknowledged, Some(key(4)));
}

#[tokio::test]
async fn the_first_byte_of_the_next_message_before_the_acknowledgement_is_enough() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    let next = message(&id(2));
    client.send(&message(&id(1))).await;
    let first = journal.next().await;
    client.send(&next[..1]).await;
    client.no_ack().await;
    first.durable();
    assert_eq!(client.ack().await.unwrap(), id(1).as_bytes());
    client.send(&next[1..]).await;
    assert_eq!(journal.next().await.durable().proof, AckProof::default());
}

#[tokio::test]
async fn a_handshake_shows_what_came_before_the_first_message() {
    let journal = ScriptedJournal::new();
    let authority = Authority::new("authority");
    let server = Server::start(&config(Some(authority.server())), &journal);
    let pair = authority.issue("engine-1", |_| ());
    for taken in 0..3 {
        let mut client = tls(server.address, authority.client(Some(&pair))).await.unwrap();
        let proof = send(&mut client, &journal, 1).await;
        assert_eq!(proof, AckProof { acknowledged: None, sent_after: taken });
    }
    // What is sent on a plain connection may lie in its socket before anybody accepts it.
    let server = Server::plain(&journal);
    assert_eq!(send(&mut plain(server.address).await, &journal, 1).await, AckProof::default());
}

#[tokio::test]
async fn ids_that_are_no_hash_are_not_followed() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    for taken in 0..2 {
        client.send(&message("an id of its own")).await;
        let proof = journal.next().await.durable().proof;
        assert_eq!(proof, AckProof { acknowledged: None, sent_after: taken });
        client.ack().await.unwrap();
    }
}
