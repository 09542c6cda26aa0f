use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Scene, Server, lines_below, run_with_input};

/// The order in which a copy takes files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Forward,
    Reverse,
    Mixed,
}

/// A plain recursive copy, as `cp -r` makes it: a list of files first, then one after the other. What is gone by then is
/// left out.
fn copy(from: &Path, to: &Path, order: Order) {
    let mut files = Vec::new();
    list(from, &mut files);
    files.sort();
    match order {
        Order::Forward => {}
        Order::Reverse => files.reverse(),
        // Some order that is neither, and the same each time.
        Order::Mixed => files.sort_by_key(|path| {
            path.to_string_lossy().bytes().map(|byte| u64::from(byte) * 37 % 101).sum::<u64>()
        }),
    }
    for path in files {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        match fs::copy(&path, &target) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}

fn send(scene: &Scene, server: &Server, numbers: std::ops::Range<u64>) {
    let mut command = scene.send(server.port("edge"));
    command.arg("nginx.access");
    let line = |n| format!("{{\"n\":{n},\"customer_name\":\"a\",\"fqdn\":\"b\",\"log_type\":\"nginx\"}}\n");
    assert!(run_with_input(command, &numbers.map(line).collect::<String>()).status.success());
}

fn numbers(folder: &Path) -> BTreeSet<u64> {
    lines_below(folder).iter().filter_map(|line| line["n"].as_u64()).collect()
}

/// The configuration of `scene` with the data folder of a restored copy and an archive of its own.
fn restored(scene: &Scene, copy: &Path) -> Scene {
    let restored = Scene::new();
    fs::rename(copy, restored.path("data")).unwrap();
    assert!(scene.path("data").exists());
    restored
}

fn a_copy_under_load(order: Order) {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, 0..500);
    let loads: Vec<_> = (0..3)
        .map(|load| {
            let mut command = scene.send(server.port("edge"));
            command.args(["nginx.load", "--count", "3000", "--connections", "2"]);
            command.stdout(std::process::Stdio::null());
            if load > 0 {
                command.args(["--rate", "5000"]);
            }
            command.spawn().unwrap()
        })
        .collect();
    send(&scene, &server, 500..1000);
    let to = scene.path("copy");
    copy(&scene.path("data"), &to, order);
    for mut load in loads {
        assert!(load.wait().unwrap().success());
    }
    assert!(server.stop().success());
    // What the copy counts as delivered was on disk before, so it is in an archive that is copied afterwards.
    let archived = numbers(&scene.path("archive"));

    let scene = restored(&scene, &to);
    let server = scene.start();
    send(&scene, &server, 1000..1010);
    assert!(server.stop().success());
    let delivered = numbers(&scene.path("archive"));
    let lost: Vec<_> = (0..1000).filter(|n| !archived.contains(n) && !delivered.contains(n)).collect();
    assert!(lost.is_empty(), "{order:?}: {lost:?} were acknowledged before the copy began");
    assert!((1000..1010).all(|n| delivered.contains(&n)), "{order:?}: it goes on");
}

#[test]
fn a_copy_in_alphabetical_order_loses_nothing_that_was_acknowledged_before() {
    a_copy_under_load(Order::Forward);
}

#[test]
fn a_copy_in_the_reverse_order_loses_nothing_that_was_acknowledged_before() {
    a_copy_under_load(Order::Reverse);
}

#[test]
fn a_copy_in_any_other_order_loses_nothing_that_was_acknowledged_before() {
    a_copy_under_load(Order::Mixed);
}

#[test]
fn an_older_copy_takes_nothing_away_from_archive_files_that_went_on() {
    let scene = Scene::new();
    let server = scene.start();
    send(&scene, &server, 0..10);
    server
        .until("an undo log", |_| fs::read_dir(scene.path("data/outputs/archive")).unwrap().next().is_some());
    let to = scene.path("copy");
    copy(&scene.path("data"), &to, Order::Forward);
    send(&scene, &server, 10..20);
    assert!(server.stop().success());
    assert_eq!(numbers(&scene.path("archive")).len(), 20);

    fs::remove_dir_all(scene.path("data")).unwrap();
    fs::rename(&to, scene.path("data")).unwrap();
    assert!(scene.start().stop().success());
    assert_eq!(numbers(&scene.path("archive")), (0..20).collect(), "perhaps twice, but all of them");
    // The folder is its server's own again: a crash is undone as ever.
    let server = scene.start();
    send(&scene, &server, 20..30);
    drop(server);
    let server = scene.start();
    assert!(server.stop().success());
    let lines = lines_below(&scene.path("archive"));
    let late = lines.iter().filter(|line| line["n"].as_u64() >= Some(20)).count();
    assert_eq!(late, 10);
}
