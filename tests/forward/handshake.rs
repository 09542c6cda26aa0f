//! The shared key handshake: who is let in, who is turned away and told why.

use std::time::Duration;

use hikyaku::client::connection::{ConnectError, Endpoint, EndpointHandshake};
use hikyaku::config::{InputConfig, Secret, SecurityClient, SecurityConfig};
use hikyaku::wire::handshake::{ClientHandshake, ClientHandshakeError, Credentials};
use hikyaku::wire::msgpack::skip;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::support::certificates::Authority;
use crate::support::client::{Client, message, plain, tls};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn security() -> SecurityConfig {
    SecurityConfig {
        self_hostname: "logserver-1".to_owned(),
        shared_key: secret("sekrit"),
        users: Vec::new(),
        allow_anonymous_source: true,
        keepalive: true,
        clients: Vec::new(),
    }
}

fn with_users() -> SecurityConfig {
    let users = vec![("engine".to_owned(), secret("pa55")), ("other".to_owned(), secret("word"))];
    SecurityConfig { users, ..security() }
}

fn client_network(network: &str) -> SecurityClient {
    SecurityClient { network: network.parse().unwrap(), shared_key: None, users: None }
}

fn secured(security: SecurityConfig) -> InputConfig {
    InputConfig { security: Some(security), ..config(None) }
}

/// One whole message of the server, not a byte more.
async fn receive<S: AsyncRead + Unpin>(stream: &mut S) -> Vec<u8> {
    let mut message = Vec::new();
    while skip(&message, 0).is_err() {
        message.push(stream.read_u8().await.unwrap());
    }
    message
}

async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    client: &mut Client<S>,
    key: &str,
    user: (&str, &str),
) -> Result<(), ClientHandshakeError> {
    let (username, password) = user;
    let credentials = Credentials { self_hostname: "edge-1", shared_key: key.as_bytes(), username, password };
    let mut handshake = ClientHandshake::new(credentials, [9; 16]);
    let ping = handshake.ping(&receive(&mut client.stream).await)?;
    client.send(&ping).await;
    handshake.judge(&receive(&mut client.stream).await)
}

fn denied(reason: &str) -> Result<(), ClientHandshakeError> {
    Err(ClientHandshakeError::Denied(reason.to_owned()))
}

#[tokio::test]
async fn whoever_knows_the_key_sends_under_its_own_name() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&secured(security()), &journal);
    let mut client = plain(server.address).await;
    shake(&mut client, "sekrit", ("", "")).await.unwrap();
    client.send(&message("one")).await;
    let arrived = journal.next().await;
    assert_eq!(arrived.chunk.sender.identity, "host=edge-1");
    assert_eq!(arrived.chunk.sender.host_name.as_deref(), Some("edge-1"));
    arrived.durable();
    assert_eq!(client.ack().await.unwrap(), b"one");
}

#[tokio::test]
async fn a_user_is_part_of_the_name() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&secured(with_users()), &journal);
    let mut client = plain(server.address).await;
    shake(&mut client, "sekrit", ("engine", "pa55")).await.unwrap();
    client.send(&message("one")).await;
    let arrived = journal.next().await;
    assert_eq!(arrived.chunk.sender.identity, "user=engine;host=edge-1");
    assert_eq!(arrived.chunk.sender.user.as_deref(), Some("engine"));
}

#[tokio::test]
async fn messages_may_follow_the_ping_in_the_same_write() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&secured(security()), &journal);
    let mut client = plain(server.address).await;
    let credentials =
        Credentials { self_hostname: "edge-1", shared_key: b"sekrit", username: "", password: "" };
    let mut handshake = ClientHandshake::new(credentials, [9; 16]);
    let ping = handshake.ping(&receive(&mut client.stream).await).unwrap();
    client.send(&[&ping[..], &message("early")].concat()).await;
    handshake.judge(&receive(&mut client.stream).await).unwrap();
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"early");
}

#[tokio::test]
async fn a_peer_that_knows_too_little_is_told_why_and_counted() {
    let elsewhere = SecurityConfig {
        allow_anonymous_source: false,
        clients: vec![client_network("192.0.2.0/24")],
        ..security()
    };
    let only_other =
        SecurityClient { users: Some(vec!["other".to_owned()]), ..client_network("127.0.0.0/8") };
    let restricted = SecurityConfig { clients: vec![only_other], ..with_users() };
    let own_key = SecurityClient { shared_key: Some(secret("own")), ..client_network("127.0.0.1/32") };
    let with_own_key = SecurityConfig { clients: vec![own_key], ..security() };
    for (security, key, user, reason, label) in [
        (security(), "wrong", ("", ""), "shared_key mismatch", "shared_key"),
        (with_own_key, "sekrit", ("", ""), "shared_key mismatch", "shared_key"),
        (elsewhere, "sekrit", ("", ""), "anonymous source host denied", "anonymous_source"),
        (with_users(), "sekrit", ("engine", "word"), "username/password mismatch", "user"),
        (with_users(), "sekrit", ("", ""), "username/password mismatch", "user"),
        (restricted, "sekrit", ("engine", "pa55"), "username/password mismatch", "user"),
    ] {
        let journal = ScriptedJournal::new();
        let server = Server::start(&secured(security), &journal);
        let mut client = plain(server.address).await;
        assert_eq!(shake(&mut client, key, user).await, denied(reason));
        assert_eq!(client.ack().await, None, "the connection is closed");
        drop(client);
        assert_eq!(server.stop().await.refused(label), 1, "{label}");
    }
}

