//! A folder with certificates, a configuration, and what the server makes of it.

use std::path::PathBuf;
use std::process::Command;

use super::{HIKYAKU, Server, lines_below, reserved_address, whole_lines_below};

/// A folder with certificates, a configuration, and what the server makes of it.
pub(crate) struct Scene {
    pub(crate) directory: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { directory: tempfile::tempdir().unwrap() };
        scene.certify("client");
        scene.write_config(0, 0);
        scene
    }

    /// Makes a certificate for a client, and the authority and the server's own with the first one.
    pub(crate) fn certify(&self, client: &str) {
        let certs = Command::new(HIKYAKU)
            .args(["certs", "--client", client, "--dir"])
            .arg(self.path("certs"))
            .output()
            .unwrap();
        assert!(certs.status.success(), "{}", String::from_utf8_lossy(&certs.stderr));
    }

    /// The `tls` of an input that wants certificates of the authority.
    pub(crate) fn server_tls(&self) -> String {
        let certs = self.path("certs");
        let certs = certs.display();
        format!(
            "tls = {{ cert = \"{certs}/server.crt\", key = \"{certs}/server.key\", client_ca = \"{certs}/ca.crt\" }}"
        )
    }

    /// The `tls` of an output that shows the certificate of the client `client`.
    pub(crate) fn client_tls(&self) -> String {
        let certs = self.path("certs");
        let certs = certs.display();
        format!(
            "tls = {{ ca = \"{certs}/ca.crt\", cert = \"{certs}/client.crt\", key = \"{certs}/client.key\" }}"
        )
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Lets each start of the server have the ports of the one before. Returns the one that senders use.
    pub(crate) fn keep_ports(&self) -> u16 {
        let port = reserved_address().port();
        self.write_config(port, reserved_address().port());
        port
    }

    /// The log server, in small: with ports that the system chooses where they are 0.
    fn write_config(&self, port: u16, metrics_port: u16) {
        let (root, tls) = (self.directory.path().display(), self.server_tls());
        let config = format!(
            r#"
[server]
name = "logserver-1"
data_dir = "{root}/data"

[log]
format = "json"

[journal]
max_size = "64MiB"
segment_size = "4MiB"

[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:{port}"
max_message_size = "2MiB"
{tls}

[[input]]
id = "containers"
type = "forward"
listen = "127.0.0.1:0"
max_message_size = "2MiB"

[[filter]]
type = "set"
fields = {{ received_at = "{{@received_at}}", logserver_hostname = "{{@server}}" }}

[[filter]]
match = "{{nginx,openappsec}}.**"
type = "default"
fields = {{ customer_name = "unknown", fqdn = "unknown" }}

[[output]]
id = "archive"
type = "file"
match = "{{nginx,openappsec}}.**"
require = ["customer_name", "fqdn"]
path = "{root}/archive/{{customer_name}}/{{log_type}}/{{fqdn}}/%Y/%m/%d/%H.log.gz"
flush_interval = "100ms"
checkpoint_interval = "400ms"

[[output]]
id = "invalid"
type = "file"
invalid = true
path = "{root}/invalid/%Y%m%d%H.log"
flush_interval = "100ms"

[[output]]
id = "unmatched"
type = "file"
fallback = true
path = "{root}/unmatched/%Y%m%d%H.log"
flush_interval = "100ms"

[health]
listen = "127.0.0.1:0"
[monitor_agent]
listen = "127.0.0.1:0"
[metrics]
listen = "127.0.0.1:{metrics_port}"
"#
        );
        std::fs::write(self.path("hikyaku.toml"), config).unwrap();
    }

    pub(crate) fn start(&self) -> Server {
        self.start_with(5)
    }

    /// Starts a server with so many listeners, by whatever `hikyaku.toml` says.
    pub(crate) fn start_with(&self, listeners: usize) -> Server {
        let mut command = Command::new(HIKYAKU);
        command.arg("run").arg("-c").arg(self.path("hikyaku.toml"));
        Server::start(command, listeners)
    }

    /// `hikyaku send` with the certificate of the client `client`.
    pub(crate) fn send(&self, port: u16) -> Command {
        self.send_as("client", port)
    }

    /// `hikyaku send` with the certificate of a client.
    pub(crate) fn send_as(&self, client: &str, port: u16) -> Command {
        let mut command = Command::new(HIKYAKU);
        command.arg("send").arg("--server").arg(format!("localhost:{port}"));
        let (cert, key) = (format!("{client}.crt"), format!("{client}.key"));
        for (option, file) in [("--ca", "ca.crt"), ("--cert", &cert), ("--key", &key)] {
            command.arg(option).arg(self.path("certs").join(file));
        }
        command
    }

    /// All lines of all files below a folder, decompressed by the system's own gzip.
    pub(crate) fn lines(&self, folder: &str) -> Vec<serde_json::Value> {
        lines_below(&self.path(folder))
    }

    /// Whether the files below a folder have come to so many lines; while one is being written they have not.
    pub(crate) fn has_lines(&self, folder: &str, count: usize) -> bool {
        whole_lines_below(&self.path(folder)).is_ok_and(|lines| lines.len() == count)
    }
}
