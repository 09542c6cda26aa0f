//! hikyaku to hikyaku to hikyaku over mutual TLS, as processes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::process::{
    Scene, Server, files_below, kill_under_load, lines_below, metrics_alone, planned_kills, reserved_address,
    sum_of,
};

/// `HIKYAKU_KILLS=30 cargo nextest run --profile campaign --release killed_again` is a longer campaign.
const KILLS: usize = 4;

/// Starts a hikyaku of this name, on these ports (0: any), with this output.
fn start(scene: &Scene, name: &str, port: u16, metrics_port: u16, output: &str) -> Server {
    let root = scene.directory.path().display();
    let (tls, endpoints) = (scene.server_tls(), metrics_alone(metrics_port));
    let config = format!(
        r#"
[server]
name = "{name}"
data_dir = "{root}/{name}"
[log]
format = "json"
[journal]
max_size = "64MiB"
segment_size = "4MiB"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:{port}"
max_message_size = "2MiB"
{tls}
[[output]]
id = "next"
match = "**"
start = "oldest"
{output}
{endpoints}
"#
    );
    Server::run(&scene.path(&format!("{name}.toml")), &config, 2)
}

fn forward_to(scene: &Scene, ports: &[u16]) -> String {
    let servers: Vec<_> = ports.iter().map(|port| format!("{{ address = \"127.0.0.1:{port}\" }}")).collect();
    let servers = servers.join(", ");
    format!(
        "type = \"forward\"\nservers = [{servers}]\ncheckpoint_interval = \"50ms\"\n\
         retry_min_interval = \"10ms\"\nretry_max_interval = \"200ms\"\n{}",
        scene.client_tls()
    )
}

fn archive_of(scene: &Scene, name: &str) -> String {
    let folder = scene.path("archive").join(name);
    format!("type = \"file\"\npath = \"{}/%Y.log\"\nflush_interval = \"100ms\"", folder.display())
}

#[test]
fn every_event_is_in_the_last_archive_once_although_the_middle_is_killed_again_and_again() {
    kill_the_middle(&["last"]);
}

#[test]
fn every_event_is_in_one_of_two_archives_once_although_the_middle_is_killed_again_and_again() {
    kill_the_middle(&["last-1", "last-2"]);
}

fn kill_the_middle(last: &[&str]) {
    let kills = planned_kills(KILLS);
    // One folder for all, with one authority.
    let scene = Scene::new();
    let last: Vec<_> = last.iter().map(|name| start(&scene, name, 0, 0, &archive_of(&scene, name))).collect();
    let ports: Vec<_> = last.iter().map(|server| server.port("edge")).collect();
    let middle_output = forward_to(&scene, &ports);
    let [port, metrics_port] = [reserved_address().port(), reserved_address().port()];
    let mut middle = start(&scene, "middle", port, metrics_port, &middle_output);
    let first = start(&scene, "first", 0, 0, &forward_to(&scene, &[port]));

    let mut send = scene.send(first.port("edge"));
    send.args(["nginx.access", "--chunk-events", "50", "--rate", "10000"]);
    // In the middle of the work: after a different number of chunks in each life.
    let is_time = |kills: usize, metrics: &str| {
        sum_of(metrics, "hikyaku_journal_chunks_total") >= 10.0 + (kills * 7 % 23) as f64
    };
    let restart = || start(&scene, "middle", port, metrics_port, &middle_output);
    let sent = kill_under_load(&mut middle, send, kills, is_time, restart).events;
    // Files that are being written may end in half a line.
    last[0].until("all events have arrived", |_| lines_so_far(&scene.path("archive")) >= sent);
    for server in [first, middle].into_iter().chain(last) {
        assert!(server.stop().success());
    }
    for name in scene.path("archive").read_dir().unwrap() {
        assert!(!delivered(&name.unwrap().path()).is_empty(), "each of the last servers had its share");
    }
    let events = delivered(&scene.path("archive"));
    let doubled = events.values().filter(|count| **count > 1).count();
    let missing = (0..sent).filter(|number| !events.contains_key(number)).count();
    eprintln!("{sent} events, {kills} kills, {missing} events missing, {doubled} doubled");
    assert_eq!((missing, doubled, events.len() as u64), (0, 0, sent));
}

/// Whole lines in the files below a folder.
fn lines_so_far(folder: &Path) -> u64 {
    let files = files_below(folder);
    let lines =
        |path: &PathBuf| std::fs::read(path).unwrap().iter().filter(|byte| **byte == b'\n').count() as u64;
    files.iter().map(lines).sum()
}

/// How often each event lies in the files below a folder.
fn delivered(folder: &Path) -> HashMap<u64, u32> {
    let mut seen = HashMap::new();
    for event in lines_below(folder) {
        *seen.entry(event["number"].as_u64().unwrap()).or_default() += 1;
    }
    seen
}