#[tokio::test]
async fn a_network_has_its_own_key_and_users() {
    let own = SecurityClient {
        shared_key: Some(secret("own")),
        users: Some(vec!["other".to_owned()]),
        ..client_network("127.0.0.0/8")
    };
    let security = SecurityConfig { allow_anonymous_source: false, clients: vec![own], ..with_users() };
    let journal = ScriptedJournal::new();
    let server = Server::start(&secured(security), &journal);
    let mut client = plain(server.address).await;
    shake(&mut client, "own", ("other", "word")).await.unwrap();
    client.send(&message("one")).await;
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"one");
}

#[tokio::test]
async fn what_is_no_ping_is_turned_away() {
    for (bytes, label) in [
        (message("no handshake"), "handshake"),
        (b"{\"tag\":1}".to_vec(), "handshake"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "handshake"),
        (vec![0xdd, 0xff, 0xff, 0xff, 0xff], "handshake"),
    ] {
        let journal = ScriptedJournal::new();
        let server = Server::start(&secured(security()), &journal);
        let mut client = plain(server.address).await;
        client.send(&bytes).await;
        let mut rest = Vec::new();
        client.stream.read_to_end(&mut rest).await.unwrap();
        drop(client);
        assert_eq!(server.stop().await.refused(label), 1, "{bytes:x?}");
        journal.nothing_comes().await;
    }
}

#[tokio::test]
async fn a_peer_that_does_not_answer_is_cut_off() {
    let journal = ScriptedJournal::new();
    let config = InputConfig { handshake_timeout: Duration::from_millis(30), ..secured(security()) };
    let server = Server::start(&config, &journal);
    let mut client = plain(server.address).await;
    receive(&mut client.stream).await;
    assert_eq!(client.ack().await, None);
    drop(client);
    assert_eq!(server.stop().await.refused("handshake_timeout"), 1);
}

#[tokio::test]
async fn inside_tls_the_certificate_stays_the_name() {
    let authority = Authority::new("ca");
    let server_tls = authority.server();
    let pair = authority.issue("engine-1", |_| ());
    let journal = ScriptedJournal::new();
    let config = InputConfig { security: Some(security()), ..config(Some(server_tls)) };
    let server = Server::start(&config, &journal);
    let mut client = tls(server.address, authority.client(Some(&pair))).await.unwrap();
    shake(&mut client, "sekrit", ("", "")).await.unwrap();
    client.send(&message("one")).await;
    let arrived = journal.next().await;
    assert!(arrived.chunk.sender.identity.contains("CN=engine-1"), "{:?}", arrived.chunk.sender);
    assert_eq!(arrived.chunk.sender.host_name.as_deref(), Some("edge-1"));
}

#[tokio::test]
async fn the_own_client_is_let_in_or_says_why_not() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&secured(with_users()), &journal);
    let endpoint = |key: &str, password: &str| Endpoint {
        address: server.address.to_string(),
        tls: None,
        handshake: Some(EndpointHandshake {
            self_hostname: "edge-1".to_owned(),
            shared_key: secret(key),
            user: Some(("engine".to_owned(), secret(password))),
        }),
    };
    let mut client = Client::new(endpoint("sekrit", "pa55").connect().await.unwrap());
    client.send(&message("one")).await;
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"one");
    for (key, password, reason) in
        [("wrong", "pa55", "shared_key mismatch"), ("sekrit", "", "username/password")]
    {
        let Err(error) = endpoint(key, password).connect().await else { panic!("{reason} was let in") };
        assert!(
            matches!(&error, ConnectError::Handshake(_)) && error.to_string().contains(reason),
            "{error}"
        );
    }
}

#[tokio::test]
async fn json_is_no_message_behind_a_handshake() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&secured(security()), &journal);
    let mut client = plain(server.address).await;
    shake(&mut client, "sekrit", ("", "")).await.unwrap();
    client.send(b"[\"t\",1,{}]").await;
    assert_eq!(client.ack().await, None);
    drop(client);
    assert_eq!(server.stop().await.rejected("json"), 1);
}
