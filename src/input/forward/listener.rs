//! Listening, and accepting within limits.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::net::NetError;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::backoff::Backoff;
use super::budget::Budget;
use super::connection;
use super::heartbeat;
use super::host_names::HostNames;
use super::intake::Intake;
use super::message_memory::MessageMemory;
use super::peer::Peer;
use super::refused::Refusals;
use super::senders::Senders;
use super::session::Shared;
use super::socket::{Accepted, Listener, Sockets};
use super::tagging::Tagging;
use super::warnings::Warnings;
use crate::config::{InputConfig, ListenAddress};
use crate::input::ChunkSink;
use crate::metrics::InputMetrics;
use crate::tls::pem::TlsError;
use crate::tls::reload::ReloadTrigger;
use crate::tls::server::ReloadingServerConfig;

/// When an idle connection is asked whether its peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How often folded warnings are written.
const FOLD_INTERVAL: Duration = Duration::from_secs(1);

/// A forward input whose port is bound, and whose certificates are read.
#[derive(Debug)]
pub struct ForwardInput {
    config: InputConfig,
    sockets: Sockets,
    host_names: Option<HostNames>,
    tls: Option<Arc<ReloadingServerConfig>>,
}

/// Why an input cannot start. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("input {id:?}: {source}")]
    Tls { id: String, source: TlsError },
    #[error("input {id:?} cannot listen on {address}: {source}{advice}", advice = advice(address, source))]
    Listen { id: String, address: ListenAddress, source: io::Error },
    #[error("input {id:?} has `resolve_hostname`, and this machine's resolver cannot be used: {reason}")]
    Resolver { id: String, reason: String },
}

fn advice(address: &ListenAddress, error: &io::Error) -> &'static str {
    if let ListenAddress::Unix(_) = address {
        return match error.kind() {
            io::ErrorKind::AddrInUse => {
                "; another process listens there, or the file is no socket: stop it, or give this input another `listen`"
            }
            io::ErrorKind::NotFound => "; make its folder, or correct `listen`",
            io::ErrorKind::PermissionDenied => "; let this user write to its folder",
            _ => "",
        };
    }
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process has the port, for TCP or (`udp_heartbeat`) for UDP: stop it, or give this input another `listen`"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address: correct `listen`",
        io::ErrorKind::PermissionDenied => "; ports below 1024 need the capability CAP_NET_BIND_SERVICE",
        _ => "",
    }
}

impl ForwardInput {
    /// Reads the certificates and binds the port; within a tokio runtime.
    pub fn bind(config: &InputConfig) -> Result<Self, BindError> {
        let tls = match &config.tls {
            None => None,
            Some(tls) => {
                let files = ReloadingServerConfig::load(tls.clone())
                    .map_err(|source| BindError::Tls { id: config.id.clone(), source })?;
                Some(Arc::new(files))
            }
        };
        let resolver_error =
            |error: NetError| BindError::Resolver { id: config.id.clone(), reason: error.to_string() };
        let host_names = config.resolve_hostname.then(HostNames::new).transpose().map_err(resolver_error)?;
        let sockets = Sockets::bind(config).map_err(|source| BindError::Listen {
            id: config.id.clone(),
            address: config.listen.clone(),
            source,
        })?;
        Ok(Self { config: config.clone(), sockets, host_names, tls })
    }

    /// Where it listens; the port is known also where the configuration says 0.
    pub fn local_addr(&self) -> &ListenAddress {
        &self.sockets.address
    }

    /// What makes it look at its TLS files now; `None` without TLS.
    pub fn reload_trigger(&self) -> Option<ReloadTrigger> {
        self.tls.as_ref().map(|tls| tls.trigger())
    }

