//! `[[input]]`

use std::path::PathBuf;
use std::time::Duration;

use super::{ListenAddress, OwnershipConfig, SecurityConfig};
use crate::pipeline::field_path::FieldPath;
use crate::wire::limits::ContentLimits;

/// Who may connect to a Unix socket unless the configuration says otherwise: its owner and group.
pub const DEFAULT_SOCKET_MODE: u32 = 0o660;

/// Bytes of memory that a message takes on its way through a file, besides an entry that is not whole yet.
pub(crate) const SPOOL_MEMORY: usize = 1024 * 1024;

/// One `[[input]]` of `type = "forward"`.
#[derive(Debug, Clone)]
pub struct InputConfig {
    pub id: String,
    pub listen: ListenAddress,
    /// Where its events begin. Default: `None`, in the default pipeline.
    pub pipeline: Option<String>,
    /// Permissions of a Unix socket. Default: [`DEFAULT_SOCKET_MODE`].
    pub socket_mode: u32,
    /// Whether datagrams to the same address and port are answered, as Fluentd's senders want it; never of a Unix
    /// socket. Default: yes.
    pub udp_heartbeat: bool,
    /// `None`: plain TCP.
    pub tls: Option<TlsConfig>,
    /// `None`: no shared key handshake.
    pub security: Option<SecurityConfig>,
    /// Connections at one time; past it new ones are closed at once, counted. Default: 10,000.
    pub max_connections: usize,
    /// Connections that one sender may have at one time; past it new ones are closed, counted. Default: 1000.
    pub max_connections_by_sender: usize,
    /// Connections from one address (IPv6: from one /64 network) whose sender is not known yet; past it new ones are
    /// closed at once, counted. Default: 1000.
    pub max_handshakes_by_address: usize,
    /// How long a TLS handshake may take. Default: 10 s.
    pub handshake_timeout: Duration,
    /// How long a connection may be without a byte before it is closed. Default: `None`, for ever.
    pub idle_timeout: Option<Duration>,
    /// How long the rest of a message may take to go on coming, and an acknowledgement to be taken. Who stalls holds
    /// a part of `max_in_flight` that others wait for. Default: 60 s.
    pub stall_timeout: Duration,
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
    /// Bytes that the connections of one sender together may hold; at the limit this sender waits. One message
    /// always fits. Default: 64 MiB.
    pub max_in_flight_by_sender: usize,
    /// Chunks of one connection that may wait for their sync at one time; at the limit its sender waits.
    /// Default: 64.
    pub max_pending_acks: usize,
    /// Events that one sender may send in a second, over all its connections; past it this sender waits. Default:
    /// `None`, no limit.
    pub max_events_per_second: Option<u64>,
    /// Bytes of messages that one sender may send in a second; past it this sender waits. Default: `None`, no limit.
    pub max_bytes_per_second: Option<u64>,
    /// How long a refused message is remembered, counted from its last refusal: refused three times, it is taken into
    /// the dead letters. Default: 1 h.
    pub refusal_window: Duration,
    /// Refused messages that are remembered; past it the sender that has most of them loses its oldest. Default:
    /// 10,000.
    pub max_remembered_refusals: usize,
    /// Takes the place of the senders' tags. Default: their own.
    pub tag: Option<String>,
    /// Stands before every tag, with a dot between them. Default: nothing.
    pub add_tag_prefix: Option<String>,
    /// The field of each record that gets Fluent Bit's metadata. Default: it is dropped.
    pub metadata_field: Option<FieldPath>,
    /// What its senders may write. Default: anything.
    pub ownership: Option<OwnershipConfig>,
    /// Whether the name of a sender's host is looked up by its address. Default: no.
    pub resolve_hostname: bool,
}

impl InputConfig {
    /// Bytes of the largest message that goes through memory.
    pub fn max_size_in_memory(&self) -> usize {
        self.max_message_size.min(self.spool_above)
    }

    /// The tag that it makes of a sender's: `tag` and `add_tag_prefix`.
    pub fn tagged(&self, sent: &str) -> String {
        let tag = self.tag.as_deref().unwrap_or(sent);
        self.add_tag_prefix.as_ref().map_or_else(|| tag.to_owned(), |prefix| format!("{prefix}.{tag}"))
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

/// `tls = { … }`
#[derive(Debug, Clone)]
pub struct TlsConfig {
    /// PEM with the server certificate and its chain, for clients that ask for no name or for one that no certificate
    /// has.
    pub cert: PathBuf,
    /// PEM with its private key.
    pub key: PathBuf,
    /// More certificates, chosen by the name that a client asks for.
    pub certificates: Vec<CertificatePair>,
    /// PEM files with the authorities that client certificates must come from. Empty: clients need no certificate.
    pub client_ca: Vec<PathBuf>,
    /// Revocation lists, PEM or DER. Only with `client_ca`.
    pub crl: Vec<PathBuf>,
    /// Whether a list past its next update refuses all clients of its authority. Default: no.
    pub refuse_when_crl_expired: bool,
    /// How often the files are looked at; zero: only on HUP. Default: 10 s.
    pub reload_interval: Duration,
}

/// A certificate with its chain, and its private key: PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePair {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl TlsConfig {
    /// With one certificate, clients that need none, and the defaults of everything else.
    pub fn new(cert: PathBuf, key: PathBuf) -> Self {
        Self {
            cert,
            key,
            certificates: Vec::new(),
            client_ca: Vec::new(),
            crl: Vec::new(),
            refuse_when_crl_expired: false,
            reload_interval: Duration::from_secs(10),
        }
    }

    /// All server certificates, the one for every other name first.
    pub fn pairs(&self) -> impl Iterator<Item = CertificatePair> {
        let first = CertificatePair { cert: self.cert.clone(), key: self.key.clone() };
        std::iter::once(first).chain(self.certificates.iter().cloned())
    }
}
