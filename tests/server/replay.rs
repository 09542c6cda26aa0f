use std::collections::BTreeMap;
use std::process::{Command, Output};

use crate::support::{HIKYAKU, Scene, Server, files_below, run_with_input};

fn journal(scene: &Scene, arguments: &[&str]) -> Output {
    let mut command = Command::new(HIKYAKU);
    command.arg("journal").args(arguments).arg("-c").arg(scene.path("hikyaku.toml"));
    command.output().unwrap()
}

/// The answer of a replay that must succeed.
fn replay(scene: &Scene, arguments: &[&str]) -> serde_json::Value {
    let output = journal(scene, &[&["replay", "--json", "--output", "archive"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn send(scene: &Scene, server: &Server, numbers: std::ops::Range<u64>) {
    let mut command = scene.send(server.port("edge"));
    command.arg("nginx.access");
    let lines: String = numbers
        .map(|n| format!("{{\"n\":{n},\"customer_name\":\"a\",\"fqdn\":\"b\",\"log_type\":\"nginx\"}}\n"))
        .collect();
    assert!(run_with_input(command, &lines).status.success());
}

/// How often each event is in the archive.
fn counts(scene: &Scene) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for line in scene.lines("archive") {
        *counts.entry(line["n"].as_u64().unwrap()).or_default() += 1;
    }
    counts
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

#[test]
fn a_running_server_delivers_again_what_it_kept_and_goes_on() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, 0..5);
    until_saved(&scene, &server, 5);

    let dry = replay(&scene, &["--from", "1h ago", "--dry-run"]);
    assert_eq!((&dry["state"], &dry["events"]), (&"dry_run".into(), &5.into()));
    for number in 1..=2 {
        let answer = replay(&scene, &["--from", "1h ago", "--wait"]);
        assert_eq!((&answer["state"], &answer["number"]), (&"started".into(), &number.into()));
        assert_eq!((&answer["events"], &answer["first_received_at"]), (&5.into(), &dry["first_received_at"]));
    }
    send(&scene, &server, 5..8);
    assert!(server.stop().success());
    let expected: BTreeMap<u64, usize> = (0..5).map(|n| (n, 3)).chain((5..8).map(|n| (n, 1))).collect();
    assert_eq!(counts(&scene), expected);
    assert_eq!(scene.lines("unmatched").len(), 0, "no other output takes part in it");
}

/// Waits until so many events count as delivered, which they do once the cursor is saved.
fn until_saved(scene: &Scene, server: &Server, events: u64) {
    server.until("saved", |_| {
        let output =
            journal(scene, &["replay", "--output", "archive", "--from", "1h", "--dry-run", "--json"]);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        answer["events"] == events
    });
}

#[test]
fn a_dry_run_names_the_files_that_get_lines_once_more() {
    let scene = Scene::new();
    let server = scene.start();
    let host = |fqdn| {
        move |n: u64| {
            format!("{{\"n\":{n},\"customer_name\":\"a\",\"fqdn\":\"{fqdn}\",\"log_type\":\"nginx\"}}\n")
        }
    };
    for (tag, lines) in [
        ("nginx.access", (0..3).map(host("one")).chain((3..5).map(host("two"))).collect::<String>()),
        // Of another output.
        ("other", host("three")(5)),
    ] {
        let mut command = scene.send(server.port("edge"));
        command.arg(tag);
        assert!(run_with_input(command, &lines).status.success());
    }
    until_saved(&scene, &server, 6);
    assert!(server.stop().success());
    let files = files_below(&scene.path("archive"));
    let [one, two] = &files[..] else { panic!("{files:?}") };
    std::fs::remove_file(two).unwrap();

    let dry = replay(&scene, &["--from", "1h", "--dry-run", "--files"]);
    assert_eq!(
        (&dry["files"], &dry["files_that_are_there"], &dry["lines"]),
        (&2.into(), &1.into(), &5.into())
    );
    assert_eq!(
        dry["file_names"],
        serde_json::json!([
            { "path": one.to_str().unwrap(), "lines": 3, "is_there": true },
            { "path": two.to_str().unwrap(), "lines": 2, "is_there": false },
        ])
    );
    let text = journal(&scene, &["replay", "--output", "archive", "--from", "1h", "--dry-run", "--files"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("5 lines in 2 files, 1 of which"), "{text}");
    assert!(text.contains(&format!("{}  3 lines, is there", one.display())), "{text}");
    // Without the configuration nobody can say.
    let data_dir = scene.path("data");
    let output = Command::new(HIKYAKU)
        .args(["journal", "replay", "--output", "archive", "--from", "1h", "--dry-run", "-c", "/nowhere"])
        .arg("--data-dir")
        .arg(&data_dir)
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("without the configuration"), "{output:?}");
}

#[test]
fn a_stopped_server_delivers_again_when_it_starts_also_after_it_was_killed() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, 0..5);
    until_saved(&scene, &server, 5);
    let to = now();
    send(&scene, &server, 5..9);
    drop(server);

    let answer = replay(&scene, &["--from", "1h", "--to", &to]);
    assert_eq!((&answer["state"], &answer["events"]), (&"at_next_start".into(), &5.into()));
    let server = scene.start();
    server.line_with("a replay is delivered");
    assert!(server.stop().success());
    let expected: BTreeMap<u64, usize> = (0..5).map(|n| (n, 2)).chain((5..9).map(|n| (n, 1))).collect();
    assert_eq!(counts(&scene), expected);
}

