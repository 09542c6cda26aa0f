//! Who is at the other end, before it has said or proved anything.

use std::fmt;
use std::net::SocketAddr;

/// The other end of a connection, for log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Peer {
    Tcp(SocketAddr),
    /// A process of this machine, by the user that it runs as.
    Unix {
        uid: u32,
    },
}

impl From<SocketAddr> for Peer {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix { uid } => write!(formatter, "unix:uid={uid}"),
        }
    }
}
