//! Asking a server whether it is there, as Fluentd asks.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::resolve::{Addresses, timed_out};

/// How long one address may take to answer. A later answer counts as none, but the detector judges silence, not this.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is sent, and what Fluentd answers.
const ZERO: &[u8] = &[0];

/// A connection that is opened and closed. There is no TLS handshake: it would cost both sides much each second, and
/// a server that takes no connection is found out without.
pub(super) async fn transport(server: &Addresses) -> io::Result<()> {
    server.connect(PATIENCE).await.map(drop)
}

/// A zero byte out and another back, at the first address that answers.
pub(super) async fn udp(server: &Addresses) -> io::Result<()> {
    let mut last_error = None;
    for address in server.get().await? {
        match tokio::time::timeout(PATIENCE, exchange(address)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => last_error = Some(server.at(address, error)),
            Err(_) => last_error = Some(server.at(address, timed_out(PATIENCE))),
        }
    }
    Err(last_error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

async fn exchange(server: SocketAddr) -> io::Result<()> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // Only this server's datagrams arrive, and its refusals as errors.
    socket.connect(server).await?;
    socket.send(ZERO).await?;
    let mut answer = [0xff; 2];
    loop {
        let length = socket.recv(&mut answer).await?;
        if &answer[..length] == ZERO {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::config::HostPort;
    use crate::output::forward::resolve::fake::FakeLookup;
    use crate::ports::reserved_address;

    fn at(address: SocketAddr) -> Addresses {
        let address = HostPort::new(address.ip().to_string(), address.port());
        Addresses::new(address, Arc::new(FakeLookup::default()), Duration::ZERO, false)
    }

    #[tokio::test]
    async fn transport_opens_a_connection_and_says_nothing() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = at(listener.local_addr().unwrap());
        let (beat, accepted) = tokio::join!(transport(&server), listener.accept());
        beat.unwrap();
        let mut said = Vec::new();
        accepted.unwrap().0.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"");
    }

    #[tokio::test]
    async fn transport_fails_where_nobody_listens() {
        let server = at(reserved_address());
        assert_eq!(transport(&server).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn udp_wants_a_zero_byte_for_a_zero_byte() {
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let server = at(peer.local_addr().unwrap());
        let answering = async {
            let mut buffer = [0xff; 16];
            let (length, from) = peer.recv_from(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..length], ZERO);
            for other in [&b"x"[..], b"", b"\0\0"] {
                peer.send_to(other, from).await.unwrap();
            }
            // Whatever else comes is no answer: this one is.
            peer.send_to(ZERO, from).await.unwrap();
        };
        let (beat, ()) = tokio::join!(udp(&server), answering);
        beat.unwrap();
    }

    #[tokio::test]
    async fn udp_fails_where_nobody_listens() {
        // Who is connected to somebody else keeps the port, and gets nothing from others.
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        peer.connect((Ipv4Addr::LOCALHOST, 9)).await.unwrap();
        let server = at(peer.local_addr().unwrap());
        assert_eq!(udp(&server).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test(start_paused = true)]
    async fn udp_does_not_wait_for_ever() {
        let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let error = udp(&at(silent.local_addr().unwrap())).await.unwrap_err();
        assert_eq!(error.to_string(), "no answer within 5000 ms");
    }
}
