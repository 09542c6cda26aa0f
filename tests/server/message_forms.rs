//! Message forms from the socket to the archive and the operator's commands.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

use crate::support::{HIKYAKU, Scene, run_with_input};

/// Adds keys to the input `containers`, and to the file what follows it.
fn extend(scene: &Scene, keys: &str, sections: &str) {
    let path = scene.path("hikyaku.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let config = config.replacen("id = \"containers\"\n", &format!("id = \"containers\"\n{keys}\n"), 1);
    std::fs::write(&path, format!("{config}\n{sections}\n")).unwrap();
}

/// What `hikyaku journal cat` says, line by line.
fn journal(scene: &Scene) -> Vec<serde_json::Value> {
    let output = Command::new(HIKYAKU)
        .args(["journal", "cat", "--data-dir"])
        .arg(scene.path("data"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn zstandard_reaches_the_archive_and_the_journal_shows_it() {
    let scene = Scene::new();
    let server = scene.start();
    let mut command = scene.send(server.port("edge"));
    command.args(["app.log", "--compress", "zstd", "--chunk-events", "2"]);
    let output = run_with_input(command, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.stop().success());
    let numbers = |events: &[serde_json::Value]| -> Vec<_> {
        events.iter().map(|event| event["n"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&scene.lines("unmatched")), [1, 2, 3]);
    let records: Vec<_> = journal(&scene).iter().map(|line| line["record"].clone()).collect();
    assert_eq!(numbers(&records), [1, 2, 3]);
}

#[test]
fn metadata_of_groups_and_events_lies_in_the_field_that_the_input_names() {
    let scene = Scene::new();
    extend(&scene, "metadata_field = \"otel\"\nadd_tag_prefix = \"fluentbit\"", "");
    let server = scene.start();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port("containers"))).unwrap();
    let mut message = b"\x93\xa3app\x95".to_vec();
    message.extend_from_slice(b"\x92\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x80\x81\xa8resource\x81\xa1r\x01");
    message.extend_from_slice(b"\x92\x92\xce\x68\xe7\x78\x00\x81\xa1m\x02\x81\xa1n\x01");
    message.extend_from_slice(b"\x92\x92\xce\x68\xe7\x78\x00\x80\x81\xa1n\x02");
    message.extend_from_slice(b"\x92\x92\xd7\x00\xff\xff\xff\xfe\0\0\0\0\x80\x80");
    message.extend_from_slice(b"\x92\x92\xce\x68\xe7\x78\x00\x80\x81\xa1n\x03");
    message.extend_from_slice(b"\x81\xa5chunk\xa2id");
    stream.write_all(&message).unwrap();
    let mut ack = [0; 8];
    stream.read_exact(&mut ack).unwrap();
    assert_eq!(&ack, b"\x81\xa3ack\xa2id");
    drop(stream);
    assert!(server.stop().success());

    let events = scene.lines("unmatched");
    let metadata: Vec<_> = events.iter().map(|event| event["otel"].to_string()).collect();
    assert_eq!(metadata, [r#"{"m":2,"resource":{"r":1}}"#, r#"{"resource":{"r":1}}"#, "null"]);
    assert!(scene.lines("data/dead-letters").is_empty());
    let lines = journal(&scene);
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0]["group"], "start");
    assert_eq!(lines[0]["common"]["resource"]["r"], 1);
    assert_eq!((&lines[1]["metadata"]["m"], &lines[1]["tag"]), (&2.into(), &"fluentbit.app".into()));
    assert_eq!(lines[3]["group"], "end");
}

#[test]
fn processes_send_over_a_unix_socket_in_msgpack_and_in_json() {
    let scene = Scene::new();
    let path = scene.path("forward.sock");
    let input = format!(
        "[[input]]\nid = \"local\"\ntype = \"forward\"\nlisten = \"unix:{}\"\nmax_message_size = \"2MiB\"\n",
        path.display()
    );
    extend(&scene, "", &input);
    // A server that was killed leaves its file behind.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = scene.start();
    let mut command = Command::new(HIKYAKU);
    command.args(["send", "app.log", "--server", &format!("unix:{}", path.display())]);
    let output = run_with_input(command, "{\"n\":1}\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"[\"app.log\", 1760000000, {\"n\": 2}, {\"chunk\": \"x\"}]").unwrap();
    let mut ack = [0; 11];
    stream.read_exact(&mut ack).unwrap();
    assert_eq!(&ack, b"{\"ack\":\"x\"}");
    drop(stream);
    assert!(server.stop().success());
    assert!(!path.exists());
    assert_eq!(scene.lines("unmatched").len(), 2);
    assert!(journal(&scene).iter().all(|line| line["sender"].as_str().unwrap().starts_with("unix:uid=")));
}
