//! Revocation lists: who is on one is refused, and nobody else.

use std::sync::Arc;

use hikyaku::config::TlsConfig;
use hikyaku::tls::pem::{TlsError, read_certificates, read_key};
use hikyaku::tls::server::server_config;
use rcgen::date_time_ymd;
use rustls::client::{Resumption, Tls12Resumption};
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, SupportedProtocolVersion};

use crate::support::certificates::{Authority, Pair};
use crate::support::client::{message, tls};
use crate::support::journal::ScriptedJournal;
use crate::support::log::Log;
use crate::support::server::{Server, config};

/// Sends a chunk: the kind of handshake, or the reason why the connection was refused.
async fn send(
    server: &Server,
    client: Arc<ClientConfig>,
    journal: &ScriptedJournal,
) -> Result<HandshakeKind, &'static str> {
    const REASONS: [&str; 3] = ["certificate_revoked", "revocation_list_expired", "unknown_authority"];
    let before = REASONS.map(|reason| server.samples().refused(reason));
    let mut client = match tls(server.address, client).await {
        Ok(mut client) => {
            client.send(&message("id")).await;
            Some(client)
        }
        // In TLS 1.2 the client hears of it before its handshake is over.
        Err(_) => None,
    };
    let refusal = std::cell::Cell::new(None);
    tokio::select! {
        taken = journal.next() => {
            taken.durable();
            let client = client.as_mut().unwrap();
            assert_eq!(client.ack().await.unwrap(), b"id");
            Ok(client.handshake_kind())
        }
        () = server.until(|samples| {
            let mut reasons = REASONS.iter().zip(before);
            refusal.set(reasons.find(|(reason, before)| samples.refused(reason) > *before).map(|(reason, _)| *reason));
            refusal.get().is_some()
        }) => Err(refusal.get().unwrap()),
    }
}

/// A client of one version, which resumes as it is told.
fn client_of(
    authority: &Authority,
    pair: &Pair,
    version: &'static SupportedProtocolVersion,
    tls12: Tls12Resumption,
) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(read_certificates(&authority.path()).unwrap());
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(read_certificates(&pair.cert).unwrap(), read_key(&pair.key).unwrap())
        .unwrap();
    config.resumption = Resumption::in_memory_sessions(8).tls12_resumption(tls12);
    Arc::new(config)
}

#[tokio::test]
async fn who_is_on_the_list_is_refused_by_name_and_nobody_else() {
    let (authority, without_list) = (Authority::new("authority"), Authority::new("without list"));
    let (good, bad) = (authority.issue("engine-1", |_| ()), authority.issue("engine-2", |_| ()));
    let other = without_list.issue("engine-3", |_| ());
    let journal = ScriptedJournal::new();
    let tls_config = TlsConfig {
        client_ca: vec![authority.path(), without_list.path()],
        crl: vec![authority.revoke(&[&bad])],
        ..authority.server()
    };
    let server = Server::start(&config(Some(tls_config)), &journal);
    assert_eq!(send(&server, authority.client(Some(&good)), &journal).await, Ok(HandshakeKind::Full));
    assert_eq!(send(&server, authority.client(Some(&other)), &journal).await, Ok(HandshakeKind::Full));

    let log = Log::begin();
    assert_eq!(send(&server, authority.client(Some(&bad)), &journal).await, Err("certificate_revoked"));
    let line = log.fields("refused a connection");
    assert_eq!(line["subject"], "CN=engine-2,O=Example");
    assert!(line["issuer"].as_str().unwrap().contains("CN=authority"), "{line}");
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    assert_eq!(line["reason"], "certificate_revoked");
    assert!(line["message"].as_str().unwrap().contains("is on a revocation list"), "{line}");
}

#[tokio::test]
async fn a_session_from_before_the_revocation_is_not_resumed() {
    for (version, tls12) in [
        (&TLS13, Tls12Resumption::SessionIdOrTickets),
        (&TLS12, Tls12Resumption::SessionIdOrTickets),
        (&TLS12, Tls12Resumption::SessionIdOnly),
    ] {
        let authority = Authority::new("authority");
        let pair = authority.issue("engine-1", |_| ());
        let journal = ScriptedJournal::new();
        let tls_config = TlsConfig { crl: vec![authority.revoke(&[])], ..authority.server() };
        let server = Server::start(&config(Some(tls_config)), &journal);
        let client = client_of(&authority, &pair, version, tls12);
        assert_eq!(send(&server, client.clone(), &journal).await, Ok(HandshakeKind::Full));
        assert_eq!(send(&server, client.clone(), &journal).await, Ok(HandshakeKind::Resumed), "{tls12:?}");
        authority.revoke(&[&pair]);
        server.reload("loaded").await;
        assert_eq!(send(&server, client, &journal).await, Err("certificate_revoked"), "{tls12:?}");
    }
}

