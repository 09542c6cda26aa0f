//! `hikyaku check --explain`

use serde_json::Value;

use super::support::{assert_golden, hikyaku, printed};

const CONFIG: &str = "tests/fixtures/explain/routes.toml";

/// What it prints about an event, with the command in front.
fn explained(arguments: &[&str]) -> String {
    explained_by(CONFIG, arguments)
}

fn explained_by(config: &str, arguments: &[&str]) -> String {
    let output = hikyaku(&[&["check", "-c", config], arguments].concat());
    assert!(output.status.success(), "{}", printed(&output));
    format!("$ hikyaku check {}\n{}\n", arguments.join(" "), printed(&output))
}

#[test]
fn what_the_tag_decides_is_told_without_a_record() {
    let tags = ["nginx.access", "docker", "app.web", "other"];
    let mut found: String = tags.iter().map(|tag| explained(&["--explain", tag])).collect();
    found.push_str(&explained(&["--explain", "web", "--input", "legacy"]));
    assert_golden("explain/tags.txt", &found);
}

#[test]
fn a_record_decides_the_rest() {
    let records = [
        ("nginx.access", r#"{"customer":"acme","password":"hunter2","level":"INFO"}"#),
        ("nginx.access", r#"{"level":"ERROR"}"#),
        ("docker", r#"{"container_name":"web","customer":"acme","message":"up"}"#),
        ("app.web", r#"{"customer":"acme"}"#),
        ("app.web", r#"{"level":"DEBUG"}"#),
        ("other", "{}"),
    ];
    let mut found = String::new();
    for (tag, record) in records {
        found.push_str(&explained(&["--explain", tag, "--record", record, "--time", "2026-02-17T10:00:00Z"]));
    }
    assert_golden("explain/records.txt", &found);
}

#[test]
fn each_pipeline_is_told_apart() {
    let events: [&[&str]; 5] = [
        &["--explain", "app.web"],
        &["--explain", "app.web", "--record", r#"{"level":"INFO"}"#, "--time", "2026-02-17T10:00:00Z"],
        &["--explain", "other"],
        &["--explain", "other", "--record", "{}", "--time", "2026-02-17T10:00:00Z"],
        &["--explain", "login", "--input", "audit"],
    ];
    let config = "tests/fixtures/explain/pipelines.toml";
    let found: String = events.iter().map(|arguments| explained_by(config, arguments)).collect();
    assert_golden("explain/pipelines.txt", &found);
}

#[test]
fn programs_get_the_same_as_json() {
    let output = hikyaku(&[
        "check",
        "-c",
        CONFIG,
        "--explain",
        "nginx.access",
        "--record",
        r#"{"customer":"acme"}"#,
        "--time",
        "2026-02-17T10:00:00Z",
        "--json",
    ]);
    let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(explanation["decided"], true);
    assert_eq!(explanation["filters"][2]["changes"][0]["field"], "log_type");
    let archive = &explanation["outputs"][0];
    assert_eq!((&archive["id"], &archive["takes"]), (&"archive".into(), &"yes".into()));
    assert_eq!(archive["path"], "/logs/acme/nginx/access-20260217.log.gz");
    assert_eq!(explanation["outputs"][2]["servers"][1], "logs-2.example:24224 (standby)");
}

#[test]
fn who_sends_it_can_be_said() {
    let found = explained(&[
        "--explain",
        "a",
        "--record",
        "{}",
        "--subject",
        "CN=engine-1",
        "--san",
        "DNS:engine-1.example.com",
    ]);
    assert!(found.contains("/rest/a.log"), "{found}");
}

#[test]
fn a_wrong_event_is_a_wrong_command_line() {
    for (arguments, expected) in [
        (["--input", "nobody"], "it has edge, legacy"),
        (["--record", "{"], "--record is no JSON"),
        (["--record", "[]"], "--record must be a JSON object"),
        (["--time", "noon"], "`noon` is no time"),
    ] {
        let output = hikyaku(&[&["check", "-c", CONFIG, "--explain", "a"], &arguments[..]].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(printed(&output).contains(expected), "{}", printed(&output));
    }
    let without = hikyaku(&["check", "-c", CONFIG, "--record", "{}"]);
    assert_eq!(without.status.code(), Some(2), "nothing to explain");
}

#[test]
fn a_wrong_configuration_is_reported_as_ever() {
    let output = hikyaku(&["check", "-c", "/nowhere/x.toml", "--explain", "a"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(printed(&output).contains("/nowhere/x.toml"));
}
