//! One accepted connection: TLS, who is speaking, and what its end means.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::BytesMut;
use prometheus::IntGauge;
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::handshake::{Welcome, shake_hands};
use super::linger::close;
use super::peer::Peer;
use super::reader::ReadError;
use super::senders::Handshake;
use super::session::{self, SessionError, Shared};
use crate::config::InputConfig;
use crate::input::ChunkSink;
use crate::sender::Sender;
use crate::tls::expiry::check_validity;
use crate::tls::explain::{Explanation, explain};
use crate::tls::identity::sender_certificate;
use crate::tls::server::stream::{TlsStream, accept};
use crate::tls::shown::{ShownCertificate, with_refused};

/// Serves a connection to its end.
pub(super) async fn serve<J: ChunkSink>(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    shared: Arc<Shared<J>>,
) {
    let Some(place) = shared.senders.begin_handshake(peer.ip()) else {
        return refuse(peer, None, &too_many_handshakes(&shared.config), &shared);
    };
    let Some(tls) = tls else {
        let sender = Sender::from_address(peer.ip());
        return serve_sender(stream, peer.into(), sender, Some(place), 0, &shared).await;
    };
    // What a client sends hangs on the server's part of the handshake, which comes after this.
    let opened_after = shared.journal.taken();
    // Handshake and stream are on the heap: as parts of this future they would be in it several times over, for as
    // long as the connection lives.
    let handshake = Box::pin(async {
        // Health checks connect and go away again; that is no failed handshake.
        match stream.peek(&mut [0]).await {
            Ok(0) => None,
            _ => {
                let (accepted, refused) = with_refused(accept(tls, stream)).await;
                Some(accepted.map(Box::new).map_err(|(error, stream)| (error, stream, refused)))
            }
        }
    });
    let handshake = tokio::select! {
        () = shared.shutdown.cancelled() => return,
        handshake = timeout(shared.config.handshake_timeout, handshake) => handshake,
    };
    match handshake {
        Ok(Some(Ok(stream))) => match sender_of(&stream, peer) {
            Ok(sender) => {
                serve_sender(stream, peer.into(), sender, Some(place), opened_after, &shared).await;
            }
            Err(explanation) => {
                refuse(peer, certificate_of(&stream), &explanation, &shared);
                close(stream).await;
            }
        },
        Ok(Some(Err((error, stream, refused)))) => {
            refuse(peer, refused.as_ref(), &explain(&error), &shared);
            // The alert that tells the client why is on its way.
            close(stream).await;
        }
        Ok(None) => tracing::debug!(input = &*shared.id, %peer, "closed before the first byte"),
        Err(_) => refuse(peer, None, &Explanation::timeout(), &shared),
    }
}

/// As [`serve`], of a process of this machine.
pub(super) async fn serve_unix<J: ChunkSink>(stream: UnixStream, uid: u32, shared: Arc<Shared<J>>) {
    serve_sender(stream, Peer::Unix { uid }, Sender::from_user(uid), None, 0, &shared).await;
}

fn sender_of<S>(stream: &TlsStream<S>, peer: SocketAddr) -> Result<Sender, Explanation> {
    let Some(certificate) = certificate_of(stream) else {
        return Ok(Sender::from_address(peer.ip()));
    };
    // A resumed session brings the certificate of its first handshake along, and nobody has looked at it since.
    check_validity(certificate, SystemTime::now())?;
    let certificate = sender_certificate(certificate)
        .map_err(|error| Explanation { label: "certificate", text: error.to_string() })?;
    Ok(Sender::from_certificate(peer.ip(), certificate))
}

fn certificate_of<S>(stream: &TlsStream<S>) -> Option<&CertificateDer<'static>> {
    stream.peer_certificates().and_then(|chain| chain.first())
}

/// `handshake` is the place that the connection had while nobody knew who it is. Nothing was sent on it before the journal
/// had taken `opened_after` chunks; 0 where that can't be known, since bytes may lie in a socket before it is accepted.
async fn serve_sender<S, J>(
    mut stream: S,
    peer: Peer,
    sender: Sender,
    handshake: Option<Handshake>,
    opened_after: u64,
    shared: &Shared<J>,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    J: ChunkSink,
{
    // The shared key handshake begins with a nonce of the server's.
    let opened_after = if shared.config.security.is_some() { shared.journal.taken() } else { opened_after };
    let Some((mut sender, already_read)) = greet(&mut stream, sender, peer, shared).await else {
        return close(stream).await;
    };
    let Some(place) = shared.senders.admit(&sender.identity, Instant::now()) else {
        refuse(peer, None, &too_many_connections(&sender, &shared.config), shared);
        return close(stream).await;
    };
    drop(handshake);
    if let (None, Some(names), Some(address)) = (&sender.host_name, &shared.host_names, sender.address) {
        sender.host_name = names.look_up(address).await;
    }
    let sender = Arc::new(sender);
    shared.metrics.accepted_connections.inc();
    let _open = OpenConnection::new(shared.metrics.connections(&sender.identity));
    tracing::debug!(input = &*shared.id, %peer, sender = sender.identity, "connected");
    let (stream, result) = session::run(stream, already_read, opened_after, &sender, &place, shared).await;
    match result {
        Ok(()) => tracing::debug!(input = &*shared.id, %peer, sender = sender.identity, "closed"),
        Err(error) => report(&error, peer, &sender, shared),
    }
    close(stream).await;
}

/// The shared key handshake, where the input asks for it. `None`: the peer may not send.
async fn greet<S, J>(
    stream: &mut S,
    sender: Sender,
    peer: Peer,
    shared: &Shared<J>,
) -> Option<(Sender, BytesMut)>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let Some(security) = &shared.config.security else { return Some((sender, BytesMut::new())) };
    let handshake = shake_hands(stream, sender.address, security);
    let handshake = tokio::select! {
        () = shared.shutdown.cancelled() => return None,
        handshake = timeout(shared.config.handshake_timeout, handshake) => handshake,
    };
    let (reason, text) = match handshake {
        Ok(Ok(Welcome { host_name, user, already_read })) => {
            return Some((sender.named(host_name, user), already_read));
        }
        Ok(Err(error)) => (error.label(), error.to_string()),
        Err(_) => (
            "handshake_timeout",
            "it did not finish the shared key handshake within handshake_timeout; has it a shared_key?"
                .to_owned(),
        ),
    };
    shared.metrics.refuse_connection(reason);
    if shared.warnings.admit(reason, Instant::now()) {
        tracing::warn!(input = &*shared.id, %peer, sender = sender.identity, reason, "refused a connection: {text}");
    }
    None
}

