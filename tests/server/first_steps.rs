//! What goes wrong on the first day: each mistake is told with what it is about and what to do next.

use std::process::{Command, Output};

use crate::support::{HIKYAKU, Scene, run_with_input};

const CONFIG: &str = r#"
[server]
data_dir = "data"
[journal]
max_size = "64MiB"
segment_size = "4MiB"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
max_message_size = "2MiB"
tls = { cert = "server.crt", key = "server.key", client_ca = "ca.crt" }
[[output]]
id = "archive"
type = "file"
match = "**"
path = "logs/%Y.log"
[health]
enabled = false
[monitor_agent]
enabled = false
[metrics]
enabled = false
"#;

/// Runs a command in a folder with this configuration; exit code, and all that it prints.
fn run(config: Option<&str>, arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    if let Some(config) = config {
        std::fs::create_dir(folder.path().join("config")).unwrap();
        std::fs::write(folder.path().join("config/hikyaku.toml"), config).unwrap();
    }
    let mut command = Command::new(HIKYAKU);
    let output =
        command.args(arguments).env_remove("HIKYAKU_CONFIG").current_dir(folder.path()).output().unwrap();
    (output.status.code(), printed(&output))
}

fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

#[test]
fn without_a_configuration_it_says_how_to_try_it_without_one() {
    let (code, text) = run(None, &["run"]);
    assert_eq!(code, Some(78));
    assert!(text.contains("config/hikyaku.toml") && text.contains("hikyaku run --dev"), "{text}");
}

#[test]
fn arguments_that_no_certificate_can_have_are_told_as_wrong_arguments() {
    for arguments in [["--days", "0"], ["--days", "3651"], ["--client", "../x"], ["--server-name", "a b"]] {
        let (code, text) = run(None, &[&["certs"], &arguments[..]].concat());
        assert_eq!(code, Some(2), "{arguments:?}: {text}");
        assert!(text.contains(arguments[1]), "{text}");
    }
}

#[test]
fn certificates_that_are_missing_are_noted_before_the_server_ends_with_it() {
    let (code, text) = run(Some(CONFIG), &["check"]);
    assert_eq!(code, Some(0), "they may be made later: {text}");
    assert!(text.contains("ok (1 input, 1 output)"), "{text}");
    assert!(text.contains("note: input \"edge\": cannot read server.crt"), "{text}");
    let (code, text) = run(Some(CONFIG), &["check", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, report["notes"].as_array().unwrap().len()), (Some(0), 4));
    let (code, text) = run(Some(CONFIG), &["run"]);
    assert_eq!(code, Some(78));
    assert!(text.contains("cannot read server.crt"), "{text}");
}

#[test]
fn a_data_folder_that_cannot_be_made_is_told_with_its_key() {
    // A file in the place of the folder, or of one above it: that holds for root as well.
    for place in ["config/hikyaku.toml", "config/hikyaku.toml/data", "/proc/hikyaku"] {
        let config = CONFIG.replace("\"data\"", &format!("\"{place}\""));
        let (code, text) = run(Some(&config), &["run"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(place) && text.contains("`data_dir` in [server]"), "{text}");
    }
}

#[test]
fn a_sender_without_tls_is_told_that_the_server_speaks_it() {
    let scene = Scene::new();
    let server = scene.start();
    let mut command = Command::new(HIKYAKU);
    command.args(["send", "app.log", "--plain", "--server", &format!("127.0.0.1:{}", server.port("edge"))]);
    let output = run_with_input(command, "{}\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("the server speaks TLS"), "{}", printed(&output));
}
