//! A server process with a folder, certificates and ports of its own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub(crate) const HIKYAKU: &str = env!("CARGO_BIN_EXE_hikyaku");

/// Far longer than anything here takes; a hang becomes a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with certificates, a configuration, and what the server makes of it.
pub(crate) struct Scene {
    pub(crate) directory: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { directory: tempfile::tempdir().unwrap() };
        let certs = Command::new(HIKYAKU)
            .args(["certs", "--client", "client", "--dir"])
            .arg(scene.path("certs"))
            .output()
            .unwrap();
        assert!(certs.status.success(), "{}", String::from_utf8_lossy(&certs.stderr));
        scene.write_config(0, 0);
        scene
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The log server, in small: with ports that the system chooses where they are 0.
    pub(crate) fn write_config(&self, port: u16, metrics_port: u16) {
        let root = self.directory.path().display();
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
tls = {{ cert = "{root}/certs/server.crt", key = "{root}/certs/server.key", client_ca = "{root}/certs/ca.crt" }}

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
        let mut command = Command::new(HIKYAKU);
        command.arg("run").arg("-c").arg(self.path("hikyaku.toml"));
        Server::start(command, 5)
    }

    /// `hikyaku send` with the client certificate.
    pub(crate) fn send(&self, port: u16) -> Command {
        let mut command = Command::new(HIKYAKU);
        command.arg("send").arg("--server").arg(format!("localhost:{port}"));
        for name in ["ca", "cert", "key"] {
            let file = if name == "ca" {
                "ca.crt".to_owned()
            } else {
                format!("client.{}", &name.replace("cert", "crt"))
            };
            command.arg(format!("--{name}")).arg(self.path("certs").join(file));
        }
        command
    }

    /// All lines of all files below a folder, decompressed by the system's own gzip.
    pub(crate) fn lines(&self, folder: &str) -> Vec<serde_json::Value> {
        lines_below(&self.path(folder))
    }
}

/// Every line must be whole and valid JSON.
pub(crate) fn lines_below(folder: &Path) -> Vec<serde_json::Value> {
    files_below(folder)
        .iter()
        .flat_map(|path| {
            let bytes = if path.extension().is_some_and(|extension| extension == "gz") {
                let output = Command::new("zcat").arg(path).output().unwrap();
                let complaint = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "zcat {}: {complaint}", path.display());
                output.stdout
            } else {
                std::fs::read(path).unwrap()
            };
            assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "half a line in {}", path.display());
            bytes.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect::<Vec<_>>()
        })
        .collect()
}

pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// A server process. Killed when it goes out of scope.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Its own log, as it is written.
    pub(crate) log: Receiver<serde_json::Value>,
    /// Addresses by the name in the log: an input's id, or the section of an endpoint.
    pub(crate) ports: HashMap<String, u16>,
}

impl Server {
    /// Starts a process and waits until so many listeners are up.
    pub(crate) fn start(mut command: Command, listeners: usize) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { return };
                let parsed = serde_json::from_str(&line)
                    .unwrap_or_else(|_| panic!("a line of the log that is no JSON: {line}"));
                if sender.send(parsed).is_err() {
                    return;
                }
            }
        });
        let mut server = Self { child, log, ports: HashMap::new() };
        while server.ports.len() < listeners {
            let line = server.next_line();
            if line["message"] == "listening" {
                let name = line["input"].as_str().or(line["section"].as_str()).unwrap().to_owned();
                // A Unix socket has no port.
                if let Ok(address) = line["address"].as_str().unwrap().parse::<std::net::SocketAddr>() {
                    server.ports.insert(name, address.port());
                }
            }
        }
        server
    }

    /// The next line of the log.
    pub(crate) fn next_line(&self) -> serde_json::Value {
        self.log.recv_timeout(PATIENCE).expect("the server logs something more")
    }

    /// The next line of the log that has this in it.
    pub(crate) fn line_with(&self, text: &str) -> serde_json::Value {
        loop {
            let line = self.next_line();
            if line.to_string().contains(text) {
                return line;
            }
        }
    }

    pub(crate) fn port(&self, name: &str) -> u16 {
        self.ports[name]
    }

    /// Status and body of a GET.
    pub(crate) fn get(&self, name: &str, path: &str) -> (u16, String) {
        get(self.port(name), path).unwrap()
    }

    /// The sum of a metric's samples.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        sum_of(&self.get("metrics", "/metrics").1, name)
    }

    /// Asks until a metric is at least so large.
    pub(crate) fn until_metric(&self, name: &str, at_least: f64) {
        self.until(name, |server| server.metric(name) >= at_least);
    }

    /// Asks until something is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let started = std::time::Instant::now();
        while !is_so(self) {
            assert!(started.elapsed() < PATIENCE, "not in time: {what}");
            std::thread::yield_now();
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    /// TERM, and the exit status.
    pub(crate) fn stop(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The sum of a metric's samples in a text that Prometheus scrapes.
pub(crate) fn sum_of(text: &str, name: &str) -> f64 {
    text.lines()
        .filter(|line| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// Status and body of a GET; `None` where nobody answers.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Runs a command to its end with this as its standard input.
pub(crate) fn run_with_input(mut command: Command, input: &str) -> std::process::Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
