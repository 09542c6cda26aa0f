//! Where an input listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Bytes of the path of a Unix socket at most: `sun_path` without its terminator, on Linux.
pub const MAX_SOCKET_PATH: usize = 107;

/// What stands before the path of a Unix socket.
const UNIX: &str = "unix:";

/// The address of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// `0.0.0.0:8888`
    Tcp(SocketAddr),
    /// `unix:/run/hikyaku/forward.sock`
    Unix(PathBuf),
}

impl ListenAddress {
    /// The IP address and port; `None` of a Unix socket.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

/// Text that is no [`ListenAddress`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadListenAddress {
    #[error(
        "expected an IP address and a port such as \"127.0.0.1:8888\", \"0.0.0.0:8888\" (all of IPv4) or \
         \"[::]:8888\", or the path of a Unix socket such as \"unix:/run/hikyaku/forward.sock\""
    )]
    Unknown,
    #[error("the path of a Unix socket has 1 to {MAX_SOCKET_PATH} bytes, this one has {0}")]
    PathLength(usize),
}

impl FromStr for ListenAddress {
    type Err = BadListenAddress;

    fn from_str(text: &str) -> Result<Self, BadListenAddress> {
        match text.strip_prefix(UNIX) {
            Some(path) if !(1..=MAX_SOCKET_PATH).contains(&path.len()) => {
                Err(BadListenAddress::PathLength(path.len()))
            }
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| BadListenAddress::Unknown),
        }
    }
}

/// As it is written in the configuration.
impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_they_are_shown() {
        for text in ["127.0.0.1:8888", "[::]:0", "unix:/run/hikyaku/forward.sock", "unix:relative.sock"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
        assert_eq!(":1".parse::<ListenAddress>(), Err(BadListenAddress::Unknown));
        assert_eq!("/run/x.sock".parse::<ListenAddress>(), Err(BadListenAddress::Unknown));
    }

    #[test]
    fn a_path_may_be_as_long_as_the_system_allows() {
        let with = |length: usize| format!("unix:{}", "x".repeat(length)).parse::<ListenAddress>();
        assert!(with(MAX_SOCKET_PATH).is_ok());
        assert_eq!(with(MAX_SOCKET_PATH + 1), Err(BadListenAddress::PathLength(MAX_SOCKET_PATH + 1)));
        assert_eq!(with(0), Err(BadListenAddress::PathLength(0)));
    }
}
