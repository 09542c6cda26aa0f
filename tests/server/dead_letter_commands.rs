use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output};

use crate::support::{HIKYAKU, Scene, Server};

/// `hikyaku dead-letter …` on the data of a scene.
fn dead_letter(scene: &Scene, arguments: &[&str]) -> Output {
    let mut command = Command::new(HIKYAKU);
    command.arg("dead-letter").args(arguments).arg("--data-dir").arg(scene.path("data"));
    command.output().unwrap()
}

/// What it prints, where it succeeds.
fn printed(scene: &Scene, arguments: &[&str]) -> String {
    let output = dead_letter(scene, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn letters(scene: &Scene, arguments: &[&str]) -> Vec<serde_json::Value> {
    let cat = printed(scene, &[&["cat"], arguments].concat());
    cat.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Sends an entry that is no event under a tag and waits for its letter.
fn send_bad(server: &Server, tag: &str, entry: &[u8]) {
    let before = server.metric("hikyaku_output_dead_letters_total");
    let mut stream = TcpStream::connect(("127.0.0.1", server.port("containers"))).unwrap();
    let mut message = vec![0x93, 0xa0 | tag.len() as u8];
    message.extend_from_slice(tag.as_bytes());
    message.push(0x91);
    message.extend_from_slice(entry);
    message.extend_from_slice(b"\x81\xa5chunk\xa2");
    message.extend_from_slice(&tag.as_bytes()[..2]);
    stream.write_all(&message).unwrap();
    stream.read_exact(&mut [0; 8]).unwrap();
    server.until_metric("hikyaku_output_dead_letters_total", before + 1.0);
}

#[test]
fn letters_are_counted_shown_and_dropped_while_the_server_runs() {
    let scene = Scene::new();
    let server = scene.start();
    assert_eq!(printed(&scene, &["ls"]), "no dead letters\n");
    send_bad(&server, "aa.b", b"\x07");
    send_bad(&server, "cc.d", b"\x92\x01\x90");
    send_bad(&server, "ee.f", b"\x92\x01\x90");
    server.until("three letters in the file", |_| letters(&scene, &[]).len() == 3);

    let ls: serde_json::Value =
        serde_json::from_str(&printed(&scene, &["ls", "--json", "--by", "reason"])).unwrap();
    assert_eq!((&ls["letters"], ls["groups"].as_array().unwrap().len()), (&3.into(), 2));
    let record = ls["groups"].as_array().unwrap().iter().find(|group| group["letters"] == 2).unwrap();
    assert!(record["reason"].as_str().unwrap().contains("record"), "{record}");
    let table = printed(&scene, &["ls", "--by", "tag,day"]);
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains("cc.d"), "{table}");

    assert_eq!(letters(&scene, &["--tag", "aa.**"]).len(), 1);
    assert_eq!(letters(&scene, &["--reason", "no map", "--sender", "127.0.0.1"]).len(), 2);
    assert_eq!(letters(&scene, &["--since", "1h", "--until", "2100-01-01"]).len(), 3);
    assert_eq!(letters(&scene, &["--until", "1h"]).len(), 0);
    assert_eq!(letters(&scene, &["--limit", "2"]).len(), 2);
    assert_eq!(dead_letter(&scene, &["cat", "--raw", "--tag", "cc.d"]).stdout, b"\x92\x01\x90");

    let output = dead_letter(&scene, &["drop", "--tag", "cc.**"]);
    assert!(!output.status.success(), "nobody was asked");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--yes"));
    assert!(printed(&scene, &["drop", "--tag", "cc.**", "--yes"]).starts_with("dropped 1 letter "));
    let one = letters(&scene, &["--tag", "ee.f"])[0]["letter"].as_str().unwrap().to_owned();
    assert!(printed(&scene, &["drop", "--letter", &one, "--yes"]).starts_with("dropped 1 letter "));
    assert_eq!(printed(&scene, &["drop", "--tag", "cc.**", "--yes"]), "no dead letters to drop\n");
    let left = letters(&scene, &[]);
    assert_eq!((left.len(), &left[0]["tag"]), (1, &"aa.b".into()));

    send_bad(&server, "gg.h", b"\x07");
    server.until("a letter that came later", |_| letters(&scene, &[]).len() == 2);
    assert!(server.stop().success());
}

#[test]
fn a_crash_that_takes_back_letters_does_not_bring_dropped_ones_back() {
    let scene = Scene::new();
    let mut server = scene.start();
    send_bad(&server, "aa.b", b"\x07");
    server.until("a letter in the file", |_| letters(&scene, &[]).len() == 1);
    printed(&scene, &["drop", "--yes"]);
    // Before the checkpoint: the line is cut off and written again.
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let server = scene.start();
    send_bad(&server, "cc.d", b"\x07");
    server.until("the new letter", |_| letters(&scene, &["--tag", "cc.d"]).len() == 1);
    assert_eq!(letters(&scene, &[]).len(), 1);
    assert!(server.stop().success());
    let ls: serde_json::Value = serde_json::from_str(&printed(&scene, &["ls", "--json"])).unwrap();
    assert_eq!(ls["letters"], 1);
}

#[test]
fn a_letter_is_retried_once_and_what_is_still_no_event_stays() {
    let scene = Scene::new();
    let server = scene.start();
    send_bad(&server, "aa.b", b"\x07");
    server.until("a letter in the file", |_| letters(&scene, &[]).len() == 1);
    let output = dead_letter(&scene, &["retry"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("still no event"));
    assert_eq!(letters(&scene, &[]).len(), 1);

    // As of a version that could not read this.
    let path = scene.path("data/dead-letters").join("2026-01-01.jsonl");
    let letter = "{\"position\":\"9:64\",\"index\":0,\"reason\":\"old\",\"sender\":\"CN=engine-1\",\"tag\":\"late.one\",\
                  \"received_at\":\"2026-01-01T00:00:00Z\",\"chunk\":null,\"msgpack\":\"kgGBoW4H\"}\n";
    std::fs::write(path, letter).unwrap();
    assert_eq!(printed(&scene, &["retry", "--tag", "late.*"]), "retried 1 of 1 letter\n");
    assert_eq!(letters(&scene, &["--tag", "late.*"]).len(), 0);
    server.until("the event in its file", |_| scene.has_lines("unmatched", 1));

    // A crash before it was settled.
    std::fs::remove_file(scene.path("data/dead-letters").join("settled.log")).unwrap();
    assert_eq!(printed(&scene, &["retry", "--tag", "late.*"]), "retried 1 of 1 letter\n");
    assert!(server.stop().success());
    let lines = scene.lines("unmatched");
    assert_eq!((lines.len(), &lines[0]["n"]), (1, &7.into()));

    let output = dead_letter(&scene, &["retry", "--wait", "10ms"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no server has answered"));
    let server = scene.start();
    server.until("the request is taken up", |_| {
        !scene
            .path("data/dead-letters/requests")
            .read_dir()
            .unwrap()
            .any(|entry| entry.unwrap().path().extension().is_some_and(|extension| extension == "request"))
    });
    assert!(server.stop().success());
}

#[test]
fn a_wrong_folder_is_said_and_no_letters_are_no_failure() {
    let output =
        Command::new(HIKYAKU).args(["dead-letter", "ls", "--data-dir", "/nowhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no data folder /nowhere"));
}

#[test]
fn many_letters_are_retried_together_each_once() {
    const LETTERS: usize = 1000;
    let scene = Scene::new();
    let folder = scene.path("data/dead-letters");
    std::fs::create_dir_all(&folder).unwrap();
    let letter = |number| {
        format!(
            "{{\"position\":\"1:{number}\",\"reason\":\"r\",\"sender\":\"s\",\"tag\":\"other\",\"chunk\":null,\
             \"received_at\":\"2026-02-17T01:00:00Z\",\"msgpack\":\"kgGBoWEB\"}}\n"
        )
    };
    std::fs::write(folder.join("2026-02-17.jsonl"), (0..LETTERS).map(letter).collect::<String>()).unwrap();
    let server = scene.start();
    let syncs = server.metric("hikyaku_journal_syncs_total");
    assert!(printed(&scene, &["retry"]).contains("retried 1000 of 1000 letters"));
    let syncs = server.metric("hikyaku_journal_syncs_total") - syncs;
    assert!(syncs < LETTERS as f64 / 4.0, "{syncs} syncs: each letter waits for one of its own");
    assert!(letters(&scene, &[]).is_empty());
    assert!(server.stop().success());
    assert_eq!(scene.lines("unmatched").len(), LETTERS);
}
