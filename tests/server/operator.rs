use std::process::{Command, Output};

use crate::support::{HIKYAKU, Scene, Server, run_with_input};

fn healthcheck(server: &Server) -> Output {
    Command::new("bash")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/healthcheck.sh"))
        .env("HEALTH_ENDPOINT", format!("http://localhost:{}/health", server.port("health")))
        .env_remove("HIKYAKU_CONTAINER")
        .env("METRICS_ENDPOINT", format!("http://localhost:{}/metrics", server.port("metrics")))
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_health_check_script_passes_on_a_server_that_received_nothing_and_fails_on_a_stopped_one() {
    let scene = Scene::new();
    let mut server = scene.start();
    let output = healthcheck(&server);
    assert!(output.status.success(), "{}", text(&output));

    let mut command = scene.send(server.port("edge"));
    command.arg("nginx.access");
    assert!(run_with_input(command, "{\"n\":1}\n").status.success());
    let output = healthcheck(&server);
    assert!(output.status.success(), "{}", text(&output));

    server.signal("-TERM");
    server.child.wait().unwrap();
    let output = healthcheck(&server);
    assert!(!output.status.success(), "{}", text(&output));
}

#[test]
fn the_awk_pipeline_of_the_manual_adds_up_each_of_its_four_names() {
    let scene = Scene::new();
    let server = scene.start();
    let mut command = scene.send(server.port("edge"));
    command.arg("a tag with # and spaces");
    assert!(run_with_input(command, "{\"n\":1}\n{\"n\":2}\n").status.success());
    server.until_metric("fluentd_output_status_num_records_total", 2.0);
    for (name, expected) in [
        ("fluentd_input_status_num_records_total", Some("2")),
        ("fluentd_output_status_num_records_total", Some("2")),
        ("fluentd_output_status_buffer_total_bytes", None),
        ("fluentd_output_status_retry_count", Some("0")),
    ] {
        let script = format!(
            "set -euo pipefail; curl -sf http://localhost:{}/metrics | grep '{name}' | grep -v '#' | \
             awk '{{sum+=$2}} END {{print sum}}'",
            server.port("metrics")
        );
        let output = Command::new("bash").arg("-c").arg(script).output().unwrap();
        assert!(output.status.success(), "{name}");
        let sum = String::from_utf8(output.stdout).unwrap();
        assert!(sum.trim().parse::<u64>().is_ok(), "{name}: {sum:?}");
        if let Some(expected) = expected {
            assert_eq!(sum.trim(), expected, "{name}");
        }
    }
}

#[test]
fn health_ready_and_the_health_command_agree() {
    let scene = Scene::new();
    let server = scene.start();
    assert_eq!(server.get("health", "/health").0, 200);
    // It listens before everything else has begun.
    server.until("/ready", |server| server.get("health", "/ready").0 == 200);
    let url = format!("http://127.0.0.1:{}/ready", server.port("health"));
    let health = |url: &str| Command::new(HIKYAKU).args(["health", "--url", url]).output().unwrap();
    assert!(health(&url).status.success());
    server.stop();
    assert_eq!(health(&url).status.code(), Some(1));
}

#[test]
fn the_monitor_agent_lists_inputs_then_outputs_then_filters() {
    let scene = Scene::new();
    let server = scene.start();
    let (status, body) = server.get("monitor_agent", "/api/plugins.json");
    assert_eq!(status, 200);
    let plugins: serde_json::Value = serde_json::from_str(&body).unwrap();
    let plugins = plugins["plugins"].as_array().unwrap();
    let categories: Vec<_> =
        plugins.iter().map(|plugin| plugin["plugin_category"].as_str().unwrap()).collect();
    assert_eq!(categories, ["input", "input", "output", "output", "output", "filter", "filter"]);
    assert_eq!(plugins[2]["plugin_id"], "archive");
    assert_eq!(plugins[2]["retry_count"], 0);
    assert!(plugins[0]["retry_count"].is_null());
    let (status, body) = server.get("monitor_agent", "/api/config.json");
    assert_eq!(status, 200);
    let config: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(config["pid"], server.child.id());
    assert_eq!(server.get("monitor_agent", "/nothing"), (404, "{\"message\":\"Not found\"}".to_owned()));
}

#[test]
fn certificates_journal_and_connections_are_among_the_metrics() {
    let scene = Scene::new();
    let server = scene.start();
    let (_, metrics) = server.get("metrics", "/metrics");
    for name in [
        "hikyaku_journal_bytes",
        "hikyaku_journal_sync_seconds_bucket",
        "hikyaku_input_ack_latency_seconds_bucket",
        "hikyaku_certificate_days_left",
        "hikyaku_input_rejected_messages_total",
        "hikyaku_output_checkpoints_total",
    ] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name} is missing");
    }
    assert!(server.metric("hikyaku_journal_bytes") > 0.0);
    let days = metrics.lines().find(|line| line.starts_with("hikyaku_certificate_days_left{")).unwrap();
    assert!(days.rsplit(' ').next().unwrap().parse::<i64>().unwrap() > 300, "{days}");
}

#[test]
fn the_journal_can_be_looked_into_while_the_server_runs() {
    let scene = Scene::new();
    let server = scene.start();
    let mut command = scene.send(server.port("edge"));
    command.arg("nginx.access");
    let lines = "{\"customer_name\":\"acme\",\"n\":1}\n{\"customer_name\":\"acme\",\"n\":2}\n";
    assert!(run_with_input(command, lines).status.success());
    let journal = |arguments: &[&str]| {
        Command::new(HIKYAKU)
            .arg("journal")
            .args(arguments)
            .arg("--data-dir")
            .arg(scene.path("data"))
            .output()
            .unwrap()
    };
    let ls: serde_json::Value = serde_json::from_slice(&journal(&["ls", "--json"]).stdout).unwrap();
    assert_eq!(ls["segments"][0]["entries"], 2);
    // The three of the configuration, and the dead letters.
    assert_eq!(ls["outputs"].as_array().unwrap().len(), 4);
    let cat = journal(&["cat"]);
    let events: Vec<serde_json::Value> = String::from_utf8(cat.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["record"]["n"], 2);
    assert_eq!(events[1]["tag"], "nginx.access");
    let verify = journal(&["verify"]);
    assert!(verify.status.success(), "{}", text(&verify));
    assert!(text(&journal(&["ls"])).contains("archive"));
}

#[test]
fn check_says_that_the_shipped_configurations_are_right() {
    for name in ["config/hikyaku.toml", "config/dev.toml"] {
        let output = Command::new(HIKYAKU)
            .args(["check", "-c", name])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output));
    }
}
