//! `hikyaku send`: events from standard input, or made up as load, to a server.

mod chunks;
mod ids;
mod interruption;
mod json;
mod load;
mod report;
mod source;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::chunk::Encoding;
use crate::client::chunks::{ChunkQueue, ChunkSource};
use crate::client::connection::{Endpoint, EndpointHandshake, EndpointTls, UNIX};
use crate::client::delivery::{DeliveryError, DeliveryLimits, deliver};
use crate::config::Secret;
use crate::tls::client::{ClientIdentity, client_config};
use chunks::ChunkBuilder;
use ids::MessageIds;
use interruption::Interruption;
use load::Load;
use report::Report;
use source::{SourceError, feed_lines};

/// Certificates that `hikyaku certs` and `run --dev` make are found without naming them.
const DEFAULT_CERTS: &str = "certs";

/// Chunks that wait for a free connection.
const QUEUE_LENGTH: usize = 16;

/// Send events to a forward server and wait until it has acknowledged them
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    echo '{\"customer_name\":\"acme\",\"fqdn\":\"www.example.com\"}' | hikyaku send nginx.access\n  \
    hikyaku send nginx.access --count 1000000 --connections 4      a million made-up events\n  \
    hikyaku send app.log --server 127.0.0.1:24224 --plain < app.jsonl\n\n\
    Ctrl-C and TERM end it in order: what was sent is waited for. A second one leaves at once.\n\
    Exit codes: 0 all acknowledged (of --count: all that were made up so far, where a signal ended it),\n    \
    1 something was not sent or not acknowledged, 2 wrong arguments.")]
pub(super) struct Arguments {
    /// The tag of the events, as nginx.access
    tag: String,
    /// Where the server listens; `unix:` and a path for a Unix socket
    #[arg(long, value_name = "HOST:PORT|unix:PATH", default_value = "127.0.0.1:8888")]
    server: String,
    /// Plain TCP, without TLS
    #[arg(long)]
    plain: bool,
    /// PEM with the authority of the server's certificate [default: certs/ca.crt]
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    ca: Option<PathBuf>,
    /// PEM with the client certificate [default: certs/client.crt]
    #[arg(long, value_name = "FILE", conflicts_with = "plain", requires = "key")]
    cert: Option<PathBuf>,
    /// PEM with the client's key [default: certs/client.key]
    #[arg(long, value_name = "FILE", conflicts_with = "plain", requires = "cert")]
    key: Option<PathBuf>,
    /// The name in the server's certificate [default: the host of --server]
    #[arg(long, value_name = "NAME", conflicts_with = "plain")]
    server_name: Option<String>,
    /// The shared key, where the server asks for one; better in the environment than on a command line
    #[arg(long, value_name = "KEY", env = "HIKYAKU_SHARED_KEY", hide_env_values = true)]
    shared_key: Option<String>,
    /// The user, where the server asks for one
    #[arg(long, value_name = "NAME", requires = "shared_key")]
    user: Option<String>,
    /// The password of the user
    #[arg(long, value_name = "PASSWORD", env = "HIKYAKU_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Do not ask for acknowledgements: faster to say done, and nobody knows what arrived
    #[arg(long)]
    no_ack: bool,
    /// Compress messages
    #[arg(long, value_name = "HOW")]
    compress: Option<Compression>,
    /// The same as --compress gzip
    #[arg(long, hide = true, conflicts_with = "compress")]
    gzip: bool,
    /// Events in one message at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    chunk_events: u64,
    /// Messages of one connection that may wait for their acknowledgement
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    window: u16,
    /// Seconds to go on trying without any acknowledgement
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
    /// Make up this many events instead of reading them
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Made-up events a second, over all connections [default: as fast as they are acknowledged]
    #[arg(long, value_name = "N", requires = "count", value_parser = clap::value_parser!(u64).range(1..))]
    rate: Option<u64>,
    /// Connections at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Customers that made-up events are spread over, each with a host of its own
    #[arg(long, value_name = "N", default_value_t = 60, requires = "count", value_parser = clap::value_parser!(u64).range(1..))]
    customers: u64,
    /// Seconds after the start whose acknowledgements do not count for the latencies
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide = true)]
    settle: u64,
    /// Print the result as JSON on standard output
    #[arg(long)]
    json: bool,
}

/// How messages are compressed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Compression {
    Gzip,
    /// Understood by hikyaku and by Fluentd since 1.19
    Zstd,
}

/// Sending can't begin, or did not end well.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Tls(#[from] crate::tls::pem::TlsError),
    #[error("{0:?} is no name that a server certificate could carry: give one with --server-name")]
    ServerName(String),
    #[error("{} is not there. Make certificates with `hikyaku certs`, name them with --ca, --cert and --key, or use --plain", .0.display())]
    NoCertificates(PathBuf),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    #[error("left before everything was acknowledged")]
    Interrupted,
    #[error("cannot start: {0}")]
    Runtime(#[from] io::Error),
}

