use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::support::HIKYAKU;

#[test]
fn dev_makes_certificates_listens_on_loopback_and_says_what_to_type_next() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(HIKYAKU)
        .args(["run", "--dev"])
        .envs(
            ["PORT", "HEALTH_PORT", "MONITOR_AGENT_PORT", "METRICS_PORT"]
                .map(|name| (format!("HIKYAKU_DEV_{name}"), "0")),
        )
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    while !told.contains("hikyaku send") {
        assert!(stderr.read_line(&mut told).unwrap() > 0, "{told}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    for name in ["ca.crt", "server.crt", "server.key", "client.crt", "client.key"] {
        assert!(directory.path().join("certs").join(name).exists(), "{name}");
    }
    assert!(directory.path().join("data/journal").is_dir());
}