#[tokio::test]
async fn a_list_past_its_next_update_counts_or_refuses_as_configured() {
    for (refuse, expected) in [
        (false, [Ok(HandshakeKind::Full), Ok(HandshakeKind::Resumed), Err("certificate_revoked")]),
        (true, [Err("revocation_list_expired"); 3]),
    ] {
        let authority = Authority::new("authority");
        let (good, bad) = (authority.issue("engine-1", |_| ()), authority.issue("engine-2", |_| ()));
        let crl = authority.revoke_with(&[&bad], |list| {
            list.this_update = date_time_ymd(2020, 1, 1);
            list.next_update = date_time_ymd(2020, 2, 1);
        });
        let journal = ScriptedJournal::new();
        let tls_config = TlsConfig { crl: vec![crl], refuse_when_crl_expired: refuse, ..authority.server() };
        let log = Log::begin();
        let server = Server::start(&config(Some(tls_config)), &journal);
        let client = authority.client(Some(&good));
        for (client, expected) in
            [client.clone(), client, authority.client(Some(&bad))].into_iter().zip(expected)
        {
            assert_eq!(send(&server, client, &journal).await, expected);
        }
        let warning = log.fields("past its next update; publish a new one");
        assert!(warning["message"].as_str().unwrap().contains("ca.crl"), "{warning}");
    }
}

#[tokio::test]
async fn where_an_expired_list_refuses_nothing_is_resumed_past_it() {
    for version in [&TLS13, &TLS12] {
        let authority = Authority::new("authority");
        let pair = authority.issue("engine-1", |_| ());
        let journal = ScriptedJournal::new();
        let crl = vec![authority.revoke(&[])];
        let tls_config = TlsConfig { crl, refuse_when_crl_expired: true, ..authority.server() };
        let server = Server::start(&config(Some(tls_config)), &journal);
        let client = client_of(&authority, &pair, version, Tls12Resumption::SessionIdOrTickets);
        for _ in 0..2 {
            assert_eq!(send(&server, client.clone(), &journal).await, Ok(HandshakeKind::Full));
        }
    }
}

#[tokio::test]
async fn authorities_in_between_can_be_revoked_as_well() {
    let root = Authority::new("root");
    let (kept, revoked) = (root.intermediate("kept"), root.intermediate("revoked"));
    let (good, bad) = (kept.issue_with_chain("engine-1"), revoked.issue_with_chain("engine-2"));
    let bad_leaf = kept.issue_with_chain("engine-3");
    let journal = ScriptedJournal::new();
    let intermediate = Pair {
        cert: revoked.path(),
        key: bad.key.clone(),
        der: read_certificates(&revoked.path()).unwrap()[0].to_vec(),
    };
    let crl = vec![root.revoke(&[&intermediate]), kept.revoke(&[&bad_leaf])];
    let server = Server::start(&config(Some(TlsConfig { crl, ..root.server() })), &journal);
    assert_eq!(send(&server, root.client(Some(&good)), &journal).await, Ok(HandshakeKind::Full));
    assert_eq!(send(&server, root.client(Some(&bad)), &journal).await, Err("certificate_revoked"));
    assert_eq!(send(&server, root.client(Some(&bad_leaf)), &journal).await, Err("certificate_revoked"));
}

#[tokio::test]
async fn of_two_lists_of_one_authority_the_newest_counts() {
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |_| ());
    let old = authority.folder().join("old.crl");
    std::fs::rename(authority.revoke(&[]), &old).unwrap();
    let new = authority.revoke_with(&[&pair], |list| list.this_update = date_time_ymd(2026, 2, 1));
    let journal = ScriptedJournal::new();
    let tls_config = TlsConfig { crl: vec![old, new], ..authority.server() };
    let server = Server::start(&config(Some(tls_config)), &journal);
    assert_eq!(send(&server, authority.client(Some(&pair)), &journal).await, Err("certificate_revoked"));
}

#[test]
fn lists_that_would_refuse_everybody_or_nobody_are_told_by_name() {
    let authority = Authority::new("authority");
    let list = std::fs::read_to_string(authority.revoke(&[])).unwrap();
    let error = |name: &str, text: &[u8]| {
        let path = authority.folder().join(name);
        std::fs::write(&path, text).unwrap();
        let error = server_config(&TlsConfig { crl: vec![path], ..authority.server() }).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        error
    };
    assert!(matches!(error("empty.crl", b""), TlsError::NoRevocationList { .. }));
    let certificate = std::fs::read(authority.path()).unwrap();
    assert!(matches!(error("certificate.crl", &certificate), TlsError::NoRevocationList { .. }));
    assert!(matches!(error("half.crl", &list.as_bytes()[..list.len() / 2]), TlsError::Pem { .. }));
    assert!(matches!(error("no-der.crl", b"0123"), TlsError::RevocationList { .. }));
    // The same name, another key.
    let namesake = std::fs::read(Authority::new("authority").revoke(&[])).unwrap();
    assert!(matches!(error("foreign.crl", &namesake), TlsError::ForeignRevocationList { .. }));
}

#[test]
fn a_list_in_der_is_read() {
    use rustls_pki_types::CertificateRevocationListDer;
    use rustls_pki_types::pem::PemObject;
    let authority = Authority::new("authority");
    let path = authority.revoke(&[]);
    let der = CertificateRevocationListDer::from_pem_file(&path).unwrap();
    std::fs::write(&path, &der).unwrap();
    server_config(&TlsConfig { crl: vec![path], ..authority.server() }).unwrap();
}
