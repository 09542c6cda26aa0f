//! A proxy between senders and a server that loses acknowledgements, as a network does: with the connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An acknowledgement of `hikyaku send` as a TLS 1.3 record: `{"ack": 24 characters}`, a type and a tag. Nothing else that
/// a server sends is as long.
const ACK_RECORD: usize = 30 + 1 + 16;
const RECORD_HEADER: usize = 5;

/// A proxy that goes on until the process ends.
pub(crate) struct AckProxy {
    pub(crate) port: u16,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    acks: AtomicU64,
    lost: AtomicU64,
}

impl AckProxy {
    /// Stands before a server and loses one acknowledgement in so many, and the connection with it.
    pub(crate) fn start(server_port: u16, one_in: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", server_port)))
                else {
                    // Like a server that is not there; the sender tries again.
                    continue;
                };
                let counts = Arc::clone(&shared);
                std::thread::spawn(move || serve(&client, &server, one_in, &counts));
            }
        });
        Self { port, counts }
    }

    /// How many acknowledgements came from the server, and how many of them were lost.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.counts.acks.load(Ordering::Relaxed), self.counts.lost.load(Ordering::Relaxed))
    }
}

/// Ends with either side.
fn serve(client: &TcpStream, server: &TcpStream, one_in: u64, counts: &Counts) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Whatever ends it, the other direction notices.
            let _ = std::io::copy(&mut &*client, &mut &*server);
            let _ = server.shutdown(Shutdown::Write);
        });
        pass_records(server, client, one_in, counts);
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    });
}

/// Passes TLS records on, until one is lost.
fn pass_records(mut from: &TcpStream, mut to: &TcpStream, one_in: u64, counts: &Counts) {
    let mut header = [0; RECORD_HEADER];
    while from.read_exact(&mut header).is_ok() {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let mut record = header.to_vec();
        record.resize(RECORD_HEADER + length, 0);
        if from.read_exact(&mut record[RECORD_HEADER..]).is_err() {
            return;
        }
        if length == ACK_RECORD && counts.acks.fetch_add(1, Ordering::Relaxed) % one_in == one_in - 1 {
            counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if to.write_all(&record).is_err() {
            return;
        }
    }
}
