//! Whole configurations: what is filled in, and what is refused where.

use std::time::Duration;

use super::*;

/// The least that a configuration needs.
const MINIMAL: &str = r#"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:24224"

[[output]]
id = "archive"
type = "file"
match = "**"
path = "logs/%Y.log"
"#;

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, Some(PathBuf::from("x.toml")), &|_| None)
}

fn file(output: &OutputConfig) -> &FileOutputConfig {
    let OutputKind::File(file) = &output.kind else { panic!("{output:?} writes no files") };
    file
}

/// `line:column: message` of every problem.
fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Err(ConfigErrors::Invalid(invalid)) => invalid
            .problems
            .iter()
            .map(|problem| format!("{}:{}: {}", problem.line, problem.column, problem.message))
            .collect(),
        other => panic!("expected problems, got {other:?}"),
    }
}

/// The only problem of the text, checked to hold `expected`.
fn assert_problem(text: &str, expected: &str) {
    let problems = problems(text);
    assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:#?} should hold {expected:?}");
}

fn with_input(keys: &str) -> String {
    MINIMAL.replace("24224\"\n", &format!("24224\"\n{keys}\n"))
}

fn with_output(keys: &str) -> String {
    format!("{MINIMAL}{keys}\n")
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.path, Some(PathBuf::from("x.toml")));
    assert_eq!(config.server.name, host_name());
    assert_eq!(config.server.data_dir, PathBuf::from("/var/lib/hikyaku"));
    assert_eq!(config.log.format, LogFormat::Auto);
    assert_eq!(config.journal.max_size, 2 << 30);
    assert_eq!(config.journal.retain, Duration::ZERO);
    assert_eq!(config.journal.dedup_window, Duration::from_secs(600));
    assert_eq!(config.health.unwrap().listen.to_string(), "127.0.0.1:8889");
    assert_eq!(config.monitor_agent.unwrap().listen.to_string(), "127.0.0.1:24220");
    assert_eq!(config.metrics.unwrap().listen.to_string(), "127.0.0.1:24231");
    let input = &config.inputs[0];
    assert!(input.tls.is_none());
    assert_eq!((input.max_message_size, input.spool_above, input.max_pending_acks), (320 << 20, 8 << 20, 64));
    assert_eq!((input.max_connections_by_sender, input.max_handshakes_by_address), (1000, 1000));
    assert_eq!((input.idle_timeout, input.stall_timeout), (None, Duration::from_secs(60)));
    assert_eq!((input.max_events_per_second, input.max_bytes_per_second), (None, None));
    let output = &config.outputs[0];
    assert_eq!(file(output).flush_interval, Duration::from_secs(10));
    assert_eq!(file(output).format, FileFormat::Json);
    assert_eq!(output.start, StartAt::Newest);
    assert!(matches!(&output.take, OutputTake::Match { require, .. } if require.is_empty()));
}

