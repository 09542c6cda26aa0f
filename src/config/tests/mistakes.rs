//! Mistakes of any section: that all are found, and how they are shown.

use super::*;

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_file() {
    let text = r#"[server]
nmae = "x"
[journal]
max_size = "1GB"
[[input]]
id = "a b"
type = "froward"
[[output]]
id = "o"
type = "file"
match = "**"
path = "logs/{a"
flush_interval = 10
"#;
    assert_eq!(
        problems(text),
        [
            "2:1: unknown key `nmae` in `[server]`; did you mean `name`?",
            "4:12: unknown unit `GB`; write \"1GiB\"",
            "5:1: `[[input]]` needs `listen` (address and port, or `unix:` and a path): Where it listens; port 0 takes a free one",
            "6:6: expected 1 to 64 of `A-Za-z0-9_-`",
            "7:8: expected one of `\"forward\"`; did you mean `forward`?",
            &problems(text)[5],
            "13:18: expected a time with its unit, such as \"10s\" (units ms, s, m, h, d)",
        ]
    );
    assert!(problems(text)[5].starts_with("12:14: "), "inside the string: {}", problems(text)[5]);
}

#[test]
fn a_mistake_is_shown_with_its_file_its_line_and_a_caret() {
    let shown = parse(&with_output("timezone = \"Asia/Tokio\"")).unwrap_err().to_string();
    assert_eq!(
        shown,
        "x.toml:12:12: expected a time zone such as \"UTC\" or \"Asia/Tokyo\"; did you mean `Asia/Tokyo`?\n \
         12 | timezone = \"Asia/Tokio\"\n    \
            |            ^^^^^^^^^^^^\n"
    );
}

#[test]
fn syntax_errors_are_reported_alone() {
    let problems = problems("[server]\nname = unquoted\nnmae = 1\n[[input]\n");
    assert!(problems.iter().all(|problem| problem.contains("TOML syntax")), "{problems:#?}");
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[0].starts_with("2:8: ") && problems[1].starts_with("4:"), "{problems:#?}");
}

#[test]
fn a_key_that_is_misspelt_is_not_missing_besides() {
    assert_refused(
        |text| text.to_owned(),
        &[
            (
                &MINIMAL.replace("listen", "listn"),
                "5:1: unknown key `listn` in `[[input]]`; did you mean `listen`?",
            ),
            (&MINIMAL.replace("match", "mach"), "10:1: unknown key `mach`"),
        ],
    );
    let missing = problems(&MINIMAL.replace("listen", "address"));
    assert_eq!(missing.len(), 2, "what nobody could mean by it is missing: {missing:#?}");
}

#[test]
fn a_configuration_of_fluentd_is_told_what_it_is() {
    let fluentd = "# the edge\n\n<source>\n  @type forward\n</source>\n";
    assert_problem(fluentd, "3:1: this is a configuration of Fluentd");
}

#[test]
fn wrong_types_say_what_was_expected() {
    assert_refused(
        |first| format!("{first}\n{MINIMAL}"),
        &[
            ("log = 1", "1:7: expected one table `[log]`, found integer"),
            ("[filter]", "expected `[[filter]]`, found table"),
            ("filter = [1]", "1:11: expected `[[filter]]`, found integer"),
            ("[health]\nenabled = 1", "expected `true`, `false`, found integer"),
            ("[metrics]\nlisten = \":1\"", "\"0.0.0.0:8888\" (all of IPv4)"),
        ],
    );
    assert_refused(
        with_input,
        &[
            ("max_connections = \"1\"", "expected integer, 1 to 1000000, found string"),
            ("tls = \"x\"", "`tls`: expected `tls = { … }`, found string"),
            ("tls = { cert = \"x\" }", "`tls = { … }` needs `key`"),
        ],
    );
    assert_problem(&with_output("require = \"a\""), "expected list of fields, found string");
}

#[test]
fn levels_are_known() {
    assert_refused(
        with_section("[log]"),
        &[
            ("modules = { journal = \"debgu\" }", "did you mean `debug`?"),
            ("level = \"INFO\"", "did you mean `info`?"),
        ],
    );
}

#[test]
fn a_name_of_the_server_has_a_length() {
    let of_length = |length| with_section("[server]")(&format!("name = \"{}\"", "n".repeat(length)));
    assert!(parse(&of_length(255)).is_ok());
    assert_problem(&of_length(256), "has 256 bytes, at most 255");
}

#[test]
fn a_configuration_without_input_or_output_is_refused() {
    assert_eq!(
        problems(""),
        [
            "1:1: the file has no `[[input]]`; at least one is needed",
            "1:1: the file has no `[[output]]`; at least one is needed",
        ]
    );
}

#[test]
fn an_id_and_an_address_belong_to_one() {
    assert_problem(&MINIMAL.replace("archive", "edge"), "another input or output has the id `edge` already");
    let with_metrics = with_section("[metrics]");
    for listen in ["127.0.0.1:24224", "0.0.0.0:24224", "[::]:24224"] {
        assert_problem(
            &with_metrics(&format!("listen = \"{listen}\"")),
            "taken by another listener of this file, 127.0.0.1:24224",
        );
    }
    assert_accepted(
        with_metrics,
        &[
            "listen = \"127.0.0.2:24224\"",
            "listen = \"[::1]:24224\"",
            // What is switched off listens nowhere.
            "enabled = false\nlisten = \"127.0.0.1:24224\"",
        ],
    );
}
