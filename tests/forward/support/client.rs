//! What senders do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hikyaku::wire::client::{AckReader, Packed, encode_packed};
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An entry: time 1, record `{"a": 1}`.
pub(crate) const ENTRY: &[u8] = b"\x92\x01\x81\xa1a\x01";

/// How long a test waits to see that nothing happens.
pub(crate) const NOTHING: Duration = Duration::from_millis(50);

pub(crate) struct Client<S> {
    pub(crate) stream: S,
    acks: AckReader,
}

pub(crate) async fn plain(address: SocketAddr) -> Client<TcpStream> {
    Client::new(TcpStream::connect(address).await.unwrap())
}

/// So many clients send this at the same time, and wait; what each is acknowledged.
pub(crate) async fn all_send(
    clients: usize,
    address: SocketAddr,
    bytes: &[u8],
) -> Vec<JoinHandle<Option<Vec<u8>>>> {
    let mut sending = Vec::new();
    for _ in 0..clients {
        let mut client = plain(address).await;
        let bytes = bytes.to_vec();
        sending.push(tokio::spawn(async move {
            client.send(&bytes).await;
            client.ack().await
        }));
    }
    sending
}

pub(crate) async fn tls(
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    tls_to("localhost", address, config).await
}

/// Asks for the server by `name`.
pub(crate) async fn tls_to(
    name: &'static str,
    address: SocketAddr,
    config: Arc<ClientConfig>,
) -> std::io::Result<Client<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(config).connect(name.try_into().unwrap(), stream).await.map(Client::new)
}

impl Client<TlsStream<TcpStream>> {
    /// The certificate that the server has shown.
    pub(crate) fn server_certificate(&self) -> &[u8] {
        &self.stream.get_ref().1.peer_certificates().unwrap()[0]
    }

    pub(crate) fn handshake_kind(&self) -> HandshakeKind {
        self.stream.get_ref().1.handshake_kind().unwrap()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, acks: AckReader::default() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The id of the next acknowledgement; `None` where the server closes.
    pub(crate) async fn ack(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(id) = self.acks.next_ack().unwrap() {
                return Some(id.to_vec());
            }
            if self.stream.read_buf(self.acks.buffer()).await.unwrap() == 0 {
                return None;
            }
        }
    }

    /// As [`ack`](Self::ack), from a server that may close before it has read everything.
    pub(crate) async fn ack_or_reset(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(id) = self.acks.next_ack().unwrap() {
                return Some(id.to_vec());
            }
            if !matches!(self.stream.read_buf(self.acks.buffer()).await, Ok(1..)) {
                return None;
            }
        }
    }

    pub(crate) async fn no_ack(&mut self) {
        let ack = tokio::time::timeout(NOTHING, self.ack()).await;
        assert!(ack.is_err(), "acknowledged too early: {ack:?}");
    }
}

/// A PackedForward message of one entry that asks for an acknowledgement.
pub(crate) fn message(id: &str) -> Vec<u8> {
    sized_message(id, 1)
}

/// As [`message`], of many entries.
pub(crate) fn sized_message(id: &str, entries: usize) -> Vec<u8> {
    encode_packed(&Packed {
        tag: b"test.tag",
        entries: &ENTRY.repeat(entries),
        count: entries as u64,
        chunk: Some(id.as_bytes()),
        gzip: false,
    })
}