#[test]
fn every_key_can_be_written() {
    let config = parse(
        r#"
        [server]
        name = "logserver-1"
        data_dir = "data"
        shutdown_timeout = "1h"
        [log]
        format = "json"
        level = "warn"
        modules = { journal = "debug", "input::forward" = "trace" }
        [journal]
        max_size = 201326592
        segment_size = "64MiB"
        memory = 0
        retain = "365d"
        dedup_window = "7d"
        dedup_max_ids = 2
        dedup_max_ids_by_sender = 1
        [[input]]
        id = "edge"
        type = "forward"
        listen = "[::]:8888"
        tls = { cert = "a.crt", key = "a.key", certificates = [{ cert = "b.crt", key = "b.key" }], client_ca = "ca.crt", crl = ["a.crl", "b.crl"], crl_expired = "refuse", reload_interval = "0s" }
        max_connections = 1
        handshake_timeout = "1ms"
        max_message_size = "32MiB"
        max_inflated_size = "32MiB"
        max_in_flight = "32MiB"
        max_in_flight_by_sender = "32MiB"
        max_pending_acks = 1
        max_connections_by_sender = 1
        max_handshakes_by_address = 1
        idle_timeout = "1h"
        stall_timeout = "1ms"
        max_events_per_second = 1
        max_bytes_per_second = "1KiB"
        refusal_window = "1s"
        max_remembered_refusals = 1
        udp_heartbeat = false
        tag = "app"
        add_tag_prefix = "edge"
        metadata_field = "otel.metadata"
        resolve_hostname = true
        [[input]]
        id = "local"
        type = "forward"
        listen = "unix:forward.sock"
        max_message_size = "32MiB"
        socket_mode = "0600"
        [[filter]]
        match = ["a.*", "b.**"]
        type = "set"
        fields = { z = "{tag}", "a.b" = 1, f = 1.5, t = true }
        [[filter]]
        type = "remove"
        fields = ["a"]
        [[output]]
        id = "csv"
        type = "file"
        match = "**"
        require = ["a"]
        start = "oldest"
        path = "logs/{a}.log"
        path_characters = { a = "a-z" }
        timezone = "Asia/Tokyo"
        format = "csv"
        csv_fields = ["a", "b"]
        inject = { tag = "tag", time = "at", time_format = "%s", timezone = "Asia/Tokyo" }
        flush_interval = "500ms"
        checkpoint_interval = "1s"
        buffer_memory = "1MiB"
        max_open_files = 1
        compression_level = 12
        compression_threads = 64
        retry_min_interval = "1s"
        retry_max_interval = "1s"
        undone_max_size = 0
        [[output]]
        id = "invalid"
        type = "file"
        invalid = true
        path = "logs/invalid"
        [health]
        enabled = false
        [monitor_agent]
        listen = "127.0.0.1:0"
        [metrics]
        listen = "127.0.0.1:0"
        max_label_values = 1
        "#,
    )
    .unwrap();
    assert!(config.health.is_none());
    assert_eq!(config.journal.max_size, 3 * config.journal.segment_size);
    assert_eq!(config.log.modules.len(), 2);
    assert_eq!(config.inputs[0].tls.as_ref().unwrap().client_ca, [PathBuf::from("ca.crt")]);
    let tls = config.inputs[0].tls.as_ref().unwrap();
    assert_eq!(
        tls.pairs().map(|pair| pair.key).collect::<Vec<_>>(),
        [PathBuf::from("a.key"), "b.key".into()]
    );
    assert_eq!(tls.crl, [PathBuf::from("a.crl"), "b.crl".into()]);
    assert!(tls.refuse_when_crl_expired && tls.reload_interval.is_zero());
    let FilterKind::Set { fields } = &config.filters[0].kind else { panic!("{:?}", config.filters[0]) };
    let order: Vec<_> = fields.iter().map(|(path, _)| path.clone()).collect();
    let path = |text| crate::pipeline::field_path::FieldPath::parse(text).unwrap();
    assert_eq!(
        order,
        [path("z"), path("a.b"), path("f"), path("t")],
        "fields are set in the order of the file"
    );
    let output = &config.outputs[0];
    assert_eq!(file(output).timezone.iana_name(), Some("Asia/Tokyo"));
    assert!(matches!(&file(output).format, FileFormat::Csv { fields } if fields.len() == 2));
    assert_eq!(file(output).inject.tag.as_deref(), Some("tag"));
    assert_eq!(output.start, StartAt::Oldest);
}

#[test]
fn the_built_in_and_the_shipped_configurations_are_valid() {
    let development = Config::development().unwrap();
    assert!(development.inputs.iter().all(|input| input.listen.tcp().unwrap().ip().is_loopback()));
    let text = include_str!("../../config/hikyaku.toml");
    let production = parse(text).unwrap();
    assert_eq!(production.inputs[0].tls.as_ref().unwrap().cert, PathBuf::from("certs/server.crt"));
    assert_eq!(production.filters.len(), development.filters.len());
    let moved =
        Config::parse(text, None, &|name| (name == "HIKYAKU_CERTS").then(|| "/c".to_owned())).unwrap();
    assert_eq!(moved.inputs[0].tls.as_ref().unwrap().key, PathBuf::from("/c/server.key"));
}