#[test]
fn only_what_was_received_in_the_time_is_delivered_again() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, 0..2);
    let from = now();
    send(&scene, &server, 2..4);
    let to = now();
    send(&scene, &server, 4..6);
    until_saved(&scene, &server, 6);
    let answer = replay(&scene, &["--from", &from, "--to", &to, "--wait"]);
    assert_eq!(answer["events"], 2);
    assert!(server.stop().success());
    let expected: BTreeMap<u64, usize> = [(0, 1), (1, 1), (2, 2), (3, 2), (4, 1), (5, 1)].into();
    assert_eq!(counts(&scene), expected);
}

#[test]
fn a_new_output_is_filled_from_what_is_kept() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, 0..5);
    assert!(server.stop().success());
    let config = scene.path("hikyaku.toml");
    let root = scene.directory.path().display().to_string();
    let output = format!(
        "[[output]]\nid = \"new\"\ntype = \"file\"\nmatch = \"nginx.**\"\npath = \"{root}/new/all.log\"\n\
         flush_interval = \"100ms\"\n\n[health]"
    );
    let text = std::fs::read_to_string(&config).unwrap().replace("[health]", &output);
    std::fs::write(&config, text).unwrap();
    let output = journal(&scene, &["replay", "--output", "new", "--from", "1h"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("started once"), "{output:?}");
    let server = scene.start();
    assert_eq!(scene.lines("new").len(), 0, "it starts at the newest event");
    let output = journal(&scene, &["replay", "--output", "new", "--from", "1h", "--wait"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.stop().success());
    assert_eq!(scene.lines("new").len(), 5);
    assert_eq!(counts(&scene).values().max(), Some(&1), "nothing happens to the archive");
}

#[test]
fn what_can_not_be_done_says_why_and_leaves_nothing_behind() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, 0..1);
    for (arguments, code, expected) in [
        (&["--output", "archiv", "--from", "1h"][..], 1, "there is no output with the id \"archiv\""),
        (&["--output", "archive", "--from", "yesterday"], 2, "2026-11-21T09:30:00Z"),
        (&["--output", "archive", "--from", "1h", "--to", "2h"], 2, "--to must be later than --from"),
        (
            &["--output", "archive", "--from", "2h", "--to", "1h"],
            1,
            "keeps nothing that was received in this time",
        ),
        (&["--output", "archive", "--cancel"], 1, "in no replay"),
    ] {
        let output = journal(&scene, &[&["replay"], arguments].concat());
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{complaint}");
        assert!(complaint.contains(expected), "{complaint}");
    }
    assert_eq!(journal(&scene, &["cat", "--tag", "a{"]).status.code(), Some(2));
    assert!(server.stop().success());
    assert_eq!(counts(&scene), BTreeMap::from([(0, 1)]));
}

#[test]
fn a_replay_that_was_asked_for_can_be_withdrawn_before_the_server_starts() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, 0..3);
    assert!(server.stop().success());
    replay(&scene, &["--from", "1h"]);
    assert_eq!(replay(&scene, &["--cancel"])["state"], "withdrawn");
    assert!(scene.start().stop().success());
    assert_eq!(counts(&scene).values().max(), Some(&1));
}
