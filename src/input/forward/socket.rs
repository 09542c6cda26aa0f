//! The sockets that an input listens on: TCP, Unix, and UDP for heartbeats.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::unix_socket::UnixSocket;
use crate::config::{InputConfig, ListenAddress};

/// Connections that the kernel holds until they are accepted.
pub(super) const BACKLOG: i32 = 1024;

/// How many free TCP ports are tried until one of them is free for UDP as well, where the configuration says port 0.
const FREE_PORT_ATTEMPTS: usize = 20;

/// What an input listens on.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) listener: Listener,
    /// With the port that the system chose where the configuration says 0.
    pub(super) address: ListenAddress,
    /// Where heartbeats come in.
    pub(super) heartbeats: Option<tokio::net::UdpSocket>,
}

/// Where connections come in.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(UnixSocket),
}

/// A connection, and who is at its other end.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream, u32),
}

impl Sockets {
    /// Binds what the configuration names; within a tokio runtime.
    pub(super) fn bind(config: &InputConfig) -> io::Result<Self> {
        let listen = match &config.listen {
            ListenAddress::Tcp(address) => *address,
            ListenAddress::Unix(path) => {
                let listener = Listener::Unix(UnixSocket::bind(path, config.socket_mode)?);
                return Ok(Self { listener, address: config.listen.clone(), heartbeats: None });
            }
        };
        let mut attempts = if listen.port() == 0 { FREE_PORT_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            let listener = bind_tcp(listen)?;
            let address = listener.local_addr()?;
            let heartbeats = match config.udp_heartbeat.then(|| bind_udp(address)).transpose() {
                Err(error) if attempts > 0 && error.kind() == io::ErrorKind::AddrInUse => continue,
                heartbeats => heartbeats?,
            };
            return Ok(Self { listener: Listener::Tcp(listener), address: address.into(), heartbeats });
        }
    }
}

impl Listener {
    /// The next connection. Safe to cancel.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                listener.accept().await.map(|(stream, address)| Accepted::Tcp(stream, address))
            }
            Self::Unix(socket) => socket.accept().await.map(|(stream, uid)| Accepted::Unix(stream, uid)),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn bind_udp(address: SocketAddr) -> io::Result<tokio::net::UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    tokio::net::UdpSocket::from_std(socket)
}
