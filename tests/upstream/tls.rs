//! Upstreams behind TLS, with certificates of both sides.

use std::path::Path;

use hikyaku::tls::generate::{CertificateRequest, DEFAULT_DAYS, generate};

use crate::support::relay::{Relay, config, start};

/// An authority with a server certificate and one for `client`, in a folder of their own.
fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    generate(&CertificateRequest {
        directory: folder.path().to_owned(),
        clients: vec!["client".to_owned()],
        server_names: Vec::new(),
        days: DEFAULT_DAYS,
        force: false,
    })
    .unwrap();
    folder
}

/// A hikyaku that wants client certificates of this authority, and archives what it gets.
async fn archive(certs: &Path) -> Relay {
    let folder = tempfile::tempdir().unwrap();
    let (root, certs) = (folder.path().display().to_string(), certs.display());
    let text = format!(
        r#"
        [server]
        name = "archive-1"
        data_dir = "{root}/data"
        shutdown_timeout = "200ms"
        [[input]]
        id = "edge"
        type = "forward"
        listen = "127.0.0.1:0"
        tls = {{ cert = "{certs}/server.crt", key = "{certs}/server.key", client_ca = "{certs}/ca.crt" }}
        [[output]]
        id = "archive"
        type = "file"
        match = "**"
        path = "{root}/archive.log"
        [health]
        enabled = false
        [monitor_agent]
        enabled = false
        [metrics]
        listen = "127.0.0.1:0"
        "#
    );
    Relay::run(folder, &text).await
}

/// `tls` of a client that trusts one authority and has its certificate from another.
fn tls(trusts: &Path, shows: &Path) -> String {
    let (trusts, shows) = (trusts.display(), shows.display());
    format!(
        "tls = {{ ca = \"{trusts}/ca.crt\", cert = \"{shows}/client.crt\", key = \"{shows}/client.key\" }}"
    )
}

const TAKEN: &str = "fluentd_input_status_num_records_total";

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_show_a_certificate() {
    let certs = certificates();
    let upstream = archive(certs.path()).await;
    let relay = Relay::start(&[upstream.server()], &tls(certs.path(), certs.path())).await;
    relay.take_one("t").await;
    upstream.until(TAKEN, 1.0).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    relay.stop().await;
    upstream.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_the_certificate_puts_nothing_in_doubt_and_another_takes_over() {
    let (certs, others) = (certificates(), certificates());
    // Both servers are trusted, and only one of them trusts the client.
    let refusing = archive_of(&others, certs.path()).await;
    let taking = archive(certs.path()).await;
    let keys = format!("connections = 1\n{}", tls(certs.path(), certs.path()));
    let relay = Relay::start(&[refusing.server(), taking.server()], &keys).await;
    relay.take_one("t").await;
    taking.until(TAKEN, 1.0).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    assert_eq!(relay.metric("fluentd_output_status_num_errors").await, 1.0);
    assert_eq!(relay.metric("hikyaku_output_in_doubt").await, 0.0);
    assert_eq!(refusing.metric(TAKEN).await, 0.0);
    for relay in [relay, refusing, taking] {
        relay.stop().await;
    }
}

/// As [`archive`], with the server's own certificate from `own`.
async fn archive_of(client_ca: &tempfile::TempDir, own: &Path) -> Relay {
    for name in ["server.crt", "server.key"] {
        std::fs::copy(own.join(name), client_ca.path().join(name)).unwrap();
    }
    archive(client_ca.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_verifies_fails_at_a_server_that_is_not_trusted() {
    let (certs, others) = (certificates(), certificates());
    let upstream = archive(certs.path()).await;
    let folder = tempfile::tempdir().unwrap();
    let keys = format!("verify_connection_at_startup = true\n{}", tls(others.path(), others.path()));
    let text = config(folder.path(), &[upstream.server()], &keys, "");
    let error = start(folder.path(), &text).await.unwrap_err().to_string();
    assert!(error.contains("no server can be used") && error.contains("certificate"), "{error}");
    upstream.stop().await;
}
