//! The addresses of one server, looked up again when they are old.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Lookup;
use crate::config::HostPort;

/// Where one server is. Looks names up by itself and remembers the answers for `expire_dns_cache`.
#[derive(Debug)]
pub(in crate::output::forward) struct Addresses {
    address: HostPort,
    lookup: Arc<dyn Lookup>,
    expiry: Duration,
    round_robin: bool,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    addresses: Vec<SocketAddr>,
    /// When they were looked up; `None`: they are to be looked up again, and hold until there is a better answer.
    at: Option<Instant>,
    /// Counts how often they were asked for.
    turn: usize,
    /// Whether the last lookup failed, so that a failure is logged once.
    failing: bool,
}

impl Addresses {
    /// `expiry` zero: looked up each time. With `round_robin` each address is the first one in turn.
    pub(in crate::output::forward) fn new(
        address: HostPort,
        lookup: Arc<dyn Lookup>,
        expiry: Duration,
        round_robin: bool,
    ) -> Self {
        Self { address, lookup, expiry, round_robin, known: Mutex::default() }
    }

    /// All addresses, in the order in which to try them; never empty.
    ///
    /// # Errors
    /// Where the name can't be looked up and never could. After that the last known addresses hold.
    pub(in crate::output::forward) async fn get(&self) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = self.address.host().parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, self.address.port())]);
        }
        let is_fresh = self.known().at.is_some_and(|at| at.elapsed() < self.expiry);
        if !is_fresh {
            let answer = self.lookup.addresses(&self.address).await.and_then(|addresses| {
                let empty = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                if addresses.is_empty() { Err(empty()) } else { Ok(addresses) }
            });
            self.learn(answer)?;
        }
        let mut known = self.known();
        let mut addresses = known.addresses.clone();
        if self.round_robin && !addresses.is_empty() {
            let first = known.turn % addresses.len();
            addresses.rotate_left(first);
            known.turn = known.turn.wrapping_add(1);
        }
        Ok(addresses)
    }

    /// Makes the next use look the name up again: the server may have moved.
    pub(in crate::output::forward) fn expire(&self) {
        self.known().at = None;
    }

    /// Opens a TCP connection to the first address that takes it; each may take as long as `patience`.
    ///
    /// # Errors
    /// What the last address said, or that the name can't be looked up.
    pub(in crate::output::forward) async fn connect(&self, patience: Duration) -> io::Result<TcpStream> {
        let mut last_error = None;
        for address in self.get().await? {
            match tokio::time::timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last_error = Some(self.at(address, error)),
                Err(_) => last_error = Some(self.at(address, timed_out(patience))),
            }
        }
        Err(last_error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
    }

    /// An error with the address that it came from, where the name alone doesn't tell.
    pub(in crate::output::forward) fn at(&self, address: SocketAddr, error: io::Error) -> io::Error {
        if self.address.host().parse() == Ok(address.ip()) {
            return error;
        }
        io::Error::new(error.kind(), format!("{}: {error}", address.ip()))
    }

    fn learn(&self, answer: io::Result<Vec<SocketAddr>>) -> io::Result<()> {
        let mut known = self.known();
        match answer {
            Ok(addresses) => {
                if known.failing {
                    tracing::info!(name = %self.address, "the name can be looked up again");
                }
                *known = Known { addresses, at: Some(Instant::now()), turn: known.turn, failing: false };
                Ok(())
            }
            Err(error) => {
                let error =
                    io::Error::new(error.kind(), format!("cannot look up {}: {error}", self.address.host()));
                if known.addresses.is_empty() {
                    return Err(error);
                }
                if !known.failing {
                    tracing::warn!(%error, "going on with the addresses known so far");
                }
                known.failing = true;
                Ok(())
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something took longer than `patience`.
pub(in crate::output::forward) fn timed_out(patience: Duration) -> io::Error {
    let message = format!("no answer within {} ms", patience.as_millis());
    io::Error::new(io::ErrorKind::TimedOut, message)
}

#[cfg(test)]
mod tests;
