use std::process::Stdio;

use crate::support::{HIKYAKU, Scene, run_with_input};

#[test]
fn term_under_load_ends_in_order_and_the_rest_is_delivered_after_the_next_start() {
    let scene = Scene::new();
    let port = scene.keep_ports();
    let server = scene.start();
    let sender = scene
        .send(port)
        .args(["nginx.access", "--count", "40000", "--connections", "2", "--chunk-events", "100", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    server.until_metric("hikyaku_journal_chunks_total", 5.0);
    assert_eq!(server.stop().code(), Some(0));

    let server = scene.start();
    assert!(sender.wait_with_output().unwrap().status.success());
    assert_eq!(server.stop().code(), Some(0));
    let mut numbers: Vec<u64> =
        scene.lines("archive").iter().map(|event| event["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..40_000), "{} events", numbers.len());
}

#[test]
fn int_stops_as_well() {
    let scene = Scene::new();
    let mut server = scene.start();
    server.signal("-INT");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn usr1_writes_and_saves_at_once() {
    let scene = Scene::new();
    let config = std::fs::read_to_string(scene.path("hikyaku.toml")).unwrap();
    let config = config.replace("flush_interval = \"100ms\"", "flush_interval = \"1h\"");
    std::fs::write(scene.path("hikyaku.toml"), config.replace("\"400ms\"", "\"1h\"")).unwrap();
    let server = scene.start();
    let mut command = scene.send(server.port("edge"));
    command.arg("app.log");
    assert!(run_with_input(command, "{\"n\":1}\n").status.success());
    server.until_metric("fluentd_output_status_emit_records", 1.0);
    let before = server.metric("hikyaku_output_checkpoints_total");
    assert_eq!(scene.lines("unmatched").len(), 0);
    server.signal("-USR1");
    server.until_metric("hikyaku_output_checkpoints_total", before + 1.0);
    server.until_metric("fluentd_output_status_num_records_total", 1.0);
    assert_eq!(scene.lines("unmatched").len(), 1);
}

#[test]
fn a_wrong_configuration_ends_with_78_before_anything_listens() {
    let scene = Scene::new();
    let path = scene.path("wrong.toml");
    std::fs::write(&path, "[journal]\nmax_size = \"2 bananas\"\nflush = 1\n").unwrap();
    for command in ["check", "run"] {
        let output = std::process::Command::new(HIKYAKU).arg(command).arg("-c").arg(&path).output().unwrap();
        assert_eq!(output.status.code(), Some(78));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("wrong.toml:2:") && text.contains("2 bananas"), "{text}");
        assert!(text.contains("wrong.toml:3:") && text.contains("flush"), "{text}");
    }
}
