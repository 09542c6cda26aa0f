//! `[[input]]`

use std::path::PathBuf;
use std::time::Duration;

use super::ListenAddress;
use crate::pipeline::field_path::FieldPath;

/// Who may connect to a Unix socket unless the configuration says otherwise: its owner and group.
pub const DEFAULT_SOCKET_MODE: u32 = 0o660;

/// One `[[input]]` of `type = "forward"`.
#[derive(Debug, Clone)]
pub struct InputConfig {
    pub id: String,
    pub listen: ListenAddress,
    /// Permissions of a Unix socket. Default: [`DEFAULT_SOCKET_MODE`].
    pub socket_mode: u32,
    /// Whether datagrams to the same address and port are answered, as Fluentd's senders want it; never of a Unix
    /// socket. Default: yes.
    pub udp_heartbeat: bool,
    /// `None`: plain TCP.
    pub tls: Option<TlsConfig>,
    /// Connections at one time; past it new ones are closed at once, counted. Default: 10,000.
    pub max_connections: usize,
    /// How long a TLS handshake may take. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Bytes of one message; a larger one is refused, counted. At most half of a journal segment. Default: 16 MiB.
    pub max_message_size: usize,
    /// Bytes of one message after inflating. Default: 256 MiB.
    pub max_inflated_size: usize,
    /// Bytes that all connections of this input together may hold between reading and sync; at the limit the
    /// senders wait. At least `max_message_size`. Default: 256 MiB.
    pub max_in_flight: usize,
    /// Chunks of one connection that may wait for their sync at one time; at the limit its sender waits.
    /// Default: 64.
    pub max_pending_acks: usize,
    /// Takes the place of the senders' tags. Default: their own.
    pub tag: Option<String>,
    /// Stands before every tag, with a dot between them. Default: nothing.
    pub add_tag_prefix: Option<String>,
    /// The field of each record that gets Fluent Bit's metadata. Default: it is dropped.
    pub metadata_field: Option<FieldPath>,
    /// Whether the name of a sender's host is looked up by its address. Default: no.
    pub resolve_hostname: bool,
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
