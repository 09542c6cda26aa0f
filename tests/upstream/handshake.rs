//! Servers that ask for a shared key.

use bytes::BytesMut;
use hikyaku::wire::handshake::{Access, ServerHandshake};
use hikyaku::wire::msgpack::Scanner;
use tokio::io::AsyncReadExt;

use crate::support::relay::{Relay, config, start};
use crate::support::soon;
use crate::support::upstream::{Peer, Upstream};

/// Plays a server of this name that knows this key and these users.
async fn shake(peer: &mut Peer, name: &str, key: &[u8], users: Option<&[(String, String)]>) -> bool {
    let handshake = ServerHandshake::new(Access { shared_key: Some(key), users }, name, [1; 16], [2; 16]);
    peer.say(&handshake.hello(true)).await;
    let (mut buffer, mut scanner) = (BytesMut::new(), Scanner::new(10_000));
    while scanner.advance(&buffer).unwrap().is_none() {
        assert!(soon("a ping", peer.stream.read_buf(&mut buffer)).await.unwrap() > 0);
    }
    match handshake.answer(&buffer) {
        Ok(accepted) => {
            assert_eq!(accepted.host_name, "relay-1");
            peer.say(&accepted.pong).await;
            true
        }
        Err(denied) => {
            peer.say(&denied.pong).await;
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_follows_the_handshake() {
    let upstream = Upstream::start().await;
    let server =
        format!("{{ address = \"{}\", username = \"edge\", password = \"pa55\" }}", upstream.address);
    let relay = Relay::start(&[server], "shared_key = \"sekrit\"\nconnections = 1").await;
    for tag in ["first", "second"] {
        relay.take_one(tag).await;
    }
    let mut peer = upstream.accept().await;
    let users = [("edge".to_owned(), "pa55".to_owned())];
    assert!(shake(&mut peer, "upstream-1", b"sekrit", Some(&users)).await);
    for tag in ["first", "second"] {
        let received = peer.expect(tag).await;
        peer.acknowledge(&received).await;
    }
    relay.until("fluentd_output_status_num_records_total", 2.0).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_the_key_puts_nothing_in_doubt() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "shared_key = \"wrong\"").await;
    relay.take_one("t").await;
    let mut peer = upstream.accept().await;
    assert!(!shake(&mut peer, "upstream-1", b"sekrit", None).await);
    peer.given_up().await;
    // It tries again.
    let mut peer = upstream.accept().await;
    assert_eq!(relay.metric("hikyaku_output_in_doubt").await, 0.0);
    assert!(shake(&mut peer, "upstream-1", b"wrong", None).await);
    let received = peer.expect("t").await;
    peer.acknowledge(&received).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_verifies_fails_at_a_wrong_key_and_at_the_own_name() {
    for (name, key, reason) in
        [("upstream-1", &b"other"[..], "shared_key mismatch"), ("relay-1", b"sekrit", "calls itself relay-1")]
    {
        let upstream = Upstream::start().await;
        let folder = tempfile::tempdir().unwrap();
        let keys = "shared_key = \"sekrit\"\nverify_connection_at_startup = true";
        let text = config(folder.path(), &[upstream.server()], keys, "");
        let server = async {
            let mut peer = upstream.accept().await;
            shake(&mut peer, name, key, None).await;
            peer.given_up().await;
        };
        let (started, ()) = tokio::join!(start(folder.path(), &text), server);
        let error = started.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