fn too_many_handshakes(config: &InputConfig) -> Explanation {
    let limit = config.max_handshakes_by_address;
    Explanation {
        label: "max_handshakes_by_address",
        text: format!("max_handshakes_by_address ({limit}) others from its address are in their handshake"),
    }
}

fn too_many_connections(sender: &Sender, config: &InputConfig) -> Explanation {
    let (sender, limit) = (&sender.identity, config.max_connections_by_sender);
    Explanation {
        label: "max_connections_by_sender",
        text: format!("its sender {sender} has max_connections_by_sender ({limit}) others"),
    }
}

fn report<J>(error: &SessionError, peer: Peer, sender: &Sender, shared: &Shared<J>) {
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
        if matches!(error, SessionError::Read(ReadError::Idle(_))) {
            shared.metrics.idle_connections.inc();
        }
        tracing::debug!(input, %peer, sender, %error, "closed");
    }
}

fn refuse<J>(
    peer: impl Into<Peer>,
    certificate: Option<&CertificateDer<'_>>,
    explanation: &Explanation,
    shared: &Shared<J>,
) {
    let Explanation { label, text } = explanation;
    let peer = peer.into();
    shared.metrics.refuse_connection(label);
    if shared.warnings.admit(label, Instant::now()) {
        let certificate = certificate.and_then(|certificate| ShownCertificate::read(certificate));
        let certificate = certificate.as_ref();
        let subject = certificate.map(|certificate| certificate.subject.as_str());
        let issuer = certificate.map(|certificate| certificate.issuer.as_str());
        tracing::warn!(input = &*shared.id, %peer, subject, issuer, reason = label, "refused a connection: {text}");
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
    use super::super::message_memory::MessageMemory;
    use super::super::refused::Refusals;
    use super::super::senders::Senders;
    use super::super::tagging::Tagging;
    use super::super::warnings::Warnings;
    use super::*;
    use crate::chunk::Chunk;
    use crate::config::TlsConfig;
    use crate::journal::large::{LargeEntries, SpoolFolder};
    use crate::journal::{AppendError, QueueRoom, Receipt};
    use crate::metrics::Metrics;
    use crate::tls::server::server_config;

    #[derive(Clone)]
    struct NoJournal(SpoolFolder, QueueRoom);

    impl ChunkSink for NoJournal {
        async fn append(&self, _: Chunk) -> Result<Receipt, AppendError> {
            Err(AppendError::Stopped)
        }

        async fn append_large(&self, _: Chunk, _: LargeEntries) -> Result<Receipt, AppendError> {
            Err(AppendError::Stopped)
        }

        fn queue_room(&self) -> &QueueRoom {
            &self.1
        }

        fn spools(&self) -> &SpoolFolder {
            &self.0
        }

        fn taken(&self) -> u64 {
            0
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

        let tls = TlsConfig { client_ca: vec![ca], ..TlsConfig::new(cert, key) };
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
            pipeline: None,
            listen: listener.local_addr().unwrap().into(),
            tls: Some(tls),
            security: None,
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
            max_in_flight_by_sender: 1000,
            max_pending_acks: 1,
            max_connections_by_sender: 1000,
            max_handshakes_by_address: 1000,
            idle_timeout: None,
            stall_timeout: Duration::from_secs(60),
            max_events_per_second: None,
            max_bytes_per_second: None,
            refusal_window: Duration::from_secs(3600),
            max_remembered_refusals: 100,
            socket_mode: 0o660,
            udp_heartbeat: false,
            tag: None,
            add_tag_prefix: None,
            metadata_field: None,
            ownership: None,
            resolve_hostname: false,
        };
        let shared = Arc::new(Shared {
            id: "edge".into(),
            journal: NoJournal(SpoolFolder::new(folder.path()), QueueRoom::default()),
            metrics: metrics.input("edge"),
            budget: Budget::new(1000, 1000, metrics.input("edge").in_flight_bytes),
            message_memory: MessageMemory::new(metrics.input("edge").spare_bytes),
            spool_budget: Budget::new(1000, 1000, metrics.input("edge").spool_bytes),
            intake: Intake::new(config.content_limits()),
            senders: Senders::new(&config),
            refusals: Refusals::new(&config, &metrics.input("edge")),
            tagging: Tagging::default(),
            warnings: Warnings::default(),
            host_names: None,
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
        serve(stream, peer, Some(Arc::new(server)), shared.clone()).await;
        assert_eq!(connecting.await.unwrap(), 0);
        assert!(metrics.render().unwrap().contains(
            "hikyaku_input_refused_connections_total{input=\"edge\",reason=\"certificate_expired\"} 1"
        ));
        assert_eq!(shared.metrics.accepted_connections.get(), 0);
    }
}