#[test]
fn the_first_example_of_the_reference_is_valid() {
    let document = include_str!("../../docs/configuration.md");
    let (_, example) = document.split_once("## The smallest file\n").unwrap();
    let (example, _) = example.split_once("\n## ").unwrap();
    assert_eq!(parse(example).unwrap().outputs[0].id, "archive");
}

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
fn wrong_types_say_what_was_expected() {
    assert_problem(&format!("log = 1\n{MINIMAL}"), "1:7: expected one table `[log]`, found integer");
    assert_problem(&format!("[filter]\n{MINIMAL}"), "expected `[[filter]]`, found table");
    assert_problem(&format!("filter = [1]\n{MINIMAL}"), "1:11: expected `[[filter]]`, found integer");
    assert_problem(&with_input("max_connections = \"1\""), "expected integer, 1 to 1000000, found string");
    assert_problem(&with_input("tls = \"x\""), "`tls`: expected `tls = { … }`, found string");
    assert_problem(&with_input("tls = { cert = \"x\" }"), "`tls = { … }` needs `key`");
    assert_problem(&with_output("require = \"a\""), "expected list of fields, found string");
    assert_problem(&format!("[health]\nenabled = 1\n{MINIMAL}"), "expected `true`, `false`, found integer");
    assert_problem(&format!("[metrics]\nlisten = \":1\"\n{MINIMAL}"), "\"0.0.0.0:8888\" (all of IPv4)");
}

#[test]
fn an_input_may_listen_on_a_unix_socket() {
    let on_socket = |keys: &str| {
        MINIMAL.replace("listen = \"127.0.0.1:24224\"\n", &format!("listen = \"unix:/run/x.sock\"\n{keys}\n"))
    };
    let input = &parse(&on_socket("")).unwrap().inputs[0];
    assert_eq!(input.listen, ListenAddress::Unix(PathBuf::from("/run/x.sock")));
    assert_eq!(input.socket_mode, DEFAULT_SOCKET_MODE);
    assert_eq!(parse(&on_socket("socket_mode = \"600\"")).unwrap().inputs[0].socket_mode, 0o600);
    assert!(parse(&on_socket("socket_mode = \"0777\"\nudp_heartbeat = false")).is_ok());
    for mode in ["1777", "0778", "77", "00777", "+77", ""] {
        assert_problem(
            &on_socket(&format!("socket_mode = \"{mode}\"")),
            "expected permissions in octal digits",
        );
    }
    assert_problem(&on_socket("udp_heartbeat = true"), "`udp_heartbeat` is for TCP");
    assert_problem(&on_socket("resolve_hostname = true"), "`resolve_hostname` is for TCP");
    assert_problem(&on_socket("tls = { cert = \"a\", key = \"b\" }"), "`tls` is for TCP");
    assert_problem(&with_input("socket_mode = \"0660\""), "`socket_mode` is for Unix sockets");
    assert_problem(&MINIMAL.replace("127.0.0.1:24224", "/run/x.sock"), "such as \"unix:/run/");
    let twice = format!(
        "[[input]]\nid = \"b\"\ntype = \"forward\"\nlisten = \"unix:/run/x.sock\"\n{}",
        on_socket("")
    );
    assert_problem(&twice, "unix:/run/x.sock is taken by another listener");
}

#[test]
fn limits_hold_at_their_edges() {
    let accepted = |text: &str| parse(&with_output(text)).is_ok();
    assert!(accepted("compression_level = 1") && accepted("compression_level = 12"));
    assert!(accepted("compression_level = \"auto\""));
    assert_problem(
        &with_output("compression_level = 0"),
        "out of range: expected `\"auto\"` or integer, 1 to 12",
    );
    assert_problem(&with_output("compression_level = 13"), "out of range");
    assert_problem(&with_output("compression_level = \"best\""), "out of range");
    assert!(accepted("compression_threads = 1") && accepted("compression_threads = 64"));
    assert_problem(&with_output("compression_threads = 0"), "out of range: expected integer, 1 to 64");
    assert_problem(&with_output("compression_threads = 65"), "out of range");
    assert_problem(&with_output("max_open_files = 9223372036854775808"), "out of range");
    assert!(accepted("buffer_memory = \"64KiB\"") && accepted("buffer_memory = 65536"));
    assert_problem(&with_output("buffer_memory = 65535"), "out of range: expected size, 64KiB to 64GiB");
    assert_problem(&with_output("buffer_memory = -1"), "out of range");
    assert!(accepted("flush_interval = \"10ms\"") && accepted("flush_interval = \"1h\""));
    assert_problem(&with_output("flush_interval = \"9ms\""), "out of range: expected time, 10ms to 1h");
    for key in ["tag", "add_tag_prefix"] {
        let with = |length| with_input(&format!("{key} = \"{}\"", "t".repeat(length)));
        assert!(parse(&with(1024)).is_ok());
        assert_problem(&with(1025), "has 1025 bytes, at most 1024");
        assert_problem(&with(0), "is empty");
    }
    assert_problem(&with_input("metadata_field = \"a..b\""), "empty key");
    let id = |length| MINIMAL.replace("archive", &"a".repeat(length));
    assert!(parse(&id(reference::MAX_ID_LENGTH)).is_ok());
    assert_problem(&id(reference::MAX_ID_LENGTH + 1), "expected 1 to 64");
    assert_problem(&MINIMAL.replace("archive", ""), "`id` is empty");
    let name = |length| format!("[server]\nname = \"{}\"\n{MINIMAL}", "n".repeat(length));
    assert!(parse(&name(255)).is_ok());
    assert_problem(&name(256), "has 256 bytes, at most 255");
}

