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
