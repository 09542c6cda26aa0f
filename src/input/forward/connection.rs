//! One accepted connection: TLS, who is speaking, and what its end means.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use prometheus::IntGauge;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::linger::close;
use super::session::{self, SessionError, Shared};
use crate::input::ChunkSink;
use crate::sender::Sender;
use crate::tls::expiry::check_validity;
use crate::tls::explain::{Explanation, explain};
use crate::tls::identity::sender_certificate;

/// Serves a connection to its end.
pub(super) async fn serve<J: ChunkSink>(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared<J>>,
) {
    match tls {
        None => serve_sender(stream, peer, Sender::from_address(peer.ip()), &shared).await,
        Some(tls) => {
            let handshake = tokio::select! {
                () = shared.shutdown.cancelled() => return,
                handshake = shake_hands(&tls, stream, peer, &shared) => handshake,
            };
            match handshake {
                Ok((stream, sender)) => serve_sender(stream, peer, sender, &shared).await,
                Err(explanation) => refuse(peer, &explanation, &shared),
            }
        }
    }
}

async fn shake_hands<J>(
    tls: &TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
    shared: &Shared<J>,
) -> Result<(TlsStream<TcpStream>, Sender), Explanation> {
    let accept = tls.accept(stream).into_fallible();
    let stream = match timeout(shared.config.handshake_timeout, accept).await {
        Err(_) => return Err(Explanation::timeout()),
        Ok(Ok(stream)) => stream,
        Ok(Err((error, stream))) => {
            // The alert that says why is on its way.
            close(stream).await;
            return Err(explain(&error));
        }
    };
    match sender_of(&stream, peer) {
        Ok(sender) => Ok((stream, sender)),
        Err(explanation) => {
            close(stream).await;
            Err(explanation)
        }
    }
}

fn sender_of(stream: &TlsStream<TcpStream>, peer: SocketAddr) -> Result<Sender, Explanation> {
    let (_, connection) = stream.get_ref();
    let Some(certificate) = connection.peer_certificates().and_then(|chain| chain.first()) else {
        return Ok(Sender::from_address(peer.ip()));
    };
    // A resumed session brings the certificate of its first handshake along, and nobody has looked at it since.
    check_validity(certificate, SystemTime::now())?;
    let certificate = sender_certificate(certificate)
        .map_err(|error| Explanation { label: "certificate", text: error.to_string() })?;
    Ok(Sender::from_certificate(peer.ip(), certificate))
}

async fn serve_sender<S, J>(stream: S, peer: SocketAddr, sender: Sender, shared: &Shared<J>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    J: ChunkSink,
{
    let sender = Arc::new(sender);
    shared.metrics.accepted_connections.inc();
    let _open = OpenConnection::new(shared.metrics.connections(&sender.identity));
    tracing::debug!(input = &*shared.id, %peer, sender = sender.identity, "connected");
    match session::run(stream, &sender, shared).await {
        Ok(()) => tracing::debug!(input = &*shared.id, %peer, sender = sender.identity, "closed"),
        Err(error) => report(&error, peer, &sender, shared),
    }
}

fn report<J>(error: &SessionError, peer: SocketAddr, sender: &Sender, shared: &Shared<J>) {
    let Some(reason) = error.rejection() else {
        tracing::debug!(input = &*shared.id, %peer, sender = sender.identity, %error, "closed");
        return;
    };
    shared.metrics.reject_message(reason);
    if shared.warnings.admit(reason, Instant::now()) {
        tracing::warn!(
            input = &*shared.id, %peer, sender = sender.identity, reason,
            "refused a message and closed the connection: {error}"
        );
    }
}

fn refuse<J>(peer: SocketAddr, explanation: &Explanation, shared: &Shared<J>) {
    let Explanation { label, text } = explanation;
    shared.metrics.refuse_connection(label);
    if shared.warnings.admit(label, Instant::now()) {
        tracing::warn!(input = &*shared.id, %peer, reason = label, "refused a connection: {text}");
    }
}

/// Counts an open connection as long as it lives.
struct OpenConnection(IntGauge);

impl OpenConnection {
    fn new(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
