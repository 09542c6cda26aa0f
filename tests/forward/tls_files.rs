//! Wrong certificate files are told by name, before anything is bound.

use std::time::{Duration, SystemTime};

use hikyaku::config::{CertificatePair, TlsConfig};
use hikyaku::input::forward::{BindError, ForwardInput};
use hikyaku::tls::expiry::days_left_at;
use hikyaku::tls::pem::TlsError;
use hikyaku::tls::server::server_config;
use rcgen::date_time_ymd;

use crate::support::certificates::Authority;
use crate::support::server::config;

fn error(tls: &TlsConfig) -> TlsError {
    server_config(tls).unwrap_err()
}

#[test]
fn each_mistake_names_its_file_and_what_to_do() {
    let authority = Authority::new("authority");
    let good = authority.server();
    let other = authority.issue("other", |_| ());
    let missing = authority.folder().join("missing.pem");
    let empty = authority.folder().join("empty.pem");
    std::fs::write(&empty, "nothing in here").unwrap();
    let torn = authority.folder().join("torn.pem");
    std::fs::write(&torn, "-----BEGIN CERTIFICATE-----\nMIIB\n").unwrap();
    let no_der = authority.folder().join("no-der.pem");
    std::fs::write(&no_der, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let mismatch = CertificatePair { cert: good.cert.clone(), key: other.key.clone() };
    for (tls, file, words) in [
        (TlsConfig { cert: missing.clone(), ..good.clone() }, "missing.pem", "cannot read"),
        (TlsConfig { key: missing.clone(), ..good.clone() }, "missing.pem", "cannot read"),
        (TlsConfig { client_ca: vec![missing], ..good.clone() }, "missing.pem", "cannot read"),
        (TlsConfig { cert: empty.clone(), ..good.clone() }, "empty.pem", "holds no certificate"),
        (TlsConfig { key: good.cert.clone(), ..good.clone() }, "localhost.crt", "holds no private key"),
        (TlsConfig { client_ca: vec![empty], ..good.clone() }, "empty.pem", "holds no certificate"),
        (TlsConfig { cert: torn, ..good.clone() }, "torn.pem", "no PEM"),
        (TlsConfig { cert: no_der.clone(), ..good.clone() }, "no-der.pem", "cannot be used"),
        (TlsConfig { client_ca: vec![no_der], ..good.clone() }, "no-der.pem", "cannot be used"),
        (TlsConfig { key: other.key.clone(), ..good.clone() }, "other.key", "does not belong"),
        (TlsConfig { certificates: vec![mismatch], ..good.clone() }, "other.key", "does not belong"),
    ] {
        let text = error(&tls).to_string();
        assert!(text.contains(file) && text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn an_input_says_why_it_cannot_start() {
    let authority = Authority::new("authority");
    let mut wrong = config(Some(authority.server()));
    wrong.tls.as_mut().unwrap().cert = "missing.pem".into();
    let text = ForwardInput::bind(&wrong).unwrap_err().to_string();
    assert!(text.contains("input \"edge\"") && text.contains("missing.pem"), "{text}");

    let first = ForwardInput::bind(&config(None)).unwrap();
    let mut second = config(None);
    second.listen = first.local_addr().clone();
    let error = ForwardInput::bind(&second).unwrap_err();
    assert!(matches!(error, BindError::Listen { .. }));
    assert!(error.to_string().contains("another process has the port"), "{error}");
}

#[test]
fn the_days_that_a_certificate_has_left_are_rounded_down() {
    let authority = Authority::new("authority");
    let end = date_time_ymd(2026, 2, 1);
    let pair = authority.issue("engine-1", |params| params.not_after = end);
    let end: SystemTime = end.into();
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
    for (now, days) in
        [(end - day, 1), (end - day + second, 0), (end, 0), (end + second, -1), (end + day * 3, -3)]
    {
        assert_eq!(days_left_at(&pair.cert, now).unwrap(), days);
    }
}
