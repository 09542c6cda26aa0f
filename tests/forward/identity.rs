//! Who may connect, and who they are.

use std::time::Duration;

use hikyaku::config::{InputConfig, TlsConfig};
use hikyaku::tls::expiry::{ValidityError, check_validity};
use hikyaku::tls::identity::{IdentityError, sender_certificate};
use rcgen::{DnType, SanType, date_time_ymd};

use crate::support::certificates::{Authority, Pair};
use crate::support::client::{message, plain, tls};
use crate::support::journal::ScriptedJournal;
use crate::support::log::Log;
use crate::support::server::{Server, config};

/// Tries to send with this client and expects to be refused for `reason`.
async fn refused(server_authority: &Authority, trusted: &Authority, pair: Option<&Pair>, reason: &str) {
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(server_authority.server())), &journal);
    // In TLS 1.3 the client is done before the server has looked at its certificate.
    if let Ok(mut client) = tls(server.address, trusted.client(pair)).await {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let _ = client.stream.write_all(&message("id")).await;
        assert!(client.stream.read(&mut [0; 16]).await.is_err(), "the alert tells the client");
    }
    server.until(|samples| samples.refused(reason) > 0).await;
    let samples = server.stop().await;
    assert_eq!(samples.refused(reason), 1);
    assert_eq!(samples.input("accepted_connections_total"), 0);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused() {
    let authority = Authority::new("authority");
    refused(&authority, &authority, None, "no_certificate").await;
}

#[tokio::test]
async fn a_certificate_of_a_foreign_authority_is_refused() {
    let (authority, foreign) = (Authority::new("authority"), Authority::new("foreign"));
    let pair = foreign.issue("engine-1", |_| ());
    refused(&authority, &authority, Some(&pair), "unknown_authority").await;
}

#[tokio::test]
async fn expired_and_future_certificates_are_refused() {
    let log = Log::begin();
    let authority = Authority::new("authority");
    let expired = authority.issue("engine-1", |params| params.not_after = date_time_ymd(2020, 1, 1));
    refused(&authority, &authority, Some(&expired), "certificate_expired").await;
    let future = authority.issue("engine-2", |params| params.not_before = date_time_ymd(2200, 1, 1));
    refused(&authority, &authority, Some(&future), "certificate_not_yet_valid").await;
    for (words, name) in [("certificate expired", "engine-1"), ("is not valid yet", "engine-2")] {
        assert_eq!(log.fields(words)["subject"], format!("CN={name},O=Example"));
    }
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_server_is_counted_as_such() {
    let (authority, foreign) = (Authority::new("authority"), Authority::new("foreign"));
    let pair = authority.issue("engine-1", |_| ());
    refused(&authority, &foreign, Some(&pair), "untrusted_by_client").await;
}

#[tokio::test]
async fn plain_tcp_on_a_tls_port_is_refused() {
    let authority = Authority::new("authority");
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    let mut client = plain(server.address).await;
    client.send(&message("id")).await;
    let mut answer = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut answer).await.unwrap();
    drop(client);
    assert_eq!(server.stop().await.refused("not_tls"), 1);
}

#[tokio::test]
async fn a_health_check_that_connects_and_goes_away_is_no_refused_connection() {
    let authority = Authority::new("authority");
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    let mut check = plain(server.address).await;
    tokio::io::AsyncWriteExt::shutdown(&mut check.stream).await.unwrap();
    assert_eq!(check.ack().await, None);
    drop(check);
    let mut silent = plain(server.address).await;
    silent.send(b"\x16").await;
    drop(silent);
    server.until(|samples| samples.refused("closed") > 0).await;
    assert_eq!(server.stop().await.refused("closed"), 1);
}

#[tokio::test]
async fn a_handshake_that_does_not_come_to_an_end_is_ended() {
    let authority = Authority::new("authority");
    let journal = ScriptedJournal::new();
    let config =
        InputConfig { handshake_timeout: Duration::from_millis(20), ..config(Some(authority.server())) };
    let server = Server::start(&config, &journal);
    let mut client = plain(server.address).await;
    assert_eq!(client.ack().await, None);
    assert_eq!(server.stop().await.refused("handshake_timeout"), 1);
}

