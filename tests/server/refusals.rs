use std::process::{Command, Stdio};

use crate::support::{HIKYAKU, Scene, run_with_input};

/// Sends one event with other certificates, and gives up soon.
fn send_with(scene: &Scene, port: u16, arguments: &[(&str, &str)]) -> bool {
    let mut command = Command::new(HIKYAKU);
    command.args(["send", "nginx.access", "--timeout", "1", "--server", &format!("localhost:{port}")]);
    for (name, file) in arguments {
        command.arg(name).arg(scene.path(file));
    }
    command.current_dir(scene.directory.path().join("certs"));
    run_with_input(command, "{\"n\":1}\n").status.success()
}

#[test]
fn a_client_without_a_certificate_or_with_a_foreign_one_is_refused_and_named() {
    let scene = Scene::new();
    let server = scene.start();
    let port = server.port("edge");
    let foreign = Command::new(HIKYAKU)
        .args(["certs", "--client", "client", "--dir"])
        .arg(scene.path("foreign"))
        .output()
        .unwrap();
    assert!(foreign.status.success());

    assert!(!send_with(&scene, port, &[("--ca", "certs/ca.crt")]));
    let line = server.line_with("certificate");
    assert_eq!(line["level"], "WARN");
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");

    let foreign =
        [("--ca", "certs/ca.crt"), ("--cert", "foreign/client.crt"), ("--key", "foreign/client.key")];
    assert!(!send_with(&scene, port, &foreign));
    assert!(server.metric("hikyaku_input_refused_connections_total") >= 2.0);
    assert_eq!(server.metric("hikyaku_input_records_total"), 0.0);

    let own = [("--ca", "certs/ca.crt"), ("--cert", "certs/client.crt"), ("--key", "certs/client.key")];
    assert!(send_with(&scene, port, &own));
}

#[test]
fn bytes_that_are_no_message_are_refused_and_the_next_sender_is_served() {
    let scene = Scene::new();
    let server = scene.start();
    let plain = server.port("containers");
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", plain)).unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(std::io::Read::read(&mut stream, &mut [0; 16]).unwrap_or(0), 0, "closed without an answer");
    server.until_metric("hikyaku_input_rejected_messages_total", 1.0);

    let mut command = Command::new(HIKYAKU);
    command.args(["send", "app.log", "--plain", "--server", &format!("127.0.0.1:{plain}")]);
    command.stdin(Stdio::piped());
    assert!(run_with_input(command, "{\"n\":1}\n").status.success());
}

#[test]
fn a_client_whose_certificate_expired_is_refused_and_named() {
    let scene = Scene::new();
    write_expired_client(&scene);
    let server = scene.start();
    let expired = [("--ca", "certs/ca.crt"), ("--cert", "expired.crt"), ("--key", "expired.key")];
    assert!(!send_with(&scene, server.port("edge"), &expired));
    let line = server.line_with("expired");
    assert_eq!(line["level"], "WARN");
    assert!(line["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{line}");
    let (_, metrics) = server.get("metrics", "/metrics");
    let sample = metrics.lines().find(|line| line.contains("reason=\"certificate_expired\"")).unwrap();
    assert!(sample.starts_with("hikyaku_input_refused_connections_total{"), "{sample}");
    assert_eq!(server.metric("hikyaku_input_records_total"), 0.0);
}

/// A certificate from the right authority that was valid in the year 2020.
fn write_expired_client(scene: &Scene) {
    let read = |name: &str| std::fs::read_to_string(scene.path(name)).unwrap();
    let authority_key = rcgen::KeyPair::from_pem(&read("certs/ca.key")).unwrap();
    let authority = rcgen::Issuer::from_ca_cert_pem(&read("certs/ca.crt"), authority_key).unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "old-engine");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 12, 31);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    std::fs::write(scene.path("expired.crt"), certificate.pem()).unwrap();
    std::fs::write(scene.path("expired.key"), key.serialize_pem()).unwrap();
}
