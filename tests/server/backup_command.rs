//! `hikyaku backup`: data folder and archive files of one moment, from a server under load.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::support::{HIKYAKU, Scene, Server, files_below, lines_below, run_with_input};

/// Events of the load: more than there is time for, however slow the machine is.
const EVENTS: u64 = 10_000_000;

/// Of what outputs have delivered.
const DELIVERED: &str = "fluentd_output_status_num_records_total";

/// A client that sends until it is dropped.
struct Load(Child);

impl Drop for Load {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn backup(scene: &Scene, to: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(HIKYAKU);
    command.arg("backup").arg(to).args(arguments).arg("-c").arg(scene.path("hikyaku.toml"));
    command.output().unwrap()
}

fn answer(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn send(scene: &Scene, server: &Server, tag: &str, numbers: std::ops::Range<u64>) {
    let mut command = scene.send(server.port("edge"));
    command.arg(tag);
    let line = |n| format!("{{\"n\":{n},\"customer_name\":\"a\",\"fqdn\":\"b\",\"log_type\":\"nginx\"}}\n");
    assert!(run_with_input(command, &numbers.map(line).collect::<String>()).status.success());
}

/// How often each event is below a folder, by the name of its number.
fn counts(folder: &Path, name: &str) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for line in lines_below(folder) {
        if let Some(number) = line[name].as_u64() {
            *counts.entry(number).or_default() += 1;
        }
    }
    counts
}

/// A server with the data folder and the archive of a backup.
fn restored(from: &Scene, backup: &Path) -> Scene {
    let scene = Scene::new();
    fs::rename(backup.join("data"), scene.path("data")).unwrap();
    let archive = backup.join("archive").join(from.directory.path().strip_prefix("/").unwrap());
    for output in ["archive", "invalid", "unmatched"] {
        if archive.join(output).exists() {
            fs::rename(archive.join(output), scene.path(output)).unwrap();
        }
    }
    scene
}

#[test]
fn what_is_restored_from_a_server_under_load_has_every_acknowledged_event_exactly_once() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, "nginx.access", 0..500);
    send(&scene, &server, "other", 0..20);
    let load = scene
        .send(server.port("edge"))
        .args(["nginx.load", "--connections", "2", "--chunk-events", "50", "--customers", "40"])
        .args(["--rate", "10000", "--count", &EVENTS.to_string()])
        .stdout(Stdio::null())
        .spawn();
    let load = Load(load.unwrap());
    server.until_metric(DELIVERED, 1_000.0);
    let copies: Vec<_> = (0..3).map(|number| scene.path(&format!("backup-{number}"))).collect();
    for to in &copies {
        let answer = answer(&backup(&scene, to, &["--with-archive", "--json"]));
        // Before the first checkpoint of an output all of its files are left out: the journal has their lines.
        let files = ["files", "cut_files"].map(|name| answer[name].as_u64().unwrap());
        assert!(files.iter().sum::<u64>() > 1, "{answer}");
    }
    server.until_metric(DELIVERED, server.metric(DELIVERED) + 1_000.0);
    drop(load);
    assert!(server.stop().success());
    let in_the_end = counts(&scene.path("archive"), "number").len();

    let mut loaded = Vec::new();
    for to in &copies {
        let scene = restored(&scene, to);
        let server = scene.start();
        send(&scene, &server, "nginx.access", 500..510);
        assert!(server.stop().success());
        let own = counts(&scene.path("archive"), "n");
        assert_eq!(own, (0..510).map(|n| (n, 1)).collect());
        assert_eq!(counts(&scene.path("unmatched"), "n"), (0..20).map(|n| (n, 1)).collect());
        let load = counts(&scene.path("archive"), "number");
        let doubled: Vec<_> = load.iter().filter(|(_, count)| **count > 1).collect();
        assert!(doubled.is_empty(), "{doubled:?}");
        loaded.push(load.len());
    }
    assert!(loaded.is_sorted() && loaded[0] > 0 && loaded[2] < in_the_end, "{loaded:?} of {in_the_end}");
}

#[test]
fn a_stopped_server_is_copied_without_its_archive_too() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, "nginx.access", 0..10);
    assert!(server.stop().success());
    let to = scene.path("backup");
    let output = backup(&scene, &to, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 segment"), "{output:?}");
    assert!(!to.join("archive").exists());
    let before: Vec<_> = files_below(&to.join("data")).iter().map(|path| fs::read(path).unwrap()).collect();
    let scene = restored(&scene, &to);
    assert!(scene.start().stop().success());
    assert_eq!(scene.lines("archive").len(), 0, "all of it was delivered before");
    assert!(!before.is_empty());
}

#[test]
fn one_output_alone_and_what_can_not_be_copied() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, "nginx.access", 0..3);
    send(&scene, &server, "other", 0..3);
    assert!(server.stop().success());
    let to = scene.path("backup");
    assert!(backup(&scene, &to, &["--archive-of", "archive"]).status.success());
    let root = to.join("archive").join(scene.directory.path().strip_prefix("/").unwrap());
    assert_eq!((counts(&root.join("archive"), "n").len(), root.join("unmatched").exists()), (3, false));

    for (to, arguments, expected) in [
        (to.as_path(), &[][..], "is not empty"),
        (&scene.path("data/backup"), &[], "outside of it"),
        (&scene.path("archive/backup"), &["--with-archive"], "outside of it"),
        (&scene.path("other"), &["--archive-of", "archiv"], "no output of files with the id \"archiv\""),
        (&scene.path("other"), &["--data-dir", "/nowhere"], "there is no journal in /nowhere"),
    ] {
        let output = backup(&scene, to, arguments);
        assert_eq!(output.status.code(), Some(1));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.contains(expected), "{complaint}");
    }
}
