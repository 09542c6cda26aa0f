//! Certificates are renewed under open connections.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hikyaku::config::{CertificatePair, TlsConfig};
use hikyaku::metrics::Metrics;
use hikyaku::tls::client::{ClientFiles, ReloadingClientConfig};
use rustls::HandshakeKind;

use crate::support::certificates::{Authority, Pair};
use crate::support::client::{Client, message, tls};
use crate::support::journal::ScriptedJournal;
use crate::support::log::Log;
use crate::support::server::{Server, config};

/// Sends a chunk and waits for its acknowledgement.
async fn deliver<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
    client: &mut Client<S>,
    journal: &ScriptedJournal,
) {
    client.send(&message("id")).await;
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"id");
}

/// Whether a new connection of this client gets through to the first acknowledgement.
async fn is_taken(server: &Server, authority: &Authority, pair: &Pair, journal: &ScriptedJournal) -> bool {
    let refused = server.samples().refused("unknown_authority");
    // In TLS 1.3 the client is done before it is refused.
    let Ok(mut client) = tls(server.address, authority.client(Some(pair))).await else { return false };
    client.send(&message("id")).await;
    tokio::select! {
        taken = journal.next() => {
            taken.durable();
            true
        }
        () = server.until(|samples| samples.refused("unknown_authority") > refused) => false,
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_open_ones_go_on() {
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |_| ());
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    let mut open = tls(server.address, authority.client(Some(&pair))).await.unwrap();
    deliver(&mut open, &journal).await;
    let unacknowledged = {
        open.send(&message("under way")).await;
        journal.next().await
    };

    let log = Log::begin();
    let renewed = authority.issue("localhost", |_| ());
    server.reload("loaded").await;
    let files = log.fields("took up changed TLS files")["files"].to_string();
    assert!(files.contains("localhost.crt") && files.contains("localhost.key"), "{files}");

    unacknowledged.durable();
    assert_eq!(open.ack().await.unwrap(), b"under way");
    deliver(&mut open, &journal).await;
    assert_ne!(open.server_certificate(), renewed.der);
    let mut new = tls(server.address, authority.client(Some(&pair))).await.unwrap();
    deliver(&mut new, &journal).await;
    assert_eq!(new.server_certificate(), renewed.der);
    drop((open, new));
    server.stop().await;
}

#[tokio::test]
async fn changes_are_noticed_without_being_told() {
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |_| ());
    let journal = ScriptedJournal::new();
    let tls_config = TlsConfig { reload_interval: Duration::from_millis(5), ..authority.server() };
    let server = Server::start(&config(Some(tls_config)), &journal);
    let renewed = authority.issue("localhost", |_| ());
    server.until(|samples| samples.reloads("loaded") == 1).await;
    let client = tls(server.address, authority.client(Some(&pair))).await.unwrap();
    assert_eq!(client.server_certificate(), renewed.der);
}

#[tokio::test]
async fn authorities_come_and_go() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let (of_old, of_new) = (old.issue("engine-1", |_| ()), new.issue("engine-2", |_| ()));
    // Both trust the server, whichever authority signed it.
    let of_new_under_old = Pair { cert: of_new.cert, key: of_new.key, der: of_new.der };
    let trusted = old.folder().join("trusted.crt");
    copy(&old.path(), &trusted);
    let journal = ScriptedJournal::new();
    let tls_config = TlsConfig { client_ca: vec![trusted.clone()], ..old.server() };
    let server = Server::start(&config(Some(tls_config)), &journal);
    assert!(is_taken(&server, &old, &of_old, &journal).await);
    assert!(!is_taken(&server, &old, &of_new_under_old, &journal).await);

    let both = [old.path(), new.path()].map(|path| std::fs::read_to_string(path).unwrap()).concat();
    std::fs::write(&trusted, both).unwrap();
    server.reload("loaded").await;
    assert!(is_taken(&server, &old, &of_old, &journal).await);
    assert!(is_taken(&server, &old, &of_new_under_old, &journal).await);

    copy(&new.path(), &trusted);
    server.reload("loaded").await;
    assert!(!is_taken(&server, &old, &of_old, &journal).await);
    assert!(is_taken(&server, &old, &of_new_under_old, &journal).await);
}

