//! A forward server that takes everything, acknowledges it, and keeps what a test of the floor needs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hikyaku::wire::ack::encode_ack;
use hikyaku::wire::framing::Framer;
use hikyaku::wire::message::Message;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::process::PATIENCE;
use crate::sink::Sink;

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// The entries of the first messages, where they are kept.
    pub(crate) entries: Receiver<Bytes>,
    events: Arc<AtomicU64>,
    _runtime: tokio::runtime::Runtime,
}

/// How often is looked at what came: more often than a server is asked, since it costs the server nothing.
const LOOK: Duration = Duration::from_millis(1);

/// Messages of a connection whose entries are kept.
pub(crate) const KEPT: usize = 60;

impl Upstream {
    /// Listens on a port of its own.
    pub(crate) fn start() -> Self {
        ClosedUpstream::new().open()
    }

    /// The same, and keeps the entries of the first [`KEPT`] messages of each connection.
    pub(crate) fn start_keeping() -> Self {
        ClosedUpstream::new().open_keeping(KEPT)
    }

    /// Events that came so far, by what their messages say.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// Waits until so many came.
    #[allow(clippy::disallowed_methods, reason = "asking without a pause would be part of what is measured")]
    pub(crate) fn until_events(&self, at_least: u64) {
        let started = Instant::now();
        while self.events() < at_least {
            assert!(started.elapsed() < PATIENCE, "{} events came and not {at_least}", self.events());
            sleep(LOOK);
        }
    }
}

/// A forward server that has a port and refuses connections to it.
pub(crate) struct ClosedUpstream {
    socket: Socket,
    pub(crate) address: SocketAddr,
}

impl ClosedUpstream {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { socket, address }
    }

    /// Takes connections from now on.
    pub(crate) fn open(self) -> Upstream {
        self.open_keeping(0)
    }

    fn open_keeping(self, kept: usize) -> Upstream {
        self.socket.listen(1024).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (sender, entries) = channel();
        let events = Arc::<AtomicU64>::default();
        let count = Arc::clone(&events);
        let listener: std::net::TcpListener = self.socket.into();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                match kept {
                    0 => drop(tokio::spawn(take(stream, Arc::clone(&count)))),
                    _ => drop(tokio::spawn(keep(stream, kept, sender.clone(), Arc::clone(&count)))),
                }
            }
        });
        Upstream { address: self.address, entries, events, _runtime: runtime }
    }
}

/// Acknowledges messages, and lets go of their entries as they come.
async fn take(mut stream: TcpStream, events: Arc<AtomicU64>) {
    let mut sink = Sink::new();
    let mut memory = vec![0; 256 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut memory).await {
        let mut acks = Vec::new();
        sink.take(&memory[..count], |message| {
            events.fetch_add(message.options.size.unwrap_or_default(), Ordering::Relaxed);
            acks.extend(message.options.chunk.as_ref().map(encode_ack));
        });
        for ack in acks {
            if stream.write_all(&ack).await.is_err() {
                return;
            }
        }
    }
}

async fn keep(mut stream: TcpStream, mut to_keep: usize, sender: Sender<Bytes>, events: Arc<AtomicU64>) {
    let mut framer = Framer::new(1 << 30);
    loop {
        while let Some(message) = framer.next_message().unwrap() {
            let message = Message::decode(&message).unwrap();
            events.fetch_add(message.options.size.unwrap_or_default(), Ordering::Relaxed);
            if to_keep > 0 {
                to_keep -= 1;
                // Nobody may want them.
                let _ = sender.send(message.entries.clone());
            }
            if let Some(chunk) = &message.options.chunk
                && stream.write_all(&encode_ack(chunk)).await.is_err()
            {
                return;
            }
        }
        // Room for the rest of a message, so that its memory serves for the next one as well.
        let missing = framer.known_length().saturating_sub(framer.buffered());
        framer.buffer().reserve(missing.max(256 * 1024));
        match stream.read_buf(framer.buffer()).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
