//! Against rustls' own client, with the stream of bytes cut anywhere.

use std::io::{Read, Write};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, CipherSuite, ClientConfig, ClientConnection, Error, RootCertStore, ServerConfig,
    SupportedProtocolVersion,
};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf, duplex};
use tokio_rustls::TlsConnector;

use super::session::Session;
use super::*;
use crate::config::TlsConfig;
use crate::tls::explain::explain;
use crate::tls::server::server_config;

/// A server that asks for certificates, a client that has one, and one that has none.
struct Party {
    server: Arc<ServerConfig>,
    certificate: Vec<u8>,
    key: Vec<u8>,
    roots: RootCertStore,
}

static PARTY: LazyLock<Party> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let [ca, cert, key] = ["ca", "cert", "key"].map(|name| folder.path().join(name));
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(params, authority_key);
    let pair_key = KeyPair::generate().unwrap();
    let pair =
        CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&pair_key, &issuer).unwrap();
    std::fs::write(&ca, authority.pem()).unwrap();
    std::fs::write(&cert, pair.pem()).unwrap();
    std::fs::write(&key, pair_key.serialize_pem()).unwrap();
    let server = server_config(&TlsConfig { client_ca: vec![ca], ..TlsConfig::new(cert, key) }).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    Party { server, certificate: pair.der().to_vec(), key: pair_key.serialize_der(), roots }
});

fn client_config(version: &'static SupportedProtocolVersion, has_certificate: bool) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(PARTY.roots.clone());
    if !has_certificate {
        return builder.with_no_client_auth();
    }
    let key = PrivateKeyDer::Pkcs8(PARTY.key.clone().into());
    builder.with_client_auth_cert(vec![PARTY.certificate.clone().into()], key).unwrap()
}

fn client(config: ClientConfig) -> ClientConnection {
    ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap()
}

/// A client and a server with nothing but bytes between them.
struct Wire {
    client: ClientConnection,
    server: Session,
    /// Lengths of the pieces in which the server gets bytes, over and over.
    cuts: Vec<usize>,
    cut: usize,
    /// What the server read.
    read: Vec<u8>,
    /// What the client read.
    acks: Vec<u8>,
}

impl Wire {
    fn new(version: &'static SupportedProtocolVersion, cuts: Vec<usize>) -> Self {
        let client = client(client_config(version, true));
        let server = Session::new(PARTY.server.clone()).unwrap();
        Self { client, server, cuts, cut: 0, read: Vec::new(), acks: Vec::new() }
    }

    fn established(version: &'static SupportedProtocolVersion, cuts: Vec<usize>) -> Self {
        let mut wire = Self::new(version, cuts);
        wire.carry().unwrap();
        assert!(!wire.server.is_handshaking() && !wire.client.is_handshaking());
        wire
    }

    /// Carries bytes until neither side has any.
    fn carry(&mut self) -> Result<(), Error> {
        loop {
            let mut bytes = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut bytes).unwrap();
            }
            if bytes.is_empty() && self.server.to_send().is_empty() {
                return Ok(());
            }
            self.deliver(&bytes)?;
            while !self.server.to_send().is_empty() {
                let count = self.client.read_tls(&mut self.server.to_send()).unwrap();
                self.server.sent(count);
                self.client.process_new_packets()?;
                // It ends with there being no more for now.
                let _ = self.client.reader().read_to_end(&mut self.acks);
            }
        }
    }

    fn deliver(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let length = self.cuts[self.cut % self.cuts.len()];
            self.cut += 1;
            let room = self.server.room(0)?;
            let count = bytes.len().min(length).min(room.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.server.received(count);
            bytes = &bytes[count..];
            if self.server.is_handshaking() {
                self.server.shake_hands()?;
            }
            if self.cut.is_multiple_of(2) {
                self.server.write(b"ack").ok();
            }
            self.read()?;
            self.server.rest();
        }
        Ok(())
    }

    /// Reads all there is, in parts of the length of the next piece.
    fn read(&mut self) -> Result<(), Error> {
        let mut part = vec![0; self.cuts[self.cut % self.cuts.len()]];
        loop {
            let mut part = ReadBuf::new(&mut part);
            self.server.read(&mut part)?;
            self.read.extend_from_slice(part.filled());
            if part.remaining() > 0 {
                return Ok(());
            }
        }
    }
}

