//! An upstream that does what the test says.

use std::net::SocketAddr;

use bytes::Bytes;
use hikyaku::chunk::Encoding;
use hikyaku::wire::ack::encode_ack;
use hikyaku::wire::compression::inflate;
use hikyaku::wire::framing::Framer;
use hikyaku::wire::message::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{NOTHING, soon};
use crate::process::reserved_address;

/// Larger than anything that is sent here.
const MAX_MESSAGE: usize = 64 << 20;

/// A server that listens.
pub(crate) struct Upstream {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        Self::at(reserved_address()).await
    }

    /// Comes back where another one was, or was to be.
    pub(crate) async fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self { listener, address }
    }

    /// An element of `servers`.
    pub(crate) fn server(&self) -> String {
        format!("{{ address = \"{}\" }}", self.address)
    }

    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = soon("a connection to the upstream", self.listener.accept()).await.unwrap();
        Peer::new(stream)
    }

    pub(crate) async fn nobody_connects(&self) {
        let accepted = tokio::time::timeout(NOTHING, self.listener.accept()).await;
        assert!(accepted.is_err(), "connected without a reason");
    }
}

/// One connection of the relay.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    framer: Framer,
}

/// A message that arrived, and is not acknowledged yet.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) message: Message,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, framer: Framer::new(MAX_MESSAGE) }
    }

    /// The next message, which must have this tag.
    pub(crate) async fn expect(&mut self, tag: &str) -> Received {
        let received =
            soon(&format!("a message of {tag}"), self.next()).await.expect("a message, not the end");
        assert_eq!(String::from_utf8_lossy(&received.message.tag), tag);
        received
    }

    /// The next message; `None` where the relay closes.
    pub(crate) async fn next(&mut self) -> Option<Received> {
        loop {
            if let Some(bytes) = self.framer.next_message().unwrap() {
                return Some(Received { message: Message::decode(&bytes).unwrap() });
            }
            if matches!(self.stream.read_buf(self.framer.buffer()).await, Ok(0) | Err(_)) {
                return None;
            }
        }
    }

    pub(crate) async fn acknowledge(&mut self, received: &Received) {
        let chunk = received.message.options.chunk.as_ref().expect("an acknowledgement is asked for");
        self.say(&encode_ack(chunk)).await;
    }

    /// Acknowledges to somebody who may be gone.
    pub(crate) async fn try_acknowledge(&mut self, received: &Received) -> std::io::Result<()> {
        let chunk = received.message.options.chunk.as_ref().expect("an acknowledgement is asked for");
        self.stream.write_all(&encode_ack(chunk)).await
    }

    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Reads so many bytes and closes.
    pub(crate) async fn close_after(mut self, bytes: usize) {
        let mut rest = vec![0; bytes];
        soon("the start of a message", self.stream.read_exact(&mut rest)).await.unwrap();
    }

    pub(crate) async fn nothing_comes(&mut self) {
        let next = tokio::time::timeout(NOTHING, self.next()).await;
        assert!(next.is_err(), "came without a reason: {next:?}");
    }

    /// Waits until the relay gives the connection up.
    pub(crate) async fn given_up(mut self) {
        assert!(soon("the end of the connection", self.next()).await.is_none());
    }
}

impl Received {
    pub(crate) fn id(&self) -> &Bytes {
        &self.message.options.chunk.as_ref().expect("an id").id
    }

    /// The entries as plain msgpack.
    pub(crate) fn entries(&self) -> Vec<u8> {
        let mut out = Vec::new();
        inflate(self.message.encoding, &self.message.entries, MAX_MESSAGE, &mut out).unwrap();
        out
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.message.encoding
    }

    pub(crate) fn size(&self) -> u64 {
        self.message.options.size.unwrap()
    }
}
