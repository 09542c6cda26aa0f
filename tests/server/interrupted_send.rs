//! `hikyaku send` that is told to end.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::{HIKYAKU, Scene};

fn signal(process: &std::process::Child, signal: &str) {
    let status = Command::new("kill").args([signal, &process.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_signal_ends_a_load_when_all_of_it_is_acknowledged() {
    let scene = Scene::new();
    let server = scene.start();
    let mut send = scene.send(server.port("edge"));
    send.args(["nginx.access", "--count", "1000000000", "--rate", "5000", "--chunk-events", "50", "--json"]);
    let sender = send.stdout(Stdio::piped()).spawn().unwrap();
    server.until_metric("hikyaku_journal_chunks_total", 3.0);
    signal(&sender, "-INT");
    let sent = sender.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&sent.stdout).unwrap();
    assert_eq!((sent.status.code(), &report["complete"]), (Some(0), &true.into()));
    assert!(server.stop().success());
    assert_eq!(scene.lines("archive").len() as u64, report["delivered_events"].as_u64().unwrap());
}

#[test]
fn a_signal_before_the_end_of_standard_input_says_what_was_not_sent() {
    let scene = Scene::new();
    let server = scene.start();
    let mut send = scene.send(server.port("edge"));
    send.arg("nginx.access").stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut sender = send.spawn().unwrap();
    let mut input = sender.stdin.take().unwrap();
    input.write_all(b"{\"n\":1}\n{\"n\":2}\n").unwrap();
    server.until_metric("hikyaku_journal_chunks_total", 1.0);
    signal(&sender, "-TERM");
    let sent = sender.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&sent.stderr);
    assert_eq!(sent.status.code(), Some(1), "{said}");
    assert!(said.contains("2 events delivered") && said.contains("stopped behind line 2"), "{said}");
}

#[test]
fn a_second_signal_leaves_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = silent.local_addr().unwrap().to_string();
    let sender = Command::new(HIKYAKU)
        .args(["send", "app.log", "--plain", "--server", &server, "--count", "10"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It takes what comes, and acknowledges nothing.
    let mut stream = silent.accept().unwrap().0;
    stream.read_exact(&mut [0; 100]).unwrap();
    // Two of a kind might be taken for one.
    signal(&sender, "-INT");
    signal(&sender, "-TERM");
    let sent = sender.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&sent.stderr);
    assert_eq!(sent.status.code(), Some(1), "{said}");
    assert!(said.contains("left before everything was acknowledged"), "{said}");
}
