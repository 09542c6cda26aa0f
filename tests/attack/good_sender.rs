//! A sender as it should be: mutual TLS, and the next message after the acknowledgement.

use std::time::{Duration, Instant};

use hikyaku::tls::client::{ClientIdentity, client_config};
use hikyaku::wire::client::{AckReader, Packed, encode_packed};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{PATIENCE, Scene};

/// Entries of a message.
const ENTRIES: usize = 50;

pub(crate) struct GoodSender<S> {
    stream: S,
    acks: AckReader,
    sent: u64,
}

impl GoodSender<TlsStream<TcpStream>> {
    pub(crate) async fn connect(scene: &Scene, port: u16) -> Self {
        let certs = scene.path("certs");
        let (cert, key) = (certs.join("client.crt"), certs.join("client.key"));
        let config =
            client_config(&certs.join("ca.crt"), Some(ClientIdentity { cert: &cert, key: &key })).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = "localhost".try_into().unwrap();
        Self::new(TlsConnector::from(config).connect(name, stream).await.unwrap())
    }
}

impl GoodSender<TcpStream> {
    /// Without TLS.
    pub(crate) async fn connect_plain(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> GoodSender<S> {
    fn new(stream: S) -> Self {
        Self { stream, acks: AckReader::default(), sent: 0 }
    }

    /// Messages a second that are acknowledged.
    pub(crate) async fn rate(&mut self, duration: Duration) -> f64 {
        let (started, before) = (Instant::now(), self.sent);
        while started.elapsed() < duration {
            tokio::time::timeout(PATIENCE, self.deliver()).await.expect("acknowledged in time");
        }
        (self.sent - before) as f64 / started.elapsed().as_secs_f64()
    }

    async fn deliver(&mut self) {
        let id = format!("good-{}", self.sent);
        let entries = b"\x92\xce\x68\xe7\x78\x00\x81\xa7request\xafGET / HTTP/1.1\r\n".repeat(ENTRIES);
        let message = encode_packed(&Packed {
            tag: b"good.sender",
            entries: &entries,
            count: ENTRIES as u64,
            chunk: Some(id.as_bytes()),
            gzip: false,
        });
        self.stream.write_all(&message).await.unwrap();
        self.stream.flush().await.unwrap();
        let ack = loop {
            if let Some(ack) = self.acks.next_ack().unwrap() {
                break ack;
            }
            assert_ne!(self.stream.read_buf(self.acks.buffer()).await.unwrap(), 0, "the server closed");
        };
        assert_eq!(ack, id.as_bytes());
        self.sent += 1;
    }
}
