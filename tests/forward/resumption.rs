//! Sessions are resumed with client certificates, and the sender stays known.

use std::sync::Arc;

use hikyaku::tls::pem::{read_certificates, read_key};
use hikyaku::tls::server::server_config;
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion};

use crate::support::certificates::{Authority, Pair};
use crate::support::client::{message, tls};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

fn client_of(
    authority: &Authority,
    pair: &Pair,
    version: &'static SupportedProtocolVersion,
    resumption: Resumption,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(read_certificates(&authority.path()).unwrap());
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(read_certificates(&pair.cert).unwrap(), read_key(&pair.key).unwrap())
        .unwrap();
    config.resumption = resumption;
    Arc::new(config)
}

async fn resumes(version: &'static SupportedProtocolVersion, resumption: Resumption) {
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |_| ());
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    let client_config = client_of(&authority, &pair, version, resumption);
    let mut senders = Vec::new();
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
        let mut client = tls(server.address, client_config.clone()).await.unwrap();
        client.send(&message("id")).await;
        senders.push(journal.next().await.durable().sender);
        assert_eq!(client.ack().await.unwrap(), b"id");
        assert_eq!(client.stream.get_ref().1.handshake_kind(), Some(kind), "{version:?}");
    }
    assert!(senders[0].certificate.is_some());
    assert!(senders.iter().all(|sender| *sender == senders[0]));
    assert_eq!(server.stop().await.input("accepted_connections_total"), 3);
}

#[test]
fn clients_keep_their_sessions_so_that_any_number_of_them_can_resume() {
    assert!(server_config(&Authority::new("authority").server()).unwrap().ticketer.enabled());
}

#[tokio::test]
async fn tls_1_3_sessions_are_resumed() {
    resumes(&TLS13, Resumption::in_memory_sessions(8)).await;
}

#[tokio::test]
async fn tls_1_2_sessions_are_resumed_by_ticket() {
    resumes(&TLS12, Resumption::in_memory_sessions(8)).await;
}

#[tokio::test]
async fn tls_1_2_sessions_are_resumed_by_session_id() {
    let session_id = rustls::client::Tls12Resumption::SessionIdOnly;
    resumes(&TLS12, Resumption::in_memory_sessions(8).tls12_resumption(session_id)).await;
}
