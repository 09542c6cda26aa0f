//! Certificates are renewed and revoked while the server runs.

use std::net::TcpStream;
use std::process::Command;

use hikyaku::tls::client::{ClientIdentity, client_config};
use hikyaku::wire::client::{AckReader, Packed, encode_packed};
use rustls::{ClientConnection, StreamOwned};

use crate::support::{HIKYAKU, PATIENCE, Scene, Server, run_with_input};

/// An engine that stays connected.
struct Engine {
    stream: StreamOwned<ClientConnection, TcpStream>,
    acks: AckReader,
}

impl Engine {
    fn connect(scene: &Scene, server: &Server) -> Self {
        let [ca, cert, key] =
            ["ca.crt", "client.crt", "client.key"].map(|name| scene.path("certs").join(name));
        let config = client_config(&ca, Some(ClientIdentity { cert: &cert, key: &key })).unwrap();
        let connection = ClientConnection::new(config, "localhost".try_into().unwrap()).unwrap();
        let stream = TcpStream::connect(("127.0.0.1", server.port("edge"))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: StreamOwned::new(connection, stream), acks: AckReader::default() }
    }

    fn deliver(&mut self, id: &str) {
        use std::io::{Read, Write};
        let entries = b"\x92\x01\x81\xa1a\x01";
        let message = Packed { tag: b"app.log", entries, count: 1, chunk: Some(id.as_bytes()), gzip: false };
        self.stream.write_all(&encode_packed(&message)).unwrap();
        loop {
            if let Some(acknowledged) = self.acks.next_ack().unwrap() {
                assert_eq!(acknowledged, id.as_bytes());
                return;
            }
            let mut bytes = [0; 1024];
            let read = self.stream.read(&mut bytes).unwrap();
            assert_ne!(read, 0, "closed before the acknowledgement");
            self.acks.buffer().extend_from_slice(&bytes[..read]);
        }
    }

    fn server_certificate(&self) -> Vec<u8> {
        self.stream.conn.peer_certificates().unwrap()[0].to_vec()
    }
}

fn certs(scene: &Scene, arguments: &[&str]) {
    let output = Command::new(HIKYAKU)
        .arg("certs")
        .arg("--dir")
        .arg(scene.path("certs"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A scene whose list of revoked certificates is empty, and whose files are only looked at on HUP.
fn scene_with_list() -> Scene {
    let scene = Scene::new();
    certs(&scene, &["--crl"]);
    let config = std::fs::read_to_string(scene.path("hikyaku.toml")).unwrap();
    let crl = scene.path("certs/ca.crl");
    let keys = format!("certs/ca.crt\", crl = \"{}\", reload_interval = \"0s\" }}", crl.display());
    std::fs::write(scene.path("hikyaku.toml"), config.replace("certs/ca.crt\" }", &keys)).unwrap();
    scene
}

#[test]
fn hup_takes_up_renewed_and_revoked_certificates_and_open_connections_go_on() {
    let scene = scene_with_list();
    let server = scene.start();
    let mut open = Engine::connect(&scene, &server);
    open.deliver("before");

    server.signal("-HUP");
    let line = server.line_with("HUP");
    assert!(line["message"].as_str().unwrap().contains("need a restart"), "{line}");
    assert_eq!(server.line_with("TLS files")["message"], "the TLS files are as they are in use");

    certs(&scene, &["--client", "client", "--force"]);
    server.signal("-HUP");
    let line = server.line_with("took up changed TLS files");
    assert!(line["files"].as_str().unwrap().contains("certs/server.crt"), "{line}");
    assert_eq!(line["id"], "edge");
    open.deliver("after the renewal");
    let mut new = Engine::connect(&scene, &server);
    new.deliver("new");
    assert_ne!(new.server_certificate(), open.server_certificate());

    certs(&scene, &["--revoke", "client"]);
    server.signal("-HUP");
    server.line_with("took up changed TLS files");
    new.deliver("open");
    let mut refused = scene.send(server.port("edge"));
    refused.args(["app.log", "--timeout", "1"]);
    assert!(!run_with_input(refused, "{\"n\":1}\n").status.success());
    let line = server.line_with("certificate_revoked");
    assert_eq!(line["subject"], "CN=client");
    assert_eq!(server.metric("hikyaku_tls_reloads_total"), 2.0);

    std::fs::write(scene.path("certs/server.key"), "").unwrap();
    server.signal("-HUP");
    let line = server.line_with("do not load");
    assert!(line["message"].as_str().unwrap().contains("server.key holds no private key"), "{line}");
    assert_eq!(server.metric("hikyaku_tls_reload_failed"), 1.0);
    open.deliver("to the end");
    assert_eq!(server.stop().code(), Some(0));
}