fn bytes_of(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

fn versions() -> impl Strategy<Value = &'static SupportedProtocolVersion> {
    prop_oneof![Just(&TLS12), Just(&TLS13)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_byte_comes_once_and_in_order_wherever_the_stream_is_cut(
        version in versions(),
        cuts in prop::collection::vec(prop_oneof![1usize..50, 1usize..40_000], 1..8),
        lengths in prop::collection::vec(0usize..60_000, 1..5),
    ) {
        // A byte at a time is a case of its own, and of few bytes.
        prop_assume!(cuts.iter().sum::<usize>() / cuts.len() > 8);
        let mut wire = Wire::established(version, cuts);
        let mut sent = Vec::new();
        for (number, length) in lengths.into_iter().enumerate() {
            let bytes = bytes_of(length);
            wire.client.writer().write_all(&bytes).unwrap();
            sent.extend_from_slice(&bytes);
            if number % 2 == 1 && version == &TLS13 {
                wire.client.refresh_traffic_keys().unwrap();
            }
            wire.carry().unwrap();
        }
        prop_assert!(wire.read == sent);
        // The acknowledgements, whatever keys they were under.
        prop_assert!(wire.acks.chunks(3).all(|ack| ack == b"ack"));
        wire.client.send_close_notify();
        wire.carry().unwrap();
        prop_assert!(wire.server.peer_has_closed());
    }
}

#[test]
fn the_cheaper_of_two_safe_ciphers_is_chosen_and_no_client_is_made_to_take_it() {
    let negotiated = |suites: &[CipherSuite]| {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|suite| suites.contains(&suite.suite()));
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(PARTY.roots.clone());
        let key = PrivateKeyDer::Pkcs8(PARTY.key.clone().into());
        let config = config.with_client_auth_cert(vec![PARTY.certificate.clone().into()], key).unwrap();
        let mut wire = Wire { client: client(config), ..Wire::new(&TLS13, vec![1 << 20]) };
        wire.carry().unwrap();
        wire.client.negotiated_cipher_suite().map(|suite| suite.suite())
    };
    let [aes_256, aes_128] = [CipherSuite::TLS13_AES_256_GCM_SHA384, CipherSuite::TLS13_AES_128_GCM_SHA256];
    assert_eq!(negotiated(&[aes_256, aes_128]), Some(aes_128));
    assert_eq!(negotiated(&[aes_256]), Some(aes_256));
}

#[test]
fn the_handshake_works_a_byte_at_a_time() {
    for version in [&TLS12, &TLS13] {
        let mut wire = Wire::established(version, vec![1]);
        wire.client.writer().write_all(b"events").unwrap();
        wire.carry().unwrap();
        assert_eq!(wire.read, b"events");
        assert_eq!(wire.server.peer_certificates().unwrap()[0].as_ref(), PARTY.certificate);
    }
}

#[test]
fn what_comes_with_the_end_of_the_handshake_is_read() {
    for version in [&TLS12, &TLS13] {
        for cuts in [vec![40_000], vec![700, 33], vec![100_000]] {
            let mut wire = Wire::new(version, cuts);
            // rustls sends it as soon as it can: with its own last message.
            wire.client.writer().write_all(&bytes_of(30_000)).unwrap();
            wire.carry().unwrap();
            assert!(wire.read == bytes_of(30_000));
        }
    }
}

#[test]
fn keys_that_change_right_behind_the_handshake_do_so_on_both_sides() {
    let mut wire = Wire::established(&TLS13, vec![40_000]);
    for _ in 0..3 {
        wire.client.refresh_traffic_keys().unwrap();
        wire.client.writer().write_all(b"events").unwrap();
        wire.carry().unwrap();
    }
    assert_eq!(wire.read, b"events".repeat(3));
    wire.server.write(b"acknowledged").unwrap();
    wire.carry().unwrap();
    assert!(wire.acks.ends_with(b"acknowledged"));
}

#[test]
fn without_the_secrets_rustls_does_all_of_it() {
    let mut wire = Wire::established(&TLS13, vec![1_000]);
    let mut config = (*PARTY.server).clone();
    config.enable_secret_extraction = false;
    wire.server = Session::new(Arc::new(config)).unwrap();
    wire.client = client(client_config(&TLS13, true));
    wire.carry().unwrap();
    assert!(wire.server.records().is_none());
    wire.client.writer().write_all(&bytes_of(60_000)).unwrap();
    wire.carry().unwrap();
    assert!(wire.read == bytes_of(60_000));
}

#[test]
fn sessions_are_resumed_and_know_their_certificate() {
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(client_config(version, true));
        for is_second in [false, true] {
            let mut wire = Wire::new(version, vec![1_000]);
            wire.client = ClientConnection::new(config.clone(), "localhost".try_into().unwrap()).unwrap();
            wire.carry().unwrap();
            let resumed = wire.client.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
            assert_eq!(resumed, is_second);
            assert_eq!(wire.server.peer_certificates().unwrap()[0].as_ref(), PARTY.certificate);
        }
    }
}

#[test]
fn what_came_before_the_end_is_read_and_what_comes_after_it_is_not() {
    let mut wire = Wire::established(&TLS13, vec![40_000]);
    wire.client.writer().write_all(b"last").unwrap();
    wire.client.send_close_notify();
    let mut bytes = Vec::new();
    wire.client.write_tls(&mut bytes).unwrap();
    bytes.extend_from_slice(&[0x17; 1_000]);
    wire.deliver(&bytes).unwrap();
    assert_eq!(wire.read, b"last");
    assert!(wire.server.peer_has_closed());
    // The other direction is open still.
    assert_eq!(wire.server.write(b"ack").unwrap(), 3);
    wire.server.close().unwrap();
    assert!(wire.server.write(b"ack").is_err());
}

