//! A client that has the keys and keeps to no rule.

mod hostile;
mod lenient;

use std::sync::{Arc, LazyLock};

use rcgen::{CertificateParams, KeyPair};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::kernel::KernelConnection;
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::version::TLS13;
use rustls::{ClientConfig, ContentType, RootCertStore, ServerConfig, SupportedCipherSuite};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::super::session::Session;
use super::key::Key;

/// A server's configuration, and the authority of its certificate.
static SERVER: LazyLock<(Arc<ServerConfig>, RootCertStore)> = LazyLock::new(|| {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.enable_secret_extraction = true;
    (Arc::new(config), roots)
});

/// The other side of a [`Session`].
struct Client {
    kernel: KernelConnection<ClientConnectionData>,
    sealing: Key,
    opening: Key,
}

fn suites() -> [SupportedCipherSuite; 3] {
    use aws_lc_rs::cipher_suite::*;
    [TLS13_AES_256_GCM_SHA384, TLS13_AES_128_GCM_SHA256, TLS13_CHACHA20_POLY1305_SHA256]
}

/// Both sides behind their handshake.
fn established() -> (Client, Session) {
    established_with(suites()[0])
}

fn established_with(suite: SupportedCipherSuite) -> (Client, Session) {
    let (server, roots) = &*SERVER;
    let provider = CryptoProvider { cipher_suites: vec![suite], ..aws_lc_rs::default_provider() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.enable_secret_extraction = true;
    let name = "localhost".try_into().unwrap();
    let mut client = UnbufferedClientConnection::new(Arc::new(config), name).unwrap();
    let mut server = Session::new(server.clone()).unwrap();
    let (mut incoming, mut outgoing) = (Vec::new(), Vec::new());
    loop {
        let UnbufferedStatus { discard, state } = client.process_tls_records(&mut incoming);
        let mut is_done = false;
        match state.unwrap() {
            ConnectionState::EncodeTlsData(mut data) => {
                let start = outgoing.len();
                outgoing.resize(start + 20_000, 0);
                let count = data.encode(&mut outgoing[start..]).unwrap();
                outgoing.truncate(start + count);
            }
            ConnectionState::TransmitTlsData(data) => {
                give(&mut server, &outgoing);
                outgoing.clear();
                data.done();
            }
            ConnectionState::BlockedHandshake => server.shake_hands().unwrap(),
            ConnectionState::WriteTraffic(_) => {
                server.shake_hands().unwrap();
                is_done = !server.is_handshaking();
            }
            state => panic!("{state:?}"),
        }
        incoming.drain(..discard);
        incoming.extend_from_slice(server.to_send());
        server.sent(server.to_send().len());
        if is_done && incoming.is_empty() {
            break;
        }
    }
    let (secrets, kernel) = client.dangerous_into_kernel_connection().unwrap();
    let [sealing, opening] = [secrets.tx, secrets.rx].map(|secret| Key::new(secret).unwrap());
    (Client { kernel, sealing, opening }, server)
}

fn give(server: &mut Session, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let room = server.room(200_000).unwrap();
        let count = room.len().min(bytes.len());
        room[..count].copy_from_slice(&bytes[..count]);
        server.received(count);
        bytes = &bytes[count..];
    }
}

impl Client {
    fn record(&mut self, kind: impl Into<ContentType>, content: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        self.sealing.seal(kind.into(), content, &mut record).unwrap();
        record
    }

    fn data(&mut self, content: &[u8]) -> Vec<u8> {
        self.record(ContentType::ApplicationData, content)
    }

    /// A record with zeros behind the type of its content, at least one.
    fn padded(&mut self, kind: u8, content: &[u8], zeros: usize) -> Vec<u8> {
        self.record(0, &[content, &[kind], &vec![0; zeros - 1]].concat())
    }

    fn take_next_key(&mut self) {
        self.sealing = Key::new(self.kernel.update_tx_secret().unwrap()).unwrap();
    }

    /// Types and contents of what the server sent since it was asked last.
    fn received(&mut self, server: &mut Session) -> Vec<(ContentType, Vec<u8>)> {
        let mut bytes = server.to_send().to_vec();
        server.sent(bytes.len());
        let (mut rest, mut records) = (&mut bytes[..], Vec::new());
        while let Some(length) = super::header::record_length(rest).unwrap() {
            let (record, behind) = rest.split_at_mut(length);
            let (header, sealed) = record.split_at_mut(super::header::LENGTH);
            self.opening.open_in_place(header, sealed).unwrap();
            let inner = &sealed[..sealed.len() - super::TAG];
            let (kind, content) = super::header::split_inner(inner).unwrap();
            if kind == 22 {
                self.opening = Key::new(self.kernel.update_rx_secret().unwrap()).unwrap();
            }
            records.push((kind.into(), content.to_vec()));
            rest = behind;
        }
        assert!(rest.is_empty());
        records
    }
}

/// All that can be read now, in parts of so many bytes.
fn read(server: &mut Session, part: usize) -> (Vec<u8>, Result<(), rustls::Error>) {
    let mut read = Vec::new();
    loop {
        let mut memory = vec![0xee; part];
        let mut part = tokio::io::ReadBuf::new(&mut memory);
        let result = server.read(&mut part);
        read.extend_from_slice(part.filled());
        if result.is_err() || part.remaining() > 0 {
            return (read, result);
        }
    }
}
