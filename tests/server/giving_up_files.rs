//! Files that can't be written: what is for them goes elsewhere, once, while all others are written.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use crate::support::{ALL_ENDPOINTS, HIKYAKU, Scene, Server};

const GIVEN_UP: &str = "hikyaku_output_given_up_records_total";

/// A server that writes a file for each customer, and gives one up soon. Its filter is not the same when it is applied
/// twice.
fn scene(keys: &str, sections: &str) -> Scene {
    let scene = Scene::new();
    let root = scene.directory.path().display();
    let config = format!(
        r#"
[server]
data_dir = "{root}/data"
[log]
format = "json"
[[input]]
id = "containers"
type = "forward"
listen = "127.0.0.1:0"
[[filter]]
type = "set"
fields = {{ name = "{{name}}+" }}
[[output]]
id = "archive"
type = "file"
match = "**"
path = "{root}/archive/{{customer}}/%Y.log"
flush_interval = "50ms"
checkpoint_interval = "100ms"
retry_timeout = "200ms"
retry_min_interval = "10ms"
retry_max_interval = "100ms"
{keys}
{sections}
{ALL_ENDPOINTS}
"#
    );
    std::fs::write(scene.path("hikyaku.toml"), config).unwrap();
    std::fs::create_dir(scene.path("archive")).unwrap();
    scene
}

fn start(scene: &Scene) -> Server {
    scene.start_with(4)
}

/// Sends the event with this number of a customer, and waits for the acknowledgement.
fn send(server: &Server, customer: u8, number: u8) {
    let mut message = b"\x93\xa3app\x91\x92\xce\x69\x00\x00\x00\x83\xa8customer\xa1".to_vec();
    message.push(customer);
    message.extend_from_slice(b"\xa1n");
    message.push(number);
    message.extend_from_slice(b"\xa4name\xa1x\x81\xa5chunk\xa2");
    message.extend_from_slice(&[customer, b'0' + number]);
    let mut stream = TcpStream::connect(("127.0.0.1", server.port("containers"))).unwrap();
    stream.write_all(&message).unwrap();
    stream.read_exact(&mut [0; 8]).unwrap();
}

/// The numbers of the events below a folder, sorted, each of which was filtered once.
fn numbers(scene: &Scene, folder: &str) -> Vec<u64> {
    let lines = scene.lines(folder);
    assert!(lines.iter().all(|line| line["name"] == "x+"), "{lines:?}");
    let mut numbers: Vec<u64> = lines.iter().map(|line| line["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn dead_letter(scene: &Scene, arguments: &[&str]) -> String {
    let mut command = Command::new(HIKYAKU);
    command.arg("dead-letter").args(arguments).arg("--data-dir").arg(scene.path("data"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_file_in_the_place_of_a_folder_makes_letters_and_a_retry_brings_them_into_the_archive_once() {
    let scene = scene("", "");
    let server = start(&scene);
    for customer in *b"ab" {
        send(&server, customer, 1);
    }
    server.until("both files", |_| scene.has_lines("archive", 2));
    std::fs::rename(scene.path("archive/a"), scene.path("moved")).unwrap();
    std::fs::write(scene.path("archive/a"), "in the way").unwrap();
    for number in [2, 3] {
        send(&server, b'a', number);
        send(&server, b'b', number);
        server.until_metric(GIVEN_UP, f64::from(number) - 1.0);
        server.until("the other file", |_| numbers(&scene, "archive/b").len() == usize::from(number));
    }
    let line = server.line_with("gave up a file");
    assert!(line.to_string().contains("archive/a"), "{line}");
    let letters = || dead_letter(&scene, &["cat", "--output", "archive"]);
    server.until("two letters", |_| letters().lines().count() == 2);
    let letter: serde_json::Value = serde_json::from_str(letters().lines().next().unwrap()).unwrap();
    assert_eq!(letter["path"], scene.path("archive/a/2025.log").to_str().unwrap());
    assert!(letter["reason"].as_str().unwrap().contains("was given up: cannot"), "{letter}");

    std::fs::remove_file(scene.path("archive/a")).unwrap();
    let mut number = 3;
    while !scene.path("archive/a/2025.log").exists() {
        number += 1;
        let before = server.metric(GIVEN_UP);
        send(&server, b'a', number);
        server.until("the event is somewhere", |server| {
            server.metric(GIVEN_UP) > before || scene.path("archive/a/2025.log").exists()
        });
    }
    server.until("a letter for each", |server| letters().lines().count() as f64 >= server.metric(GIVEN_UP));
    let retried = dead_letter(&scene, &["retry", "--output", "archive"]);
    assert!(retried.starts_with("retried"), "{retried}");
    let all: Vec<u64> = (2..=u64::from(number)).collect();
    server.until("all events", |_| numbers(&scene, "archive/a").len() >= all.len());
    assert!(server.stop().success());
    assert_eq!(numbers(&scene, "archive/a"), all);
    assert_eq!(numbers(&scene, "archive/b"), [1, 2, 3]);
    assert_eq!(numbers(&scene, "moved"), [1]);
}

#[test]
fn a_secondary_gets_what_is_for_a_broken_file_once_also_when_the_process_is_killed() {
    let rescue = "[[output]]\nid = \"rescue\"\ntype = \"file\"\npath = \"ROOT/rescue/{customer}.log\"\n\
                  flush_interval = \"20ms\"\ncheckpoint_interval = \"100ms\"\n";
    let scene = scene("secondary = \"rescue\"", rescue);
    let config = std::fs::read_to_string(scene.path("hikyaku.toml")).unwrap();
    let root = scene.directory.path().to_str().unwrap();
    std::fs::write(scene.path("hikyaku.toml"), config.replace("ROOT", root)).unwrap();
    std::fs::write(scene.path("archive/a"), "in the way").unwrap();
    let mut sent = 0;
    for _ in 0..4 {
        let mut server = start(&scene);
        for _ in 0..2 {
            sent += 1;
            send(&server, b'a', sent);
            send(&server, b'b', sent);
        }
        server.until("both have them", |_| {
            scene.path("rescue/a.log").exists() && numbers(&scene, "rescue").len() == usize::from(sent)
        });
        server.child.kill().unwrap();
        server.child.wait().unwrap();
    }
    let server = start(&scene);
    let all: Vec<u64> = (1..=u64::from(sent)).collect();
    server.until("what a kill took back", |_| {
        numbers(&scene, "rescue") == all && numbers(&scene, "archive/b") == all
    });
    assert!(server.stop().success());
    assert_eq!((numbers(&scene, "rescue"), numbers(&scene, "archive/b")), (all.clone(), all));
    assert_eq!(std::fs::read(scene.path("archive/a")).unwrap(), b"in the way");
}
