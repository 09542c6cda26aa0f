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
    let Some(tls) = tls else {
        return serve_sender(stream, peer, Sender::from_address(peer.ip()), &shared).await;
    };
    // Handshake and stream are on the heap: as parts of this future they would be in it several times over, for as
    // long as the connection lives.
    let handshake = Box::pin(async {
        // Health checks connect and go away again; that is no failed handshake.
        match stream.peek(&mut [0]).await {
            Ok(0) => None,
            _ => Some(tls.accept(stream).into_fallible().await.map(Box::new)),
        }
    });
    let handshake = tokio::select! {
        () = shared.shutdown.cancelled() => return,
        handshake = timeout(shared.config.handshake_timeout, handshake) => handshake,
    };
    match handshake {
        Ok(Some(Ok(stream))) => match sender_of(&stream, peer) {
            Ok(sender) => serve_sender(stream, peer, sender, &shared).await,
            Err(explanation) => {
                refuse(peer, &explanation, &shared);
                close(stream).await;
            }
        },
        Ok(Some(Err((error, stream)))) => {
            refuse(peer, &explain(&error), &shared);
            // The alert that tells the client why is on its way.
            close(stream).await;
        }
        Ok(None) => tracing::debug!(input = &*shared.id, %peer, "closed before the first byte"),
        Err(_) => refuse(peer, &Explanation::timeout(), &shared),
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
    let (stream, result) = session::run(stream, &sender, shared).await;
    match result {
        Ok(()) => tracing::debug!(input = &*shared.id, %peer, sender = sender.identity, "closed"),
        Err(error) => report(&error, peer, &sender, shared),
    }
    close(stream).await;
}

fn report<J>(error: &SessionError, peer: SocketAddr, sender: &Sender, shared: &Shared<J>) {
    let (input, sender) = (&*shared.id, &sender.identity);
    if let Some(reason) = error.rejection() {
        shared.metrics.reject_message(reason);
        if shared.warnings.admit(reason, Instant::now()) {
            tracing::warn!(input, %peer, sender, reason, "refused a message and closed the connection: {error}");
        }
    } else if error.is_of_the_journal() {
        if shared.warnings.admit("journal", Instant::now()) {
            tracing::warn!(input, %peer, sender, "closed a connection, its sender will repeat: {error}");
        }
    } else {
        tracing::debug!(input, %peer, sender, %error, "closed");
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
    use rustls::RootCertStore;
    use rustls::crypto::aws_lc_rs;
    use rustls::time_provider::TimeProvider;
    use rustls_pki_types::{PrivateKeyDer, UnixTime};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsConnector;
    use tokio_util::sync::CancellationToken;

    use super::super::budget::Budget;
    use super::super::intake::Intake;
    use super::super::warnings::Warnings;
    use super::*;
    use crate::chunk::Chunk;
    use crate::config::{InputConfig, TlsConfig};
    use crate::journal::large::{LargeEntries, SpoolFolder};
    use crate::journal::{AppendError, Receipt};
    use crate::metrics::Metrics;
    use crate::tls::server::server_config;

    #[derive(Clone)]
    struct NoJournal(SpoolFolder);

    impl ChunkSink for NoJournal {
        async fn append(&self, _: Chunk) -> Result<Receipt, AppendError> {
            Err(AppendError::Stopped)
        }

        async fn append_large(&self, _: Chunk, _: LargeEntries) -> Result<Receipt, AppendError> {
            Err(AppendError::Stopped)
        }

        fn spools(&self) -> &SpoolFolder {
            &self.0
        }
    }

    /// The clock of a handshake long ago.
    #[derive(Debug)]
    struct LongAgo;

    impl TimeProvider for LongAgo {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(Duration::from_secs(1_500_000_000)))
        }
    }

    #[tokio::test]
    async fn a_certificate_that_expired_since_its_handshake_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [ca, cert, key] = ["ca", "cert", "key"].map(|name| folder.path().join(name));
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = Issuer::new(params, authority_key);
        std::fs::write(&ca, authority.pem()).unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2020, 1, 1);
        let pair_key = KeyPair::generate().unwrap();
        let pair = params.signed_by(&pair_key, &issuer).unwrap();
        std::fs::write(&cert, pair.pem()).unwrap();
        std::fs::write(&key, pair_key.serialize_pem()).unwrap();

        let tls = TlsConfig { cert, key, client_ca: Some(ca) };
        // rustls believes in a time when the certificate was good, as it does when a session is resumed.
        let mut server = (*server_config(&tls).unwrap()).clone();
        server.time_provider = Arc::new(LongAgo);
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let client = rustls::ClientConfig::builder_with_details(
            Arc::new(aws_lc_rs::default_provider()),
            Arc::new(LongAgo),
        )
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![pair.der().clone()],
            PrivateKeyDer::Pkcs8(pair_key.serialize_der().into()),
        )
        .unwrap();

        let metrics = Metrics::new("test", 10);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = InputConfig {
            id: "edge".to_owned(),
            listen: listener.local_addr().unwrap(),
            tls: Some(tls),
            max_connections: 1,
            handshake_timeout: Duration::from_secs(10),
            max_message_size: 1000,
            spool_above: 8 << 20,
            max_spool_size: 1 << 30,
            min_rate: 64 << 10,
            max_entry_size: 16 << 20,
            max_depth: 128,
            max_inflated_size: 1000,
            max_inflate_ratio: 1000,
            max_in_flight: 1000,
            max_pending_acks: 1,
        };
        let shared = Arc::new(Shared {
            id: "edge".into(),
            journal: NoJournal(SpoolFolder::new(folder.path())),
            metrics: metrics.input("edge"),
            budget: Budget::new(1000, 1000, metrics.input("edge").in_flight_bytes),
            spool_budget: Budget::new(1000, 1000, metrics.input("edge").spool_bytes),
            intake: Intake::new(config.content_limits()),
            warnings: Warnings::default(),
            shutdown: CancellationToken::new(),
            config,
        });
        let address = listener.local_addr().unwrap();
        let connecting = tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let name = "localhost".try_into().unwrap();
            let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
            stream.read(&mut [0; 16]).await.unwrap()
        });
        let (stream, peer) = listener.accept().await.unwrap();
        serve(stream, peer, Some(TlsAcceptor::from(Arc::new(server))), shared.clone()).await;
        assert_eq!(connecting.await.unwrap(), 0);
        assert!(metrics.render().unwrap().contains(
            "hikyaku_input_refused_connections_total{input=\"edge\",reason=\"certificate_expired\"} 1"
        ));
        assert_eq!(shared.metrics.accepted_connections.get(), 0);
    }
}