    /// Accepts and serves until `shutdown`. Then nothing more is accepted or read, what was read is stored and
    /// acknowledged, and this returns when the last connection has ended: the caller bounds how long that may take.
    pub async fn run<J: ChunkSink>(self, journal: J, metrics: InputMetrics, shutdown: CancellationToken) {
        let Self { config, sockets, host_names, tls } = self;
        let Sockets { listener, address, heartbeats } = sockets;
        tracing::info!(input = config.id, %address, tls = tls.is_some(), "listening");
        let budget = Budget::new(
            config.max_in_flight,
            config.max_memory_of_message(),
            metrics.in_flight_bytes.clone(),
        );
        let shared = Arc::new(Shared {
            id: config.id.as_str().into(),
            journal,
            spool_budget: budget.beside(
                config.max_spool_size,
                config.max_message_size,
                metrics.spool_bytes.clone(),
            ),
            budget,
            message_memory: MessageMemory::new(metrics.spare_bytes.clone()),
            intake: Intake::new(config.content_limits()),
            senders: Senders::new(&config),
            refusals: Refusals::new(&config, &metrics),
            tagging: Tagging::new(&config),
            warnings: Warnings::default(),
            host_names,
            shutdown: shutdown.clone(),
            metrics,
            config,
        });
        let connections = TaskTracker::new();
        let serving = async {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = accept(&listener, tls.as_deref(), &shared, &connections) => {}
                () = answer_heartbeats(heartbeats.as_ref(), &shared.id) => {}
            }
            // Closed now, so that senders turn to another server.
            drop((listener, heartbeats));
            connections.close();
            connections.wait().await;
        };
        tokio::select! {
            () = serving => {}
            () = write_folded_warnings(&shared) => {}
            () = follow_files(tls.as_ref(), &shared) => {}
        }
        log_folded(&shared, Instant::now() + FOLD_INTERVAL);
        tracing::info!(input = &*shared.id, "stopped");
    }
}

/// Never ends, also where there are none to answer.
async fn answer_heartbeats(socket: Option<&UdpSocket>, input: &str) {
    match socket {
        Some(socket) => heartbeat::answer(socket, input).await,
        None => std::future::pending().await,
    }
}

/// Never ends by itself: an accept that fails is tried again.
async fn accept<J: ChunkSink>(
    listener: &Listener,
    tls: Option<&ReloadingServerConfig>,
    shared: &Arc<Shared<J>>,
    connections: &TaskTracker,
) {
    let places = Arc::new(Semaphore::new(shared.config.max_connections.min(Semaphore::MAX_PERMITS)));
    let mut backoff = Backoff::default();
    loop {
        let accepted = match listener.accept().await {
            Ok(accepted) => accepted,
            // The peer went away again before its turn.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => {
                refuse("accept_error", shared, || {
                    tracing::warn!(
                        input = &*shared.id, %error,
                        "cannot accept connections, trying again; if files are short raise LimitNOFILE or ulimit -n"
                    );
                });
                backoff.wait().await;
                continue;
            }
        };
        backoff = Backoff::default();
        let peer = match &accepted {
            Accepted::Tcp(_, address) => Peer::Tcp(*address),
            Accepted::Unix(_, uid) => Peer::Unix { uid: *uid },
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            refuse("max_connections", shared, || {
                tracing::warn!(
                    input = &*shared.id, %peer, limit = shared.config.max_connections,
                    "closed a connection: there are max_connections already"
                );
            });
            continue;
        };
        if let Accepted::Tcp(stream, _) = &accepted
            && let Err(error) = configure(stream)
        {
            tracing::debug!(input = &*shared.id, %peer, %error, "the connection was gone before it was served");
            continue;
        }
        let (tls, shared) = (tls.map(|tls| tls.current()), shared.clone());
        connections.spawn(async move {
            match accepted {
                Accepted::Tcp(stream, address) => connection::serve(stream, address, tls, shared).await,
                Accepted::Unix(stream, uid) => connection::serve_unix(stream, uid, shared).await,
            }
            drop(place);
        });
    }
}

/// Acknowledgements are small and must not wait to be joined; peers that vanished must be noticed.
fn configure(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

fn refuse<J>(reason: &'static str, shared: &Shared<J>, warn: impl FnOnce()) {
    shared.metrics.refuse_connection(reason);
    if shared.warnings.admit(reason, Instant::now()) {
        warn();
    }
}

async fn follow_files<J>(tls: Option<&Arc<ReloadingServerConfig>>, shared: &Shared<J>) {
    match tls {
        Some(tls) => tls.watch(&shared.id, &shared.metrics.tls()).await,
        None => std::future::pending().await,
    }
}

async fn write_folded_warnings<J>(shared: &Shared<J>) {
    let mut interval = tokio::time::interval(FOLD_INTERVAL);
    loop {
        interval.tick().await;
        log_folded(shared, Instant::now());
    }
}

fn log_folded<J>(shared: &Shared<J>, now: Instant) {
    for (reason, count) in shared.warnings.folded(now) {
        tracing::warn!(input = &*shared.id, reason, "... and {count} more of this reason");
    }
}