#[tokio::test]
async fn a_good_sender_goes_on_while_another_is_refused() {
    let (authority, foreign) = (Authority::new("authority"), Authority::new("foreign"));
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    let good = authority.issue("engine-1", |_| ());
    let mut client = tls(server.address, authority.client(Some(&good))).await.unwrap();
    let bad = foreign.issue("engine-2", |_| ());
    for id in ["1", "2"] {
        client.send(&message(id)).await;
        let chunk = journal.next().await.durable();
        assert_eq!(chunk.sender.identity, "CN=engine-1,O=Example;DNS:engine-1");
        assert_eq!(client.ack().await.unwrap(), id.as_bytes());
        drop(tls(server.address, authority.client(Some(&bad))).await);
    }
    let gauge = "hikyaku_input_connections{input=\"edge\",sender=\"CN=engine-1,O=Example;DNS:engine-1\"}";
    assert_eq!(server.samples().get(gauge), 1);
    drop(client);
    assert_eq!(server.stop().await.get(gauge), 0);
}

#[tokio::test]
async fn without_client_ca_a_client_needs_no_certificate() {
    let authority = Authority::new("authority");
    let journal = ScriptedJournal::new();
    let tls_config = TlsConfig { client_ca: Vec::new(), ..authority.server() };
    let server = Server::start(&config(Some(tls_config)), &journal);
    let mut client = tls(server.address, authority.client(None)).await.unwrap();
    client.send(&message("id")).await;
    let chunk = journal.next().await.durable();
    assert_eq!((chunk.sender.identity.as_str(), &chunk.sender.certificate), ("127.0.0.1", &None));
    assert_eq!(client.ack().await.unwrap(), b"id");
}

#[test]
fn a_certificate_tells_subject_names_and_fingerprint() {
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |params| {
        params.distinguished_name.push(DnType::OrganizationalUnitName, " Log, +Edge; #1\\");
        params.subject_alt_names = vec![
            SanType::DnsName("engine-1.example.com".try_into().unwrap()),
            SanType::IpAddress("192.0.2.7".parse().unwrap()),
            SanType::IpAddress("2001:db8::7".parse().unwrap()),
            SanType::URI("spiffe://example/engine;1".try_into().unwrap()),
            SanType::Rfc822Name("edge@example.com".try_into().unwrap()),
        ];
    });
    let certificate = sender_certificate(&pair.der).unwrap();
    assert_eq!(certificate.subject, r"OU=\ Log\, \+Edge\; #1\\,CN=engine-1,O=Example");
    assert_eq!(
        certificate.alternative_names,
        [
            "DNS:engine-1.example.com",
            "IP:192.0.2.7",
            "IP:2001:db8::7",
            r"URI:spiffe://example/engine\3B1",
            "email:edge@example.com"
        ]
    );
    assert_eq!(certificate.fingerprint.len(), 64);
    assert!(
        certificate.fingerprint.chars().all(|digit| digit.is_ascii_digit() || ('a'..='f').contains(&digit))
    );
}

#[test]
fn a_renewed_certificate_is_the_same_sender() {
    let authority = Authority::new("authority");
    let names = [(), ()].map(|()| sender_certificate(&authority.issue("engine-1", |_| ()).der).unwrap());
    assert_eq!(names[0].subject, names[1].subject);
    assert_eq!(names[0].alternative_names, names[1].alternative_names);
    assert_ne!(names[0].fingerprint, names[1].fingerprint);
}

#[test]
fn a_certificate_without_any_name_names_no_sender() {
    let authority = Authority::new("authority");
    let pair = authority.issue("nobody", |params| {
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.subject_alt_names.clear();
    });
    assert_eq!(sender_certificate(&pair.der), Err(IdentityError::Nameless));
    assert!(matches!(sender_certificate(b"x"), Err(IdentityError::Unreadable(_))));
}

#[test]
fn validity_holds_at_its_edges() {
    let authority = Authority::new("authority");
    let (start, end) = (date_time_ymd(2026, 1, 1), date_time_ymd(2026, 2, 1));
    let pair = authority.issue("engine-1", |params| (params.not_before, params.not_after) = (start, end));
    let second = Duration::from_secs(1);
    assert_eq!(check_validity(&pair.der, start.into()), Ok(()));
    assert_eq!(check_validity(&pair.der, end.into()), Ok(()));
    let early = check_validity(&pair.der, (start - second).into());
    assert_eq!(early, Err(ValidityError::NotYetValid(second)));
    assert_eq!(check_validity(&pair.der, (end + second).into()), Err(ValidityError::Expired(second)));
}
