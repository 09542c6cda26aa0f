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
fn a_mistake_in_any_section_is_one_of_the_configuration_for_every_command_that_reads_it() {
    for (right, wrong) in [
        ("data_dir = \"data\"", "data_dir = 1"),
        ("[journal]", "[log]\nlevel = \"loud\"\n[journal]"),
        ("max_size = \"64MiB\"", "max_size = \"1KiB\""),
        ("segment_size = \"4MiB\"", "segment_size = \"4 apples\""),
        ("[journal]", "[journal]\ncompression = \"brotli\""),
        ("[journal]", "[journal]\ndedup_window = -1"),
        ("[journal]", "[journal]\nsegments = 3"),
        ("[health]", "[dead_letters]\nmax_size = \"none\"\n[health]"),
        ("[health]", "[dead_letters]\nmax_size = 0\n[health]"),
        ("[health]", "[dead_letter]\nmax_size = \"1GiB\"\n[health]"),
        ("max_message_size = \"2MiB\"", "max_message_size = \"2 apples\""),
        ("match = \"**\"", "match = \"a{\""),
        ("[metrics]\nenabled = false", "[metrics]\nlisten = \"here\""),
    ] {
        let config = CONFIG.replacen(right, wrong, 1);
        assert_ne!(config, CONFIG);
        for command in [
            &["check"][..],
            &["check", "--json"],
            &["run"],
            &["test"],
            &["journal", "ls"],
            &["journal", "verify"],
            &["dead-letter", "ls"],
            &["backup", "copy"],
        ] {
            let (code, text) = run(Some(&config), command);
            assert_eq!(code, Some(78), "{command:?} with {wrong}: {text}");
            assert!(text.contains("config/hikyaku.toml"), "{command:?}: {text}");
        }
    }
}

#[test]
fn certificates_that_are_missing_end_the_server_alike_whoever_they_are_of() {
    let tls = "tls = { cert = \"server.crt\", key = \"server.key\", client_ca = \"ca.crt\" }\n";
    let (of_input, plain) = (CONFIG, CONFIG.replace(tls, ""));
    let of_output = plain.replace(
        "type = \"file\"\nmatch = \"**\"\npath = \"logs/%Y.log\"",
        "type = \"forward\"\nmatch = \"**\"\nservers = [{ address = \"127.0.0.1:1\" }]\ntls = { ca = \"server.crt\" }",
    );
    for config in [of_input, &of_output] {
        let (code, text) = run(Some(config), &["run"]);
        assert!(text.contains("cannot read server.crt"), "{text}");
        assert_eq!(code, Some(78), "{text}");
    }
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