#[test]
fn tls_files_are_named_where_they_mean_something() {
    let tls = |keys: &str| with_input(&format!("tls = {{ cert = \"a\", key = \"b\", {keys} }}"));
    let plain = parse(&tls("client_ca = [\"c\", \"d\"]")).unwrap();
    let plain = plain.inputs[0].tls.as_ref().unwrap();
    assert_eq!(plain.client_ca, [PathBuf::from("c"), "d".into()]);
    assert!(plain.crl.is_empty() && plain.certificates.is_empty() && !plain.refuse_when_crl_expired);
    assert_eq!(plain.reload_interval, Duration::from_secs(10));
    assert_problem(&tls("client_ca = []"), "`client_ca` is an empty list");
    assert_problem(&tls("client_ca = [\"\"]"), "`client_ca` is empty");
    assert_problem(&tls("client_ca = 1"), "expected path or list of paths, found integer");
    assert_problem(&tls("crl = \"c\""), "`crl` revokes certificates of `client_ca`, which is missing");
    assert_problem(&tls("crl_expired = \"refuse\""), "the lists in `crl`, which is missing");
    assert_problem(&tls("crl_expired = \"ignore\""), "expected one of `\"accept\"`, `\"refuse\"`");
    assert_problem(&tls("certificates = [{ cert = \"c\" }]"), "`certificates = [{ … }]` needs `key`");
    assert_problem(
        &tls("certificates = [{ cert = \"c\", key = \"d\", name = \"e\" }]"),
        "unknown key `name`",
    );
    assert!(parse(&tls("reload_interval = \"1d\"")).is_ok());
    assert_problem(&tls("reload_interval = \"25h\""), "out of range: expected time, 0s to 1d");
}

#[test]
fn sizes_fit_into_each_other() {
    let journal = |keys: &str| format!("[journal]\n{keys}\n{MINIMAL}");
    // Two segments and the largest message.
    assert!(parse(&journal("max_size = \"448MiB\"")).is_ok());
    assert_problem(
        &journal("max_size = 469762047"),
        "`max_message_size` (335544320 bytes) and two segments are more",
    );
    let small = |keys: &str| journal(keys).replace("[[input]]", "[[input]]\nmax_message_size = \"8MiB\"");
    assert!(parse(&small("max_size = \"192MiB\"")).is_ok());
    assert_problem(&small("max_size = 201326591"), "2:12: `max_size` (201326591 bytes) must be at least 3 ×");
    assert!(parse(&journal("segment_size = \"16MiB\"")).is_ok());
    assert_problem(
        &journal("segment_size = 16777214"),
        "`spool_above` (8388608 bytes) is more than half of `[journal]`",
    );
    assert_problem(&small("segment_size = 16777214"), "`max_message_size` (8388608 bytes) is more than half");
    for size in ["64MiB", "2GiB"] {
        assert!(parse(&with_output(&format!("max_backlog = \"{size}\""))).is_ok());
    }
    for bytes in [67_108_863u64, 2_147_483_649] {
        let problem = "`max_backlog` is not between `[journal]` `segment_size` (67108864 bytes)";
        assert_problem(&with_output(&format!("max_backlog = {bytes}")), problem);
    }
    assert_problem(&journal("dedup_max_ids = 99999"), "greater than `dedup_max_ids`");
    // An entry and what a spooled message needs besides; or the largest message in memory.
    assert!(parse(&with_input("max_in_flight = \"17MiB\"")).is_ok());
    assert_problem(
        &with_input("max_in_flight = 17825791"),
        "less than the 17825792 that one message can take",
    );
    assert!(parse(&with_input("max_message_size = \"8MiB\"\nmax_in_flight = \"8MiB\"")).is_ok());
    assert_problem(
        &with_input("max_message_size = \"8MiB\"\nmax_in_flight = 8388607"),
        "less than the 8388608",
    );
    for key in ["max_inflated_size", "max_spool_size"] {
        assert!(parse(&with_input(&format!("{key} = \"320MiB\""))).is_ok());
        assert_problem(
            &with_input(&format!("{key} = 335544319")),
            "less than `max_message_size` (335544320)",
        );
    }
    assert!(parse(&with_input("max_message_size = \"8MiB\"\nmax_spool_size = \"1MiB\"")).is_ok());
    assert!(parse(&with_input("max_depth = 128\nmax_inflate_ratio = 1\nmin_rate = 0")).is_ok());
    assert_problem(&with_input("max_depth = 129"), "out of range: expected integer, 1 to 128");
    assert_problem(&with_input("max_inflate_ratio = 0"), "out of range: expected integer, 1 to 1000000");
    assert!(parse(&with_output("retry_max_interval = \"1s\"")).is_ok());
    assert_problem(&with_output("retry_max_interval = \"999ms\""), "shorter than `retry_min_interval`");
}

