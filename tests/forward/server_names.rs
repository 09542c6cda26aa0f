//! Which certificate the server shows, and whom it trusts.

use std::sync::Arc;

use hikyaku::config::{CertificatePair, TlsConfig};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore, SignatureScheme};

use crate::support::certificates::{Authority, Pair};
use crate::support::client::{message, tls, tls_to};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

fn files(pair: &Pair) -> CertificatePair {
    CertificatePair { cert: pair.cert.clone(), key: pair.key.clone() }
}

#[tokio::test]
async fn the_name_that_a_client_asks_for_chooses_the_certificate() {
    let authority = Authority::new("authority");
    let client = authority.issue("engine-1", |_| ());
    let exact = authority.issue("logs.example.com", |_| ());
    let wildcard = authority.issue("*.example.org", |_| ());
    // So that clients find any name in it.
    let names = ["localhost", "127.0.0.1", "unknown.example.com", "a.b.example.org", "example.org"];
    let first = authority.issue("localhost", |params| {
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.parse() {
                Ok(address) => rcgen::SanType::IpAddress(address),
                Err(_) => rcgen::SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
    });
    let tls_config = TlsConfig {
        certificates: vec![files(&exact), files(&wildcard)],
        client_ca: vec![authority.path()],
        ..TlsConfig::new(first.cert.clone(), first.key.clone())
    };
    let server = Server::start(&config(Some(tls_config)), &ScriptedJournal::new());
    for (name, expected) in [
        ("logs.example.com", &exact),
        ("LOGS.example.com", &exact),
        ("a.example.org", &wildcard),
        // A wildcard is for one label.
        ("a.b.example.org", &first),
        ("example.org", &first),
        ("unknown.example.com", &first),
        ("localhost", &first),
        // An address is no name: the client sends none.
        ("127.0.0.1", &first),
    ] {
        let connected = tls_to(name, server.address, authority.client(Some(&client))).await.unwrap();
        assert_eq!(connected.server_certificate(), expected.der, "{name}");
    }
}

#[tokio::test]
async fn of_two_certificates_of_one_name_a_client_gets_the_one_that_it_can_check() {
    let authority = Authority::new("authority");
    let first = authority.issue("first.example.com", |_| ());
    let small = authority.issue("localhost", |_| ());
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let large = authority.issue_to("localhost", "large", &key);
    let tls_config = TlsConfig {
        certificates: vec![files(&small), files(&large)],
        ..TlsConfig::new(first.cert.clone(), first.key.clone())
    };
    let server = Server::start(&config(Some(tls_config)), &ScriptedJournal::new());
    for (scheme, expected) in
        [(SignatureScheme::ECDSA_NISTP256_SHA256, &small), (SignatureScheme::ECDSA_NISTP384_SHA384, &large)]
    {
        let client = client_that_checks(scheme, &authority);
        let connected = tls(server.address, client).await.unwrap();
        assert_eq!(connected.server_certificate(), expected.der, "{scheme:?}");
    }
}

/// A client that knows one algorithm only.
fn client_that_checks(scheme: SignatureScheme, authority: &Authority) -> Arc<ClientConfig> {
    let provider = aws_lc_rs::default_provider();
    let mut algorithms = provider.signature_verification_algorithms;
    let known: Vec<_> = algorithms.mapping.iter().filter(|(known, _)| *known == scheme).copied().collect();
    algorithms.mapping = known.leak();
    let provider = CryptoProvider { signature_verification_algorithms: algorithms, ..provider };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(hikyaku::tls::pem::read_certificates(&authority.path()).unwrap());
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[tokio::test]
async fn whatever_protocol_a_client_offers_it_is_served() {
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |_| ());
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    for offered in [&[b"h2".to_vec(), b"http/1.1".to_vec()][..], &[b"forward".to_vec()]] {
        let mut client = (*authority.client(Some(&pair))).clone();
        client.alpn_protocols = offered.to_vec();
        let mut client = tls(server.address, Arc::new(client)).await.unwrap();
        client.send(&message("id")).await;
        journal.next().await.durable();
        assert_eq!(client.ack().await.unwrap(), b"id");
        assert_eq!(client.stream.get_ref().1.alpn_protocol(), None);
    }
}

#[tokio::test]
async fn authorities_come_from_any_number_of_files_and_chains_lead_to_them() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let between = second.intermediate("between");
    let journal = ScriptedJournal::new();
    let servers = first.intermediate("servers");
    let of_server = servers.issue_with_chain("localhost");
    let tls_config = TlsConfig {
        client_ca: vec![first.path(), second.path()],
        ..TlsConfig::new(of_server.cert.clone(), of_server.key.clone())
    };
    let server = Server::start(&config(Some(tls_config)), &journal);
    for pair in [
        first.issue("engine-1", |_| ()),
        second.issue("engine-2", |_| ()),
        between.issue_with_chain("engine-3"),
    ] {
        let mut client = tls(server.address, first.client(Some(&pair))).await.unwrap();
        client.send(&message("id")).await;
        journal.next().await.durable();
        assert_eq!(client.ack().await.unwrap(), b"id");
    }
}
