//! Listening, and accepting within limits.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::budget::Budget;
use super::connection;
use super::intake::Intake;
use super::session::Shared;
use super::warnings::Warnings;
use crate::config::InputConfig;
use crate::input::ChunkSink;
use crate::metrics::InputMetrics;
use crate::tls::pem::TlsError;
use crate::tls::server::server_config;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 1024;

/// When an idle connection is asked whether its peer is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long to wait after an accept that failed: first, and at most.
const ACCEPT_BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How often folded warnings are written.
const FOLD_INTERVAL: Duration = Duration::from_secs(1);

/// A forward input whose port is bound, and whose certificates are read.
#[derive(Debug)]
pub struct ForwardInput {
    config: InputConfig,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
}

/// Why an input cannot start. The operator must act.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("input {id:?}: {source}")]
    Tls { id: String, source: TlsError },
    #[error("input {id:?} cannot listen on {address}: {source}{advice}", advice = advice(source))]
    Listen { id: String, address: SocketAddr, source: io::Error },
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "; another process has the port: stop it, or give this input another `listen`"
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
                let config =
                    server_config(tls).map_err(|source| BindError::Tls { id: config.id.clone(), source })?;
                Some(config)
            }
        };
        let listen_error =
            |source| BindError::Listen { id: config.id.clone(), address: config.listen, source };
        let listener = listen(config.listen).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        Ok(Self { config: config.clone(), listener, address, tls })
    }

    /// Where it listens; the port is known also where the configuration says 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Accepts and serves until `shutdown`. Then nothing more is accepted or read, what was read is stored and
    /// acknowledged, and this returns when the last connection has ended: the caller bounds how long that may take.
    pub async fn run<J: ChunkSink>(self, journal: J, metrics: InputMetrics, shutdown: CancellationToken) {
        let Self { config, listener, address, tls } = self;
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
            intake: Intake::new(config.content_limits()),
            warnings: Warnings::default(),
            shutdown: shutdown.clone(),
            metrics,
            config,
        });
        let connections = TaskTracker::new();
        let serving = async {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = accept(&listener, tls.map(TlsAcceptor::from), &shared, &connections) => {}
            }
            // Closed now, so that senders turn to another server.
            drop(listener);
            connections.close();
            connections.wait().await;
        };
        tokio::select! {
            () = serving => {}
            () = write_folded_warnings(&shared) => {}
        }
        log_folded(&shared, Instant::now() + FOLD_INTERVAL);
        tracing::info!(input = &*shared.id, "stopped");
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Never ends by itself: an accept that fails is tried again.
async fn accept<J: ChunkSink>(
    listener: &TcpListener,
    tls: Option<TlsAcceptor>,
    shared: &Arc<Shared<J>>,
    connections: &TaskTracker,
) {
    let places = Arc::new(Semaphore::new(shared.config.max_connections.min(Semaphore::MAX_PERMITS)));
    let mut backoff = ACCEPT_BACKOFF.0;
    loop {
        let (stream, peer) = match listener.accept().await {
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
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(ACCEPT_BACKOFF.1);
                continue;
            }
        };
        backoff = ACCEPT_BACKOFF.0;
        let Ok(place) = places.clone().try_acquire_owned() else {
            refuse("max_connections", shared, || {
                tracing::warn!(
                    input = &*shared.id, %peer, limit = shared.config.max_connections,
                    "closed a connection: there are max_connections already"
                );
            });
            continue;
        };
        if let Err(error) = configure(&stream) {
            tracing::debug!(input = &*shared.id, %peer, %error, "the connection was gone before it was served");
            continue;
        }
        let serve = connection::serve(stream, peer, tls.clone(), shared.clone());
        connections.spawn(async move {
            serve.await;
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
