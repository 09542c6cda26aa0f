//! What is done to a server by those who mean it no good.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzEncoder;
use hikyaku::tls::client::client_config;
use rustls::ClientConnection;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::support::{Scene, Server};

/// Addresses that the attackers come from, at most.
const ADDRESSES: usize = 200;

/// Attacks a second at most, all attackers together: they share a machine with the server, and this is no test of who
/// computes more. In between they hold a connection, as long as they are let.
const ATTACKS_PER_SECOND: usize = 300;

/// Between two bytes, or two bursts, of those that are slow.
const SLOW: Duration = Duration::from_millis(100);

/// Bytes of a bomb after inflating.
const BOMB: u64 = 64 << 20;

/// Where they go, and what they bring.
#[derive(Clone)]
pub(crate) struct Target(Arc<Shared>);

struct Shared {
    tls: SocketAddr,
    plain: SocketAddr,
    client_hello: Vec<u8>,
    bombs: [Vec<u8>; 2],
    attackers: usize,
    connected: AtomicUsize,
    attacks: AtomicUsize,
}

impl Target {
    pub(crate) fn new(scene: &Scene, tls: u16, plain: u16, attackers: usize) -> Self {
        let config = client_config(&scene.path("certs/ca.crt"), None).unwrap();
        let mut client = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let mut client_hello = Vec::new();
        client.write_tls(&mut client_hello).unwrap();
        let mut gzip = Vec::new();
        GzEncoder::new(io::repeat(0).take(BOMB), Compression::fast()).read_to_end(&mut gzip).unwrap();
        let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
        io::copy(&mut io::repeat(0).take(BOMB), &mut zstd).unwrap();
        let bombs =
            [("gzip", gzip), ("zstd", zstd.finish().unwrap())].map(|(kind, bytes)| bomb(kind, &bytes));
        Self(Arc::new(Shared {
            tls: (Ipv4Addr::LOCALHOST, tls).into(),
            plain: (Ipv4Addr::LOCALHOST, plain).into(),
            client_hello,
            bombs,
            attackers,
            connected: AtomicUsize::new(0),
            attacks: AtomicUsize::new(0),
        }))
    }

    /// Attackers that have come to a connection at least once.
    pub(crate) fn connected(&self) -> usize {
        self.0.connected.load(Ordering::Relaxed)
    }

    pub(crate) fn attacks(&self) -> usize {
        self.0.attacks.load(Ordering::Relaxed)
    }
}

/// What must have been turned away by name; the first that was not.
pub(crate) fn missing(server: &Server) -> Option<&'static str> {
    let metrics = server.get("metrics", "/metrics").1;
    [
        "refused_connections_total{input=\"edge\",reason=\"max_handshakes_by_address\"}",
        "refused_connections_total{input=\"edge\",reason=\"handshake_timeout\"}",
        "refused_connections_total{input=\"edge\",reason=\"not_tls\"}",
        "rejected_messages_total{input=\"containers\",reason=\"malformed\"}",
        "rejected_messages_total{input=\"containers\",reason=\"too_large\"}",
        "rejected_messages_total{input=\"containers\",reason=\"stalled\"}",
    ]
    .into_iter()
    .find(|sample| !metrics.contains(&format!("hikyaku_input_{sample} ")))
}

/// Attacks for ever, in the way and from the address that the number says.
pub(crate) async fn attack(number: usize, target: &Target) {
    let target = &*target.0;
    let kind = number % 12;
    let goal = if kind < 4 { target.tls } else { target.plain };
    let mut turn = Duration::from_secs_f64(number as f64 / ATTACKS_PER_SECOND as f64);
    let mut is_first = true;
    loop {
        let connected = connect(number, goal).await;
        if connected.is_ok() && is_first {
            target.connected.fetch_add(1, Ordering::Relaxed);
            is_first = false;
        }
        sleep(turn).await;
        turn = Duration::from_secs_f64(target.attackers as f64 / ATTACKS_PER_SECOND as f64);
        if let Ok(mut stream) = connected {
            target.attacks.fetch_add(1, Ordering::Relaxed);
            // Being cut off is what is meant to happen.
            let _ = assault(kind, number, &mut stream, target).await;
        }
    }
}

async fn connect(number: usize, goal: SocketAddr) -> io::Result<TcpStream> {
    let address = (number % ADDRESSES) as u8;
    let socket = TcpSocket::new_v4()?;
    // Silent ones come from few addresses.
    let address = if number.is_multiple_of(12) { address % 4 } else { address };
    socket.bind((Ipv4Addr::new(127, 0, 1, address), 0).into())?;
    socket.connect(goal).await
}

async fn assault(kind: usize, number: usize, stream: &mut TcpStream, target: &Shared) -> io::Result<()> {
    match kind {
        // Says nothing, to the TLS port.
        0 => {}
        // A handshake that takes for ever.
        1 => {
            for byte in &target.client_hello {
                stream.write_all(&[*byte]).await?;
                sleep(SLOW).await;
            }
        }
        2 | 4 => stream.write_all(&noise(number, 4096)).await?,
        // A handshake that stops in the middle.
        3 => stream.write_all(&target.client_hello).await?,
        5 | 6 => stream.write_all(&target.bombs[kind - 5]).await?,
        // Maps in maps, 100,000 deep.
        7 => stream.write_all(&[b"\x93\xa1t\x01".as_slice(), &b"\x81\xa1k".repeat(100_000)].concat()).await?,
        // A string, and a list, of 4 GiB.
        8 => {
            stream
                .write_all(
                    [&b"\x92\xa1t\xdb\xff\xff\xff\xff"[..], b"\x92\xa1t\xdd\xff\xff\xff\xff"]
                        [number / 12 % 2],
                )
                .await?
        }
        // Endless heartbeats.
        9 => loop {
            stream.write_all(&[0xc0; 4096]).await?;
            sleep(SLOW).await;
        },
        // Half of a large message, and nothing more.
        10 => {
            stream.write_all(b"\x92\xa1t\xc6\x00\x0f\x00\x00").await?;
            stream.write_all(&vec![0; 500_000]).await?;
        }
        // A client that is done speaking before its message is.
        _ => {
            stream.write_all(b"\x92\xa1t\xc6\x00\x00\x00\xff\x92\x01").await?;
            stream.shutdown().await?;
        }
    }
    tokio::io::copy(stream, &mut tokio::io::sink()).await.map(|_| ())
}

/// A message that is small and becomes large. It asks for an acknowledgement, so that it is repeated.
fn bomb(compression: &str, bytes: &[u8]) -> Vec<u8> {
    let mut message = b"\x93\xa4bomb\xc6".to_vec();
    message.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    message.extend_from_slice(bytes);
    message.extend_from_slice(b"\x82\xa5chunk\xa4");
    message.extend_from_slice(compression.as_bytes());
    message.extend_from_slice(b"\xaacompressed\xa4");
    message.extend_from_slice(compression.as_bytes());
    message
}

/// Bytes without a pattern, other ones for each seed (xorshift).
fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut state = seed as u64 * 2 + 1;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    })
    .flatten()
    .take(length)
    .collect()
}
