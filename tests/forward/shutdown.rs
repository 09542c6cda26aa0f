//! Stopping without losing what was read.

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::ports::reserved_address;
use crate::support::certificates::Authority;
use crate::support::client::{message, plain, tls};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

#[tokio::test]
async fn what_was_read_is_acknowledged_and_then_the_connection_is_closed() {
    let journal = ScriptedJournal::new();
    let mut config = config(None);
    config.listen = reserved_address().into();
    let server = Server::start(&config, &journal);
    let mut client = plain(server.address).await;
    let half = &message("half")[..10];
    client.send(&[&message("1")[..], &message("2"), half].concat()).await;
    let (first, second) = (journal.next().await, journal.next().await);
    server.begin_shutdown();
    client.no_ack().await;
    first.durable();
    second.durable();
    assert_eq!(client.ack().await.unwrap(), b"1");
    assert_eq!(client.ack().await.unwrap(), b"2");
    assert_eq!(client.ack().await, None);
    let address = server.address;
    drop(client);
    server.stop().await;
    assert!(TcpStream::connect(address).await.is_err(), "the port is free");
}

#[tokio::test]
async fn a_message_that_waits_for_room_is_taken_before_the_end() {
    let journal = ScriptedJournal::with_room(1);
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&[message("1"), message("2")].concat()).await;
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"1");
    server.begin_shutdown();
    journal.make_room(1);
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"2");
    assert_eq!(client.ack().await, None);
}

#[tokio::test]
async fn idle_tls_connections_end_with_a_close_notify() {
    let authority = Authority::new("authority");
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    let pair = authority.issue("engine-1", |_| ());
    let mut client = tls(server.address, authority.client(Some(&pair))).await.unwrap();
    client.send(&message("1")).await;
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"1");
    server.begin_shutdown();
    // Without a close_notify this would be an error, not an end.
    assert_eq!(client.stream.read(&mut [0; 16]).await.unwrap(), 0);
    drop(client);
    server.stop().await;
}
