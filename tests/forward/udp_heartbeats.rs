//! Heartbeats over UDP, as Fluentd's `heartbeat_type udp` sends them.

use std::net::SocketAddr;

use hikyaku::input::forward::{BindError, ForwardInput};
use tokio::net::UdpSocket;

use crate::support::client::NOTHING;
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

async fn connected(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    socket
}

#[tokio::test]
async fn each_datagram_is_answered_by_one_zero_byte_unless_it_is_too_large() {
    let server = Server::plain(&ScriptedJournal::new());
    let socket = connected(server.address).await;
    let mut answer = [1; 16];
    for datagram in [&b"\0"[..], b"", &[7; 128]] {
        socket.send(datagram).await.unwrap();
        assert_eq!(socket.recv(&mut answer).await.unwrap(), 1);
        assert_eq!(answer[0], 0);
    }
    socket.send(&[7; 129]).await.unwrap();
    let answered = tokio::time::timeout(NOTHING, socket.recv(&mut answer)).await;
    assert!(answered.is_err(), "{answered:?}");
    socket.send(b"\0").await.unwrap();
    assert_eq!(socket.recv(&mut answer).await.unwrap(), 1);
    server.stop().await;
}

#[tokio::test]
async fn without_heartbeats_the_port_is_left_to_others() {
    let mut config = config(None);
    config.udp_heartbeat = false;
    let server = Server::start(&config, &ScriptedJournal::new());
    assert!(UdpSocket::bind(server.address).await.is_ok());
}

#[tokio::test]
async fn a_port_that_is_taken_for_udp_is_an_error() {
    let mut config = config(None);
    loop {
        let taken = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        config.listen = taken.local_addr().unwrap().into();
        config.udp_heartbeat = false;
        // The port may be taken for TCP, by whoever.
        let Ok(input) = ForwardInput::bind(&config) else { continue };
        drop(input);
        config.udp_heartbeat = true;
        let error = ForwardInput::bind(&config).unwrap_err();
        assert!(matches!(error, BindError::Listen { .. }));
        assert!(error.to_string().contains("udp_heartbeat"), "{error}");
        break;
    }
}
