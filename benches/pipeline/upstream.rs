//! A forward server that takes everything, acknowledges it, and keeps what a test of the floor needs.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use hikyaku::wire::ack::encode_ack;
use hikyaku::wire::framing::Framer;
use hikyaku::wire::message::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    /// The entries of the first messages.
    pub(crate) entries: Receiver<Bytes>,
    _runtime: tokio::runtime::Runtime,
}

/// Messages of a connection whose entries are kept.
pub(crate) const KEPT: usize = 60;

impl Upstream {
    /// Listens on a port of its own.
    pub(crate) fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, entries) = channel();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sender.clone()));
            }
        });
        Self { address, entries, _runtime: runtime }
    }
}

async fn serve(mut stream: TcpStream, sender: Sender<Bytes>) {
    let mut framer = Framer::new(1 << 30);
    let mut kept = 0;
    loop {
        while let Some(message) = framer.next_message().unwrap() {
            let message = Message::decode(&message).unwrap();
            if kept < KEPT {
                kept += 1;
                // Nobody may want them.
                let _ = sender.send(message.entries.clone());
            }
            if let Some(chunk) = &message.options.chunk
                && stream.write_all(&encode_ack(chunk)).await.is_err()
            {
                return;
            }
        }
        framer.buffer().reserve(256 * 1024);
        match stream.read_buf(framer.buffer()).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}
