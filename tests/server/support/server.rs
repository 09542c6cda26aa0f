//! A server process, its log and its endpoints.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use super::{HIKYAKU, PATIENCE};

/// A server process. Killed when it goes out of scope.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// Its own log, as it is written.
    pub(crate) log: Receiver<serde_json::Value>,
    /// Addresses by the name in the log: an input's id, or the section of an endpoint.
    pub(crate) ports: HashMap<String, u16>,
}

impl Server {
    /// Writes a configuration, runs it, and waits until so many listeners are up.
    pub(crate) fn run(path: &Path, config: &str, listeners: usize) -> Self {
        std::fs::write(path, config).unwrap();
        let mut command = Command::new(HIKYAKU);
        command.arg("run").arg("-c").arg(path);
        Self::start(command, listeners)
    }

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

    /// Asks until the server is not ready, for a reason that has this in it.
    pub(crate) fn until_unready(&self, reason: &str) {
        self.until(reason, |server| {
            let (status, body) = server.get("health", "/ready");
            status == 503 && body.contains(reason)
        });
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