#[test]
fn a_record_that_was_changed_on_its_way_ends_the_connection_with_an_alert() {
    for version in [&TLS12, &TLS13] {
        let mut wire = Wire::established(version, vec![40_000]);
        wire.client.writer().write_all(&bytes_of(1_000)).unwrap();
        let mut bytes = Vec::new();
        wire.client.write_tls(&mut bytes).unwrap();
        bytes[500] ^= 1;
        assert_eq!(wire.deliver(&bytes), Err(Error::DecryptError));
        assert_eq!(wire.read, b"");
        assert!(wire.server.write(b"ack").is_err());
        assert_eq!(
            wire.server.read(&mut ReadBuf::new(&mut [0; 9])),
            Err(Error::DecryptError),
            "again and again"
        );
        wire.client.read_tls(&mut wire.server.to_send()).unwrap();
        let told = wire.client.process_new_packets().unwrap_err();
        assert_eq!(told, Error::AlertReceived(AlertDescription::BadRecordMac));
    }
}

#[test]
fn what_comes_behind_our_own_end_is_not_looked_at() {
    let mut wire = Wire::new(&TLS12, vec![700]);
    wire.carry().unwrap();
    wire.server.close().unwrap();
    wire.deliver(&[0xff; 3_000]).unwrap();
    assert!(wire.read.is_empty());
}

proptest! {
    #[test]
    fn no_bytes_of_a_peer_make_it_panic(
        version in versions(),
        at in 0usize..3_000,
        junk in prop::collection::vec(any::<u8>(), 1..200),
        is_established: bool,
    ) {
        let mut wire = Wire::new(version, vec![700]);
        if is_established {
            wire.carry().unwrap();
            wire.client.writer().write_all(&bytes_of(3_000)).unwrap();
        }
        let mut bytes = Vec::new();
        wire.client.write_tls(&mut bytes).unwrap();
        let at = at % bytes.len();
        let end = bytes.len().min(at + junk.len());
        bytes[at..end].copy_from_slice(&junk[..end - at]);
        for _ in 0..2 {
            let _ = wire.deliver(&bytes);
            let _ = wire.server.close();
        }
    }
}

#[tokio::test]
async fn a_stream_carries_both_directions_and_ends_in_order() {
    let (near, far) = duplex(10_000);
    let connector = TlsConnector::from(Arc::new(client_config(&TLS13, true)));
    let bytes = bytes_of(1_000_000);
    let sent = bytes.clone();
    let client = tokio::spawn(async move {
        let mut stream = connector.connect("localhost".try_into().unwrap(), near).await.unwrap();
        stream.write_all(&sent).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    });
    let mut stream = accept(PARTY.server.clone(), far).await.unwrap();
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.unwrap();
    assert!(read == bytes);
    // More than the socket takes at once.
    stream.write_all(&bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    assert!(client.await.unwrap() == bytes);
}

#[tokio::test]
async fn a_connection_that_was_cut_off_is_no_end() {
    let (near, far) = duplex(10_000);
    let connector = TlsConnector::from(Arc::new(client_config(&TLS13, true)));
    let client = tokio::spawn(async move {
        let mut stream = connector.connect("localhost".try_into().unwrap(), near).await.unwrap();
        stream.write_all(b"half").await.unwrap();
        stream.flush().await.unwrap();
        stream
    });
    let mut stream = accept(PARTY.server.clone(), far).await.unwrap();
    drop(client.await.unwrap());
    let mut read = Vec::new();
    let error = stream.read_to_end(&mut read).await.unwrap_err();
    assert_eq!((&read[..], error.kind()), (&b"half"[..], io::ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn a_client_without_a_certificate_is_told_and_explained() {
    let (near, far) = duplex(10_000);
    let connector = TlsConnector::from(Arc::new(client_config(&TLS12, false)));
    let client =
        tokio::spawn(async move { connector.connect("localhost".try_into().unwrap(), near).await.map(drop) });
    let (error, _socket) = accept(PARTY.server.clone(), far).await.unwrap_err();
    assert_eq!(explain(&error).label, "no_certificate");
    let told = client.await.unwrap().unwrap_err();
    assert!(told.to_string().contains("CertificateRequired"), "{told}");
}

#[tokio::test]
async fn peers_that_speak_something_else_or_go_away_are_told_apart() {
    for (bytes, label) in
        [(&b"GET / HTTP/1.1\r\n\r\n"[..], "not_tls"), (b"\x16\x03\x01\x02\x00\x01", "closed")]
    {
        let (mut near, far) = duplex(10_000);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let (error, _socket) = accept(PARTY.server.clone(), far).await.unwrap_err();
        assert_eq!(explain(&error).label, label, "{error}");
    }
}