#[test]
fn names_addresses_and_files_belong_to_one() {
    assert_problem(&MINIMAL.replace("archive", "edge"), "another input or output has the id `edge` already");
    for listen in ["127.0.0.1:24224", "0.0.0.0:24224", "[::]:24224"] {
        assert_problem(
            &format!("[metrics]\nlisten = \"{listen}\"\n{MINIMAL}"),
            "taken by another listener of this file, 127.0.0.1:24224",
        );
    }
    assert!(parse(&format!("[metrics]\nlisten = \"127.0.0.2:24224\"\n{MINIMAL}")).is_ok());
    assert!(parse(&format!("[metrics]\nlisten = \"[::1]:24224\"\n{MINIMAL}")).is_ok());
    assert!(
        parse(&format!("[metrics]\nenabled = false\nlisten = \"127.0.0.1:24224\"\n{MINIMAL}")).is_ok(),
        "what is switched off listens nowhere"
    );
    let second = "[[output]]\nid = \"b\"\ntype = \"file\"\nmatch = \"b\"\npath = \"logs/%Y.log\"";
    assert_problem(&with_output(second), "16:8: could write the same file as output `archive`");
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
fn an_output_takes_events_in_one_way() {
    assert_problem(&MINIMAL.replace("match = \"**\"", ""), "7:1: which events?");
    assert_problem(&MINIMAL.replace("match = \"**\"", "invalid = false"), "which events?");
    assert_problem(&with_output("invalid = true"), "only one of");
    assert_problem(&with_output("fallback = true"), "only one of");
    assert_problem(
        &MINIMAL.replace("match = \"**\"", "fallback = true\nrequire = [\"a\"]"),
        "means nothing without it",
    );
    assert_problem(&with_output("require = [\"a\"]"), "add an output with `invalid = true`");
    for take in ["invalid", "fallback"] {
        let output = |id: &str| {
            format!("[[output]]\nid = \"{id}\"\ntype = \"file\"\n{take} = true\npath = \"logs/{id}\"\n")
        };
        assert!(parse(&with_output(&output("b"))).is_ok());
        assert_problem(
            &with_output(&format!("{}{}", output("b"), output("c"))),
            &format!("output `b` has `{take} = true` already"),
        );
    }
}

#[test]
fn a_path_stays_where_it_is_written() {
    let path = |path: &str| MINIMAL.replace("logs/%Y.log", path);
    assert!(parse(&path("logs/..a/b..")).is_ok());
    assert_problem(&path("logs/../x"), "11:14: `..` is not allowed");
    assert_problem(&path(".."), "11:9: `..` is not allowed");
    assert_problem(&path(""), "`path` is empty");
    assert_problem(&path("logs/"), "this is a folder");
    assert_problem(&path("logs/x.zst"), "11:15: Zstandard is not supported yet; use .gz");
    assert_problem(&path("logs/${customer_name}/x"), "written `{customer_name}`");
    assert_problem(&path("logs/%{host}/x"), "write `{host}`");
    assert_problem(&with_output("path_characters = { b = \"a-z\" }"), "`path` has no placeholder `{b}`");
}

#[test]
fn formats_and_what_is_injected_are_complete() {
    assert_problem(&with_output("format = \"csv\""), "needs `csv_fields`");
    assert_problem(&with_output("format = \"csv\"\ncsv_fields = []"), "needs `csv_fields`");
    assert_problem(&with_output("csv_fields = [\"a\"]"), "means nothing without");
    assert_problem(&with_output("format = \"josn\""), "did you mean `json`?");
    assert_problem(&with_output("inject = { time_format = \"%s\" }"), "means nothing without `time`");
    assert_problem(
        &with_output("inject = { time = \"t\", timezone = \"Asia/Tokyo\" }"),
        "needs a `time_format`",
    );
    assert_problem(&with_output("inject = { time = \"t\", tag = \"t\" }"), "name the same field");
    let config = parse(&with_output("inject = { time = \"t\" }")).unwrap();
    assert_eq!(file(&config.outputs[0]).inject.time.as_ref().unwrap().0, "t");
}

#[test]
fn filters_take_scalars_by_field() {
    let filter = |keys: &str| format!("[[filter]]\n{keys}\n{MINIMAL}");
    assert_problem(&filter("type = \"set\"\nfields = { a = { b = 1 } }"), "3:16: expected text");
    assert_problem(&filter("type = \"set\"\nfields = { a = [1] }"), "expected text");
    assert_problem(&filter("type = \"set\"\nfields = { a = 1979-05-27 }"), "expected text");
    assert_problem(&filter("type = \"set\"\nfields = {}"), "`fields` is empty");
    assert_problem(&filter("type = \"set\"\nfields = [\"a\"]"), "found array");
    assert_problem(&filter("type = \"remove\"\nfields = { a = 1 }"), "found table");
    assert_problem(&filter("type = \"remove\"\nfields = [1]"), "found integer");
    assert_problem(&filter("type = \"set\""), "`[[filter]] of type set` needs `fields`");
    assert_problem(&filter("type = \"drp\""), "did you mean `drop`?");
    assert_problem(
        &filter("match = [\"a\", 1]\ntype = \"remove\"\nfields = [\"a\"]"),
        "2:15: `match`: expected",
    );
}

#[test]
fn levels_are_known() {
    assert_problem(
        &format!("[log]\nmodules = {{ journal = \"debgu\" }}\n{MINIMAL}"),
        "did you mean `debug`?",
    );
    assert_problem(&format!("[log]\nlevel = \"INFO\"\n{MINIMAL}"), "did you mean `info`?");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing.toml");
    let error = Config::load(&path).unwrap_err();
    assert!(matches!(error, ConfigErrors::Unreadable { .. }));
    assert!(error.to_string().contains("missing.toml"), "{error}");
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn a_file_may_have_the_largest_size_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("large.toml");
    let mut text = MINIMAL.to_owned();
    let padding = MAX_FILE_SIZE as usize - text.len() - 1;
    text.push('#');
    text.push_str(&"x".repeat(padding));
    std::fs::write(&path, &text).unwrap();
    assert_eq!(Config::load(&path).unwrap().path, Some(path.clone()));
    text.push('x');
    std::fs::write(&path, &text).unwrap();
    assert!(Config::load(&path).unwrap_err().to_string().contains("more than 4MiB"));
}

#[test]
fn security_is_complete_and_its_secrets_are_not_shown() {
    let text = with_input(
        "security = { shared_key = \"sekrit\", users = { engine = \"pa55\" }, allow_anonymous_source = false, clients = [\n\
         { network = \"10.1.2.3/16\", shared_key = \"own\", users = [\"engine\"] }, { network = \"2001:db8::1\" }] }",
    );
    let config = parse(&text).unwrap();
    let security = config.inputs[0].security.as_ref().unwrap();
    assert_eq!(security.self_hostname, config.server.name);
    assert!(security.keepalive && !security.allow_anonymous_source);
    let client =
        |address: &str| security.client(address.parse().unwrap()).map(|client| client.network.to_string());
    assert_eq!(client("::ffff:10.1.200.1").as_deref(), Some("10.1.0.0/16"));
    assert_eq!(client("2001:db8::1").as_deref(), Some("2001:db8::1/128"));
    assert_eq!(client("10.2.0.1"), None);
    let shown = format!("{config:?}");
    assert!(!["sekrit", "pa55", "\"own\""].iter().any(|secret| shown.contains(secret)), "{shown}");
}

#[test]
fn security_that_lets_nobody_in_is_refused() {
    let security = |keys: &str| with_input(&format!("security = {{ shared_key = \"k\", {keys} }}"));
    assert_problem(&security("allow_anonymous_source = false"), "nobody could send");
    assert_problem(&security("clients = [{ network = \"10.0.0.0/33\" }]"), "a network such as");
    assert_problem(&security("clients = [{ network = \"10.0.0.1\", users = [\"x\"] }]"), "no such user");
    assert_problem(&with_input("security = {}"), "needs `shared_key`");
}

fn with_filter(keys: &str) -> String {
    format!(
        "[[filter]]\n{keys}\n{MINIMAL}\n[[output]]\nid = \"bad\"\ntype = \"file\"\ninvalid = true\npath = \"bad\"\n"
    )
}

#[test]
fn conditions_are_checked_where_they_stand() {
    assert_problem(
        &with_filter("type = \"drop\"\nwhere = \"a = 1 && b = 2\""),
        "3:16: `&&` is written `and`",
    );
    assert_problem(
        &with_filter("type = \"drop\"\nwhere = 'message matches /a(/'"),
        "3:26: regular expression",
    );
    assert_problem(&with_filter("type = \"keep_if\""), "2:8: `keep_if` needs `where`");
    assert_problem(&with_output("where = \"level ==\""), "`==` is written `=`");
    let output = "id = \"rest\"\ntype = \"file\"\nfallback = true\nwhere = \"a = 1\"\npath = \"rest\"";
    assert_problem(&format!("{MINIMAL}\n[[output]]\n{output}"), "means nothing without it");
}

#[test]
fn what_a_filter_finds_invalid_needs_a_place() {
    for keys in [
        "type = \"validate\"\nrequired = [\"a\"]",
        "type = \"parse\"\nformat = \"json\"\non_error = \"invalid\"",
    ] {
        assert_problem(&format!("[[filter]]\n{keys}\n{MINIMAL}"), "add an output with `invalid = true`");
        assert!(parse(&with_filter(keys)).is_ok());
    }
}

#[test]
fn filters_are_complete_and_within_their_limits() {
    let multiline = |keys: &str| format!("type = \"multiline\"\nstart = 'x'\n{keys}");
    for keys in [
        "type = \"mask\"\ndetect = [\"mail\", \"card\", \"token\", \"ipv4\", \"ipv6\"]\nkeys = true",
        "type = \"sanitize\"\nmax_length = 1\nreplacement = \"\"",
        "type = \"sanitize\"\nmax_length = 1000000",
        "type = \"sample\"\none_in = 1",
        "type = \"sample\"\none_in = 1000000000",
        "type = \"time\"\nfield = \"t\"\nformats = [\"unix_ms\", \"%s\", \"%Y-%m-%d %H:%M:%S.%3N\"]",
        &multiline("max_lines = 2\nmax_size = \"1KiB\""),
        &multiline("max_lines = 100000\nmax_size = \"16MiB\""),
        "type = \"parse\"\nformat = \"csv\"\ncolumns = [\"a\"]\ndelimiter = \";\"",
        "type = \"level\"\nwords = { x = \"WARN\" }\ndefault = \"TRACE\"",
    ] {
        if let Err(errors) = parse(&with_filter(keys)) {
            panic!("{keys}: {errors}");
        }
    }
    for (keys, problem) in [
        ("type = \"mask\"", "what is hidden?"),
        ("type = \"mask\"\ndetect = [\"mails\"]", "3:11: expected one of `mail`"),
        ("type = \"mask\"\npatterns = ['(']", "3:14: regular expression"),
        ("type = \"mask\"\nfields = [\"a\"]\nkeys = true", "4:8: `keys` means all keys"),
        ("type = \"keep\"\nfields = []", "the list of fields is empty"),
        ("type = \"rename\"\nfields = { a = \"\" }", "the name of a field is missing"),
        ("type = \"sanitize\"\nmax_length = 0", "out of range"),
        ("type = \"sanitize\"\nmax_length = 1000001", "out of range"),
        ("type = \"sanitize\"\ncharacters = \"z-a\"", "runs backwards"),
        ("type = \"sample\"\none_in = 0", "out of range"),
        ("type = \"sample\"\none_in = 1000000001", "out of range"),
        ("type = \"time\"\nfield = \"t\"\nformats = []", "the list of formats is empty"),
        ("type = \"time\"\nfield = \"t\"\nformats = \"iso\"", "expected rfc3339"),
        ("type = \"time\"\nfield = \"t\"\nformats = \"%H:%M\"", "names no whole time"),
        ("type = \"time\"\nfield = \"t\"\ntimezone = \"Tokyo\"", "expected a time zone"),
        (&multiline("max_lines = 1"), "out of range"),
        (&multiline("max_lines = 100001"), "out of range"),
        (&multiline("max_size = 1023"), "out of range"),
        (&multiline("max_size = \"16385KiB\""), "out of range"),
        ("type = \"multiline\"", "which lines belong together?"),
        ("type = \"parse\"\nformat = \"csv\"", "`csv` needs `columns`"),
        ("type = \"parse\"\nformat = \"csv\"\ncolumns = []", "the list of columns is empty"),
        ("type = \"parse\"\nformat = \"regex\"", "`regex` needs `regex`"),
        ("type = \"parse\"\nformat = \"regex\"\nregex = '(a)'", "no group has a name"),
        ("type = \"parse\"\nformat = \"json\"\nregex = '(?<a>a)'", "means nothing with `format = \"json\"`"),
        (
            "type = \"parse\"\nformat = \"csv\"\ncolumns = [\"a\"]\ndelimiter = \"\\\"\"",
            "one ASCII character",
        ),
        (
            "type = \"parse\"\nformat = \"json\"\nerror_field = \"e\"",
            "means nothing with `on_error = \"keep\"`",
        ),
        ("type = \"parse\"\nformat = \"json\"\ntypes = { a = \"map\" }", "expected one of `string`"),
        ("type = \"level\"\nwords = { x = \"warn\" }", "expected one of `FATAL`"),
        ("type = \"validate\"", "what is valid?"),
        ("type = \"validate\"\ntypes = { a = \"number\" }", "expected one of `string`"),
        ("type = \"hash\"\nfields = [\"a\"]\nkey_file = \"/nowhere/key\"", "4:12: cannot read the key file"),
        ("type = \"hash\"\nfields = [\"a\"]\nkey_file = \"Cargo.toml\"", "holds no key"),
        ("type = \"retag\"\ntag = \"${x}\"", "not set"),
    ] {
        assert_problem(&with_filter(keys), problem);
    }
}

#[test]
fn dead_letters_have_a_limit_of_a_gibibyte_or_what_is_said() {
    let max_size = |text: &str| {
        let config = Config::parse(text, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
        config.dead_letters.max_size
    };
    assert_eq!(max_size(MINIMAL), 1 << 30);
    assert_eq!(max_size(&format!("{MINIMAL}\n[dead_letters]\nmax_size = \"1MiB\"\n")), 1 << 20);
    assert_problem(&format!("{MINIMAL}\n[dead_letters]\nmax_size = 1048575\n"), "out of range");
}

#[test]
fn files_block_and_the_network_does_not() {
    let backlog = |text: &str| parse(text).unwrap().outputs[0].backlog.clone();
    let file = backlog(MINIMAL);
    assert_eq!((file.when_backlogged, file.max_bytes(1000)), (WhenBacklogged::Block, None));
    let upstream = "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n\
                    [[output]]\nid = \"up\"\ntype = \"forward\"\nmatch = \"**\"\n\
                    servers = [{ address = \"127.0.0.1:24224\" }]\n";
    let network = backlog(upstream);
    assert_eq!((network.when_backlogged, network.max_bytes(1000)), (WhenBacklogged::DeadLetter, Some(500)));
    let set = backlog(&format!("{upstream}max_backlog = \"64MiB\"\nwhen_backlogged = \"drop_oldest\"\n"));
    assert_eq!((set.when_backlogged, set.max_bytes(1000)), (WhenBacklogged::DropOldest, Some(64 << 20)));
    for (text, expected) in
        [("block", WhenFull::Block), ("reject", WhenFull::Reject), ("drop_oldest", WhenFull::DropOldest)]
    {
        let config = parse(&format!("[journal]\nwhen_full = \"{text}\"\n{MINIMAL}")).unwrap();
        assert_eq!(config.journal.when_full, expected);
    }
}