impl Arguments {
    pub(super) fn execute(self) -> ExitCode {
        let report = Arc::new(Report::new(self.count, Duration::from_secs(self.settle)));
        let sent = self.run(&report);
        let complete = sent.is_ok() && report.refused_lines() == 0;
        report.finish(self.json, complete);
        match sent {
            Ok(()) if complete => ExitCode::SUCCESS,
            Ok(()) => ExitCode::FAILURE,
            Err(error) => {
                super::complain(error);
                ExitCode::FAILURE
            }
        }
    }

    fn run(&self, report: &Arc<Report>) -> Result<(), SendError> {
        let endpoint = self.endpoint()?;
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?
            .block_on(self.send(endpoint, report))
    }

    async fn send(&self, endpoint: Endpoint, report: &Arc<Report>) -> Result<(), SendError> {
        let interruption = Interruption::register()?;
        let stop = CancellationToken::new();
        tokio::select! {
            sent = self.send_until(&stop, endpoint, report) => sent,
            () = interruption.second(&stop) => Err(SendError::Interrupted),
        }
    }

    /// Ends when there is no more to send, or `stop` is cancelled, and everything is acknowledged.
    async fn send_until(
        &self,
        stop: &CancellationToken,
        endpoint: Endpoint,
        report: &Arc<Report>,
    ) -> Result<(), SendError> {
        let ids = (!self.no_ack).then(MessageIds::new);
        let encoding = match self.compress {
            Some(Compression::Zstd) => Encoding::Zstd,
            Some(Compression::Gzip) => Encoding::Gzip,
            None if self.gzip => Encoding::Gzip,
            None => Encoding::Plain,
        };
        if let Some(count) = self.count {
            let load = Load {
                tag: &self.tag,
                count,
                rate: self.rate,
                customers: self.customers,
                run: &format!("{:08x}", std::process::id()),
                chunk_events: self.chunk_events,
                ids,
                encoding,
            };
            return self.deliver(load.sources(self.connections, stop), &endpoint, report).await;
        }
        if io::stdin().is_terminal() {
            report.hint("reading JSON lines from standard input; end with Ctrl-D");
        }
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        let queue: ChunkQueue = Arc::new(Mutex::new(receiver));
        let chunks = ChunkBuilder::new(&self.tag, self.chunk_events, ids, encoding);
        // The connections alone hold the queue, so that reading ends when the last of them has given up.
        let queues = std::iter::repeat_n(queue, self.connections.into());
        let (fed, delivered) =
            tokio::join!(feed_lines(chunks, sender, report, stop), self.deliver(queues, &endpoint, report),);
        delivered.and(fed.map_err(SendError::from))
    }

    /// Opens a connection for each source, and ends when all of them have.
    async fn deliver<S: ChunkSource + 'static>(
        &self,
        sources: impl Iterator<Item = S>,
        endpoint: &Endpoint,
        report: &Arc<Report>,
    ) -> Result<(), SendError> {
        let limits =
            DeliveryLimits { window: usize::from(self.window), patience: Duration::from_secs(self.timeout) };
        let mut connections = JoinSet::new();
        for source in sources {
            let (endpoint, report) = (endpoint.clone(), Arc::clone(report));
            connections.spawn(async move {
                deliver(&endpoint, source, limits, |progress| report.note(progress)).await
            });
        }
        let mut result = Ok(());
        while let Some(joined) = connections.join_next().await {
            let delivered = joined.map_err(io::Error::other)?;
            if result.is_ok() {
                result = delivered.map_err(SendError::from);
            }
        }
        result
    }

    fn endpoint(&self) -> Result<Endpoint, SendError> {
        let address = self.server.clone();
        if self.plain || address.starts_with(UNIX) {
            return Ok(Endpoint { address, tls: None, handshake: self.handshake() });
        }
        let certs = Path::new(DEFAULT_CERTS);
        let ca = self.ca.clone().unwrap_or_else(|| certs.join("ca.crt"));
        if self.ca.is_none() && !ca.exists() {
            return Err(SendError::NoCertificates(ca));
        }
        let cert = self.cert.clone().unwrap_or_else(|| certs.join("client.crt"));
        let key = self.key.clone().unwrap_or_else(|| certs.join("client.key"));
        let identity =
            (self.cert.is_some() || cert.exists()).then_some(ClientIdentity { cert: &cert, key: &key });
        let config = client_config(&ca, identity)?;
        let host = self.server.rsplit_once(':').map_or(self.server.as_str(), |(host, _)| host);
        let name = self.server_name.as_deref().unwrap_or(host.trim_matches(['[', ']'])).to_owned();
        let server_name = name.clone().try_into().map_err(|_| SendError::ServerName(name))?;
        Ok(Endpoint { address, tls: Some(EndpointTls { config, server_name }), handshake: self.handshake() })
    }

    fn handshake(&self) -> Option<EndpointHandshake> {
        let shared_key = self.shared_key.clone().map(Secret::new)?;
        let user =
            self.user.clone().map(|user| (user, Secret::new(self.password.clone().unwrap_or_default())));
        // Not the name of this host alone: the server on it may have that.
        let self_hostname = format!("{}-send", crate::config::host_name());
        Some(EndpointHandshake { self_hostname, shared_key, user })
    }
}
