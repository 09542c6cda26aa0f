//! From the names of servers to where they are.
//!
//! What is asked of the DNS is behind [`Lookup`]; [`SystemLookup`] asks as this machine is configured to.

mod addresses;
#[cfg(test)]
pub(super) mod fake;
mod srv;
mod system;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

pub(super) use addresses::{Addresses, timed_out};
pub(super) use srv::{MAX_DISCOVERED, servers};
pub use system::SystemLookup;

use crate::config::HostPort;

/// An answer that is awaited.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Asks for names. Errors are shown to the operator: they should say which name and why.
pub trait Lookup: Send + Sync + fmt::Debug {
    /// The addresses of a host, IPv4 and IPv6, the preferred ones first.
    fn addresses<'a>(&'a self, address: &'a HostPort) -> Answer<'a, Vec<SocketAddr>>;

    /// The SRV records of a name such as `_fluentd._tcp.logs.example.com`.
    fn services<'a>(&'a self, name: &'a str) -> Answer<'a, Vec<ServiceRecord>>;
}

/// An SRV record as in [RFC 2782](https://www.rfc-editor.org/rfc/rfc2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRecord {
    /// The lowest is used first.
    pub priority: u16,
    /// The share among records of the same priority.
    pub weight: u16,
    /// Without a dot at its end; empty where the service decidedly does not exist.
    pub host: String,
    pub port: u16,
}
