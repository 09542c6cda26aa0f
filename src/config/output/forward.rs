//! `[[output]]` of `type = "forward"`

use std::path::PathBuf;
use std::time::Duration;

use super::ForwardPoolConfig;
use crate::chunk::Encoding;
use crate::config::CertificatePair;

/// What an output of `type = "forward"` has of its own.
#[derive(Debug, Clone)]
pub struct ForwardOutputConfig {
    /// The servers, and how to find out whether they are there.
    pub pool: ForwardPoolConfig,
    /// `None`: plain TCP.
    pub tls: Option<ClientTlsConfig>,
    /// What this client calls itself in the handshake with a shared key. `None`: as the server does, `server.name`.
    pub self_hostname: Option<String>,
    /// How entries go out that are not passed through as they are. Only with Zstandard are the senders' own Zstandard
    /// chunks passed through, since few servers read it. Default: plain.
    pub compress: Encoding,
    /// What becomes of Fluent Bit's metadata. Default: dropped.
    pub metadata: MetadataHandling,
    /// Whether a chunk is delivered when the server acknowledges it, or already when it is written. Default: true.
    pub acks: bool,
    /// How long a server may take to acknowledge a message that it has whole. Default: 190 s.
    pub ack_timeout: Duration,
    /// How long writing one message may take. Default: 60 s.
    pub send_timeout: Duration,
    /// How long a connection may take, TLS and the handshake included. Default: 10 s.
    pub connect_timeout: Duration,
    /// Age at which a connection is made anew, between two messages. Zero: a connection for each message.
    /// Default: 10 min.
    pub keepalive_timeout: Duration,
    /// Bytes of entries in one message before they are compressed; larger chunks go out in pieces. An entry that is
    /// larger goes out alone. Default: 8 MiB.
    pub chunk_size: usize,
    /// Messages under way at one time, each over a connection of its own. Default: 4.
    pub connections: usize,
    /// Messages in doubt that may wait for their server while others go on. Default: 8.
    pub max_in_doubt: usize,
    /// How long a message in doubt waits for its server before another one gets it. Default: 10 min.
    pub in_doubt_timeout: Duration,
    /// How often the cursor is saved and the journal released. Default: 1 s.
    pub checkpoint_interval: Duration,
    /// When a message that can't be delivered is given up; `None`: never. Default: after 72 h.
    pub give_up: Option<GiveUpConfig>,
    /// Whether the process refuses to start while no server can be reached. Default: false.
    pub verify_connection_at_startup: bool,
}

/// `retry_timeout`, `secondary`, of an output of either type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiveUpConfig {
    /// For how long the output must have failed with it, and how old it must be: a message, or what a file is to get.
    pub after: Duration,
    /// The output that gets it; `None`: the dead letters.
    pub secondary: Option<String>,
}

/// `tls = { ca, cert, key, server_name }`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTlsConfig {
    /// PEM with the authorities that the servers' certificates must come from.
    pub ca: PathBuf,
    /// PEM with the client certificate and its chain, and PEM with its key. `None`: no client certificate.
    pub identity: Option<CertificatePair>,
    /// The name that the servers' certificates must carry. `None`: the host of each server's address.
    pub server_name: Option<String>,
    /// How often it looks whether one of these files has changed; zero: only on HUP. Default: 10 s.
    pub reload_interval: Duration,
}

/// `metadata`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetadataHandling {
    /// `[[time, metadata], record]`, which Fluent Bit and hikyaku read.
    Keep,
    /// `[time, record]`: Fluentd cannot read the other form, and never acknowledges a chunk that holds it.
    Drop,
}
