//! OpenSSL's own client, which asks for other keys in the middle: `openssl s_client` takes a line `K` or `k` for that.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use crate::support::certificates::{Authority, Pair};
use crate::support::client::message;
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

const SUITES: [&str; 3] =
    ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"];

/// `openssl s_client`, connected.
struct OpenSsl {
    process: Child,
    data: ChildStdout,
    said: ChildStderr,
    /// All records, in words.
    records: PathBuf,
}

impl OpenSsl {
    fn connect(address: SocketAddr, authority: &Path, pair: &Pair, suite: &str, records: PathBuf) -> Self {
        let mut process = Command::new("openssl")
            .args(["s_client", "-tls1_3", "-brief", "-msg", "-verify_return_error", "-ciphersuites", suite])
            .args(["-connect", &format!("127.0.0.1:{}", address.port()), "-servername", "localhost"])
            .arg("-CAfile")
            .arg(authority)
            .arg("-cert")
            .arg(&pair.cert)
            .arg("-key")
            .arg(&pair.key)
            .arg("-msgfile")
            .arg(&records)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (data, said) = (process.stdout.take().unwrap(), process.stderr.take().unwrap());
        Self { process, data, said, records }
    }

    /// Sends a message, and waits for its acknowledgement.
    fn send(&mut self, id: &str) {
        self.write(&message(id));
        until(&mut self.data, id);
    }

    /// Takes other keys, and with `K` asks for such; they come with what is sent next.
    fn take_other_keys(&mut self, command: &str) {
        self.write(command.as_bytes());
        until(&mut self.said, "KEYUPDATE");
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut input = self.process.stdin.as_ref().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// Says that nothing follows. Gives what it sent and got, in words.
    fn end(mut self) -> String {
        drop(self.process.stdin.take());
        assert!(self.process.wait().unwrap().success());
        std::fs::read_to_string(self.records).unwrap()
    }
}

fn until(stream: &mut impl Read, expected: &str) {
    let (mut read, mut part) = (Vec::new(), [0; 1024]);
    while !read.windows(expected.len()).any(|bytes| bytes == expected.as_bytes()) {
        let count = stream.read(&mut part).unwrap();
        assert!(count > 0, "{expected} did not come, only {:?}", String::from_utf8_lossy(&read));
        read.extend_from_slice(&part[..count]);
    }
}

#[tokio::test]
async fn keys_that_openssl_changes_and_asks_for_change_with_every_cipher_suite() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("SKIPPED: there is no `openssl` on this machine, and nothing was shown");
        return;
    }
    let authority = Authority::new("authority");
    let pair = authority.issue("engine-1", |_| ());
    let journal = ScriptedJournal::new();
    let server = Server::start(&config(Some(authority.server())), &journal);
    for suite in SUITES {
        let (address, ca, records) = (server.address, authority.path(), authority.folder().join(suite));
        let pair = Pair { cert: pair.cert.clone(), key: pair.key.clone(), der: pair.der.clone() };
        let client = tokio::task::spawn_blocking(move || {
            let mut client = OpenSsl::connect(address, &ca, &pair, suite, records);
            client.send("the first");
            for round in 0..3 {
                client.take_other_keys("K\n");
                client.send(&format!("asked for other keys {round}"));
                client.take_other_keys("k\n");
                client.send(&format!("took other keys {round}"));
            }
            client.end()
        });
        for _ in 0..7 {
            journal.next().await.durable();
        }
        let records = client.await.unwrap();
        let count = |direction: &str| {
            records.lines().filter(|line| line.starts_with(direction) && line.ends_with("KeyUpdate")).count()
        };
        assert_eq!((count(">>>"), count("<<<")), (6, 3), "{suite}: {records}");
    }
    server.stop().await;
}
