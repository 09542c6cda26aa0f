//! `[[input]]`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::wire::limits::ContentLimits;

/// Bytes of memory that a message takes on its way through a file, besides an entry that is not whole yet.
pub(crate) const SPOOL_MEMORY: usize = 1024 * 1024;

/// One `[[input]]` of `type = "forward"`.
#[derive(Debug, Clone)]
pub struct InputConfig {
    pub id: String,
    pub listen: SocketAddr,
    /// `None`: plain TCP.
    pub tls: Option<TlsConfig>,
    /// Connections at one time; past it new ones are closed at once, counted. Default: 10,000.
    pub max_connections: usize,
    /// How long a TLS handshake may take. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Bytes of one message; a larger one is refused, counted. Default: 320 MiB, so that Fluentd's largest chunks
    /// (256 MiB) fit.
    pub max_message_size: usize,
    /// Bytes from which on a message goes through a file instead of through memory. What stays in memory must fit into
    /// half of a journal segment. Default: 8 MiB.
    pub spool_above: usize,
    /// Bytes of all messages together that are on their way through files; at the limit the senders wait. At least
    /// `max_message_size`. Default: 1 GiB.
    pub max_spool_size: usize,
    /// Bytes a second that must come of a message above `spool_above`, else its sender is cut off. Default: 64 KiB.
    pub min_rate: u64,
    /// Bytes of one entry; a message with a larger one is refused, counted. Default: 16 MiB.
    pub max_entry_size: usize,
    /// How deep arrays and maps may be nested in a record. Default: 128.
    pub max_depth: usize,
    /// Bytes of one message after inflating. Default: 1 GiB.
    pub max_inflated_size: u64,
    /// How many times its size a message may inflate to, past the first MiB. Default: 1,000.
    pub max_inflate_ratio: u64,
    /// Bytes that all connections of this input together may hold between reading and sync; at the limit the
    /// senders wait. At least what one message may take. Default: 256 MiB.
    pub max_in_flight: usize,
    /// Chunks of one connection that may wait for their sync at one time; at the limit its sender waits.
    /// Default: 64.
    pub max_pending_acks: usize,
}

impl InputConfig {
    /// Bytes of the largest message that goes through memory.
    pub fn max_size_in_memory(&self) -> usize {
        self.max_message_size.min(self.spool_above)
    }

    /// Whether there are messages that go through files.
    pub fn spools(&self) -> bool {
        self.max_message_size > self.spool_above
    }

    /// Bytes of memory that one message may take at most.
    pub fn max_memory_of_message(&self) -> usize {
        let spooled = if self.spools() { self.max_entry_size.saturating_add(SPOOL_MEMORY) } else { 0 };
        self.max_size_in_memory().max(spooled)
    }

    /// What the entries of a message may be.
    pub fn content_limits(&self) -> ContentLimits {
        ContentLimits {
            max_entry_size: self.max_entry_size,
            max_depth: self.max_depth,
            max_inflated_size: self.max_inflated_size,
            max_inflate_ratio: self.max_inflate_ratio,
        }
    }
}

/// `tls = { cert, key, client_ca }`
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// PEM with the server certificate and its chain.
    pub cert: PathBuf,
    /// PEM with the private key.
    pub key: PathBuf,
    /// PEM with the authorities that client certificates must come from. `None`: clients need no certificate.
    pub client_ca: Option<PathBuf>,
}
