//! A folder with certificates, and servers and senders in it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use crate::Arguments;
use crate::load::{Load, Sending, Sent};
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
        self.server_with("", outputs)
    }

    /// The same, with keys of its journal.
    pub(crate) fn server_with(&self, journal: &str, outputs: &str) -> Server {
        let of_all = &self.arguments.journal;
        let root = self.folder.path().display();
        let config = format!(
            r#"
[server]
name = "logserver-1"
data_dir = "{root}/data"
[journal]
{journal}
{of_all}
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

    /// Begins to send to a server, with mutual TLS.
    pub(crate) fn start_sending(&self, port: u16, load: &Load) -> Sending {
        let mut command = load.command(self.arguments);
        command.arg("--server").arg(format!("localhost:{port}"));
        for (name, file) in [("ca", "ca.crt"), ("cert", "client.crt"), ("key", "client.key")] {
            command.arg(format!("--{name}")).arg(self.path("certs").join(file));
        }
        Sending::start(command)
    }

    /// Sends, and waits until everything is acknowledged.
    pub(crate) fn send(&self, port: u16, load: &Load) -> Sent {
        self.start_sending(port, load).finish()
    }
}

/// Keys of a journal that keeps what an output is behind.
pub(crate) const LARGE_JOURNAL: &str = "max_size = \"64GiB\"";

/// A file output for everything.
pub(crate) fn archive(scene: &Scene<'_>, path: &str) -> String {
    let folder = scene.path("archive").display().to_string();
    format!("[[output]]\nid = \"archive\"\nmatch = \"**\"\ntype = \"file\"\npath = \"{folder}/{path}\"\n")
}

/// A forward output for everything, without waiting long for a server that was down.
pub(crate) fn forward(address: SocketAddr) -> String {
    format!(
        "[[output]]\nid = \"upstream\"\nmatch = \"**\"\ntype = \"forward\"\nretry_max_interval = \"1s\"\n\
         max_backlog = \"32GiB\"\nservers = [{{ address = \"{address}\" }}]\n"
    )
}
