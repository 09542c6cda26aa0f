//! `hikyaku test`

use serde_json::Value;

use super::support::{assert_golden, hikyaku, printed};

const FAILING: &str = "tests/fixtures/test/failing.toml";

/// The least that a configuration needs, on line 1 to 8.
const MINIMAL: &str = "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\
    [[output]]\nid = \"archive\"\ntype = \"file\"\nmatch = \"**\"\npath = \"/{@sender}/{@server}-{@input}-%Y.log\"\n";

/// The exit code, and what is printed about a file that holds this, and about one beside it.
fn tested(command: &str, config: &str, beside: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    std::fs::write(&path, config).unwrap();
    if !beside.is_empty() {
        std::fs::write(folder.path().join("x.tests.toml"), beside).unwrap();
    }
    let output = hikyaku(&[command, "-c", path.to_str().unwrap()]);
    let printed = printed(&output).replace(folder.path().to_str().unwrap(), "");
    (output.status.code(), printed)
}

#[test]
fn what_fails_is_shown_as_a_difference() {
    let output = hikyaku(&["test", "-c", FAILING]);
    assert_eq!(output.status.code(), Some(1));
    assert_golden("test/failing.txt", &printed(&output));
}

#[test]
fn programs_get_the_same_as_json() {
    let output = hikyaku(&["test", "-c", FAILING, "--json", "--filter", "the reason"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["ok"], found["tests"].as_array().unwrap().len()), (&Value::Bool(false), 1));
    let difference = &found["tests"][0]["differences"][0];
    assert_eq!(
        *difference,
        serde_json::json!({
            "output": "invalid", "event": 1, "what": "record.invalid_reason",
            "expected": "the field text is missing", "found": "the field message is missing",
        })
    );
}

#[test]
fn a_filter_chooses_by_name() {
    let output = hikyaku(&["test", "-c", FAILING, "--filter", "succeeds"]);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    assert_eq!(printed(&output), "ok    this one succeeds\n\n1 ok, 0 failed\n");
    let output = hikyaku(&["test", "-c", FAILING, "--filter", "nothing like this"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("no test with `nothing like this`"));
}

#[test]
fn the_configuration_that_comes_with_hikyaku_does_what_its_tests_say() {
    let output = hikyaku(&["test", "-c", "config/hikyaku.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", printed(&output));
    let output = hikyaku(&["check", "-c", "config/hikyaku.toml"]);
    assert!(printed(&output).contains("3 outputs, 6 tests)\n"), "{}", printed(&output));
}

#[test]
fn sender_server_and_receipt_are_what_the_test_says() {
    let test = "[[test]]\nname = \"a\"\ntag = \"t\"\nserver = \"s\"\nreceived_at = 1999-01-01T00:00:00Z\n\
        sender = { subject = \"CN=e\", san = [\"DNS:e.example.com\"] }\nevents = [{ record = {} }]\n\
        expect.archive = [{ path = \"/CN_e_DNS_e.example.com/s-edge-1999.log\", time = 1999-01-01T00:00:00Z }]\n";
    assert_eq!(tested("test", MINIMAL, test), (Some(0), "ok    a\n\n1 ok, 0 failed\n".to_owned()));
}

#[test]
fn what_a_test_does_not_name_must_take_nothing_unless_it_may() {
    let test = "[[test]]\nname = \"a\"\ntag = \"t\"\nevents = [{ record = {} }]\n";
    let (code, found) = tested("test", MINIMAL, test);
    assert_eq!(code, Some(1));
    assert!(found.contains("archive: event 1 is not expected"), "{found}");
    assert_eq!(tested("test", MINIMAL, &format!("{test}others = \"anything\"\n")).0, Some(0));
}

#[test]
fn tests_stand_in_the_file_and_beside_it() {
    let test = |name: &str| format!("[[test]]\nname = \"{name}\"\ntag = \"t\"\nevents = []\n");
    let (code, found) = tested("test", &format!("{MINIMAL}{}", test("within")), &test("beside"));
    assert_eq!((code, found.as_str()), (Some(0), "ok    within\nok    beside\n\n2 ok, 0 failed\n"));
    let (code, found) = tested("test", MINIMAL, "");
    assert_eq!(code, Some(1));
    assert!(found.contains("/x.toml has no tests") && found.contains("/x.tests.toml"), "{found}");
}

#[test]
fn mistakes_in_tests_are_reported_where_they_stand() {
    for (beside, expected) in [
        ("[[test]]\nnmae = 1\ntag = \"t\"\nevents = []\n", "/x.tests.toml:2:1: unknown key `nmae`"),
        ("[[filter]]\n", "/x.tests.toml:1:3: unknown key `filter`"),
        (
            "[[test]]\nname = \"a\"\ntag = \"t\"\nevents = []\nexpect.archve = []\n",
            ":5:8: the configuration has no output `archve`; did you mean `archive`?",
        ),
        (
            "[[test]]\nname = \"a\"\ntag = \"t\"\ninput = \"edg\"\nevents = []\n",
            ":4:9: the configuration has no input `edg`; did you mean `edge`?",
        ),
        (
            "[[test]]\nname = \"a\"\ntag = \"t\"\nevents = [{ record = '[]' }]\n",
            ":4:22: expected a table, or a JSON object",
        ),
        (
            "[[test]]\nname = \"a\"\ntag = \"t\"\nevents = [{ record = {}, time = \"noon\" }]\n",
            ":4:33: expected a time",
        ),
        (
            "[[test]]\nname = \"a\"\ntag = \"t\"\nevents = []\n[[test]]\nname = \"a\"\ntag = \"t\"\nevents = []\n",
            ":6:8: another test is called `a`",
        ),
    ] {
        for command in ["test", "check"] {
            let (code, found) = tested(command, MINIMAL, beside);
            assert_eq!(code, Some(78), "{beside}{found}");
            assert!(found.contains(expected), "{beside}{found}");
        }
    }
}

#[test]
fn a_server_passes_over_tests_right_or_wrong() {
    let text = format!("{MINIMAL}[[test]]\nname = 5\n");
    let config = hikyaku::config::Config::parse(&text, None, &|_| None).unwrap();
    assert_eq!(config.outputs.len(), 1);
    assert_eq!(tested("check", &text, "").0, Some(78));
}
