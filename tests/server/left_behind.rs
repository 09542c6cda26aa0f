use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use hikyaku::journal::SetAside;

use crate::support::{HIKYAKU, Scene, Server, metrics_alone, run_with_input};

/// A segment of 1 MiB holds about twenty chunks of it.
const EVENTS: u64 = 60;

fn start(scene: &Scene) -> Server {
    let (root, endpoints) = (scene.directory.path().display(), metrics_alone(0));
    let config = format!(
        r#"
[server]
data_dir = "{root}/data"
[log]
format = "json"
[journal]
max_size = "64MiB"
segment_size = "1MiB"
[[input]]
id = "containers"
type = "forward"
listen = "127.0.0.1:0"
max_message_size = "256KiB"
[[filter]]
type = "set"
fields = {{ seen = "{{@server}}" }}
[[output]]
id = "slow"
type = "file"
match = "**"
start = "oldest"
path = "{root}/slow/all.log"
flush_interval = "10ms"
checkpoint_interval = "100ms"
retry_max_interval = "1s"
max_backlog = "1MiB"
when_backlogged = "dead_letter"
{endpoints}
"#
    );
    Server::run(&scene.path("hikyaku.toml"), &config, 2)
}

/// How far a retry has come: the segments that are left, and where each begins.
fn progress(scene: &Scene) -> Vec<(u64, String)> {
    let segments = SetAside::new(&scene.path("data")).segments("slow").unwrap();
    segments.iter().map(|found| (found.segment, found.from.position.to_string())).collect()
}

fn send(server: &Server) {
    let mut command = Command::new(HIKYAKU);
    command.arg("send").arg("--server").arg(format!("127.0.0.1:{}", server.port("containers")));
    command.args(["app.log", "--plain", "--chunk-events", "1"]);
    let padding = "x".repeat(50_000);
    let lines: String =
        (0..EVENTS).map(|number| format!("{{\"n\":{number},\"x\":\"{padding}\"}}\n")).collect();
    let sent = run_with_input(command, &lines);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
}

#[test]
fn a_server_that_is_killed_while_it_retries_writes_each_event_once() {
    let scene = Scene::new();
    // No folder can be made there, so nothing is written.
    fs::write(scene.path("slow"), "in the way").unwrap();
    let mut server = start(&scene);
    send(&server);
    server.until("segments are left behind", |_| progress(&scene).len() >= 2);
    fs::remove_file(scene.path("slow")).unwrap();

    let before = progress(&scene);
    let retry = || {
        let mut command = Command::new(HIKYAKU);
        command.args(["dead-letter", "retry", "--wait", "1ms", "--data-dir"]).arg(scene.path("data"));
        command.output().unwrap()
    };
    let unanswered = retry();
    assert!(String::from_utf8_lossy(&unanswered.stderr).contains("no server has answered"));
    server.until("some of it is retried", |_| progress(&scene) != before);
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    server = start(&scene);
    server.until("the rest is retried", |_| progress(&scene).is_empty());
    assert!(server.stop().success());
    let mut times = BTreeMap::<u64, u32>::new();
    for event in scene.lines("slow") {
        assert!(event["seen"].is_string(), "filters had their say");
        *times.entry(event["n"].as_u64().unwrap()).or_default() += 1;
    }
    assert_eq!(times, (0..EVENTS).map(|number| (number, 1)).collect());
}

/// `data` as it is while a server runs whose output has left two segments behind.
fn with_segments_left_behind() -> (Scene, Server) {
    let scene = Scene::new();
    fs::write(scene.path("slow"), "in the way").unwrap();
    let server = start(&scene);
    send(&server);
    server.until("segments are left behind", |_| progress(&scene).len() >= 2);
    (scene, server)
}

#[test]
fn damage_in_a_segment_that_was_left_behind_is_found() {
    let (scene, server) = with_segments_left_behind();
    assert!(server.stop().success());
    let verify = || {
        let mut command = Command::new(HIKYAKU);
        let output =
            command.args(["journal", "verify", "--json", "--data-dir"]).arg(scene.path("data")).output();
        let output = output.unwrap();
        (output.status.code(), serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap())
    };
    let (code, answer) = verify();
    let left = &answer["set_aside"][0];
    assert_eq!(
        (code, &left["output"], &left["segments"][0]["intact"]),
        (Some(0), &"slow".into(), &true.into())
    );
    let path = scene.path("data/dead-letters/segments/slow/journal/0000000000000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (code, answer) = verify();
    assert_eq!((code, &answer["intact"]), (Some(1), &false.into()));
    assert_eq!(answer["set_aside"][0]["segments"][0]["intact"], false, "{answer}");
}

#[test]
fn a_backup_gives_segments_that_were_left_behind_a_second_name_and_has_each_event_once() {
    let (scene, server) = with_segments_left_behind();
    let mut command = Command::new(HIKYAKU);
    command.arg("backup").arg(scene.path("backup")).arg("-c").arg(scene.path("hikyaku.toml"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let name = "data/dead-letters/segments/slow/journal/0000000000000001.seg";
    let inode = |path| fs::metadata(path).unwrap().ino();
    assert_eq!(inode(scene.path(name)), inode(scene.path("backup").join(name)));
    drop(server);

    fs::remove_dir_all(scene.path("data")).unwrap();
    fs::rename(scene.path("backup/data"), scene.path("data")).unwrap();
    fs::remove_file(scene.path("slow")).unwrap();
    let server = start(&scene);
    let mut command = Command::new(HIKYAKU);
    let retried =
        command.args(["dead-letter", "retry", "--data-dir"]).arg(scene.path("data")).output().unwrap();
    assert!(retried.status.success(), "{}", String::from_utf8_lossy(&retried.stderr));
    assert!(server.stop().success());
    let mut times = BTreeMap::<u64, u32>::new();
    for event in scene.lines("slow") {
        *times.entry(event["n"].as_u64().unwrap()).or_default() += 1;
    }
    assert_eq!(times, (0..EVENTS).map(|number| (number, 1)).collect());
}