#[tokio::test]
async fn files_that_do_not_fit_together_change_nothing() {
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |_| ());
    let other = authority.issue("other", |_| ());
    let journal = ScriptedJournal::new();
    let files = authority.server();
    let server = Server::start(&config(Some(files.clone())), &journal);
    let in_use =
        tls(server.address, authority.client(Some(&pair))).await.unwrap().server_certificate().to_vec();
    let whole = std::fs::read(&files.cert).unwrap();

    let mistakes: [(&str, &dyn Fn()); 4] = [
        ("does not belong", &|| copy(&other.cert, &files.cert)),
        ("is no PEM file", &|| std::fs::write(&files.cert, &whole[..whole.len() / 2]).unwrap()),
        ("holds no certificate", &|| std::fs::write(&files.cert, "").unwrap()),
        ("cannot read", &|| std::fs::remove_file(&files.cert).unwrap()),
    ];
    for (words, make) in mistakes {
        let log = Log::begin();
        make();
        server.reload("failed").await;
        let line = log.fields("changed TLS files do not load")["message"].to_string();
        assert!(line.contains(words) && line.contains("localhost.crt"), "{line}");
        assert_eq!(server.samples().get("hikyaku_tls_reload_failed{id=\"edge\"}"), 1);
        let mut client = tls(server.address, authority.client(Some(&pair))).await.unwrap();
        deliver(&mut client, &journal).await;
        assert_eq!(client.server_certificate(), in_use);
    }

    let renewed = authority.issue("localhost", |_| ());
    server.reload("loaded").await;
    assert_eq!(server.samples().get("hikyaku_tls_reload_failed{id=\"edge\"}"), 0);
    let client = tls(server.address, authority.client(Some(&pair))).await.unwrap();
    assert_eq!(client.server_certificate(), renewed.der);
}

#[tokio::test]
async fn sessions_outlive_a_renewed_certificate_but_not_changed_trust() {
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |_| ());
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    let client_config = authority.client(Some(&pair));
    let kind = async || {
        let mut client = tls(server.address, client_config.clone()).await.unwrap();
        // Tickets come with the first answer.
        deliver(&mut client, &journal).await;
        client.handshake_kind()
    };
    assert_eq!(kind().await, HandshakeKind::Full);
    assert_eq!(kind().await, HandshakeKind::Resumed);
    authority.issue("localhost", |_| ());
    server.reload("loaded").await;
    assert_eq!(kind().await, HandshakeKind::Resumed);

    let both = [authority.path(), Authority::new("other").path()];
    let both = both.map(|path| std::fs::read_to_string(path).unwrap_or_default()).concat();
    std::fs::write(authority.path(), both + "\n").unwrap();
    server.reload("loaded").await;
    assert_eq!(kind().await, HandshakeKind::Full);
    assert_eq!(kind().await, HandshakeKind::Resumed);
}

#[tokio::test]
async fn clients_follow_their_files_as_well() {
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |_| ());
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    let files = ClientFiles {
        ca: vec![authority.path()],
        identity: Some(CertificatePair { cert: pair.cert.clone(), key: pair.key.clone() }),
        reload_interval: Duration::from_millis(5),
    };
    let client_config = Arc::new(ReloadingClientConfig::load(files).unwrap());
    let fingerprint = async || {
        let mut client = tls(server.address, client_config.current()).await.unwrap();
        client.send(&message("id")).await;
        journal.next().await.durable().sender.certificate.clone().unwrap().fingerprint
    };
    let metrics = Metrics::new("test", 10);
    let before = fingerprint().await;
    assert_eq!(fingerprint().await, before);

    authority.issue("engine-1", |_| ());
    let tls_metrics = metrics.tls("upstream");
    let loaded = async {
        while !metrics
            .render()
            .unwrap()
            .contains("hikyaku_tls_reloads_total{id=\"upstream\",result=\"loaded\"} 1")
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = client_config.watch("upstream", &tls_metrics) => unreachable!("it follows without end"),
        () = loaded => {}
    }
    assert_ne!(fingerprint().await, before, "the session of the old certificate is not resumed");
}
