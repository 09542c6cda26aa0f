//! A folder with certificates, and servers and senders in it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::Arguments;
use crate::process::Server;

pub(crate) struct Scene<'a> {
    pub(crate) arguments: &'a Arguments,
    folder: tempfile::TempDir,
}

impl<'a> Scene<'a> {
    pub(crate) fn new(arguments: &'a Arguments) -> Self {
        let folder = tempfile::tempdir_in(&arguments.folder).unwrap();
        let scene = Self { arguments, folder };
        let made = Command::new(&arguments.server)
            .args(["certs", "--client", "client", "--dir"])
            .arg(scene.path("certs"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server with mutual TLS and these outputs.
    pub(crate) fn server(&self, outputs: &str) -> Server {
        let root = self.folder.path().display();
        let config = format!(
            r#"
[server]
name = "logserver-1"
data_dir = "{root}/data"
[log]
format = "json"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
max_connections = 20000
max_connections_by_sender = 20000
max_handshakes_by_address = 20000
tls = {{ cert = "{root}/certs/server.crt", key = "{root}/certs/server.key", client_ca = "{root}/certs/ca.crt" }}
{outputs}
[metrics]
listen = "127.0.0.1:0"
[health]
listen = "127.0.0.1:0"
[monitor_agent]
listen = "127.0.0.1:0"
"#
        );
        let file = self.path("hikyaku.toml");
        std::fs::write(&file, config).unwrap();
        let mut words = self.arguments.under.split_whitespace();
        let mut command = match words.next() {
            None => Command::new(&self.arguments.server),
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(&self.arguments.server);
                command
            }
        };
        command.arg("run").arg("-c").arg(file);
        Server::start(command)
    }

    /// Sends made-up events and waits for their acknowledgements; what `hikyaku send --json` says of it.
    pub(crate) fn send(&self, port: u16) -> Value {
        let mut command = send(self.arguments, self.arguments.events);
        command.arg("--server").arg(format!("localhost:{port}"));
        if let Some(rate) = self.arguments.rate {
            command.arg("--rate").arg(rate.to_string());
        }
        for (name, file) in [("ca", "ca.crt"), ("cert", "client.crt"), ("key", "client.key")] {
            command.arg(format!("--{name}")).arg(self.path("certs").join(file));
        }
        let sent = command.output().unwrap();
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        serde_json::from_slice(&sent.stdout).unwrap()
    }
}

/// `hikyaku send` with so many made-up events.
pub(crate) fn send(arguments: &Arguments, events: u64) -> Command {
    let mut command = Command::new(&arguments.server);
    command
        .args(["send", "nginx.access", "--json"])
        .arg("--count")
        .arg(events.to_string())
        .arg("--customers")
        .arg(arguments.customers.to_string())
        .arg("--connections")
        .arg(arguments.connections.to_string());
    command
}
