//! `[[output]]`: which events it takes, its formats, and its limits at their edges.

use super::*;

#[test]
fn limits_hold_at_their_edges() {
    assert_accepted(
        with_output,
        &[
            "compression_level = 1",
            "compression_level = 12",
            "compression_threads = 1",
            "compression_threads = 64",
            "buffer_memory = \"64KiB\"",
            "buffer_memory = 65536",
            "flush_interval = \"10ms\"",
            "flush_interval = \"1h\"",
            "compression_level = \"auto\"",
            "retry_max_interval = \"1s\"",
        ],
    );
    assert_refused(
        with_output,
        &[
            ("compression_level = 0", "out of range: expected `\"auto\"` or integer, 1 to 12"),
            ("compression_level = \"best\"", "out of range"),
            ("compression_level = 13", "out of range"),
            ("compression_threads = 0", "out of range: expected integer, 1 to 64"),
            ("compression_threads = 65", "out of range"),
            ("max_open_files = 9223372036854775808", "out of range"),
            ("buffer_memory = 65535", "out of range: expected size, 64KiB to 64GiB"),
            ("buffer_memory = -1", "out of range"),
            ("flush_interval = \"9ms\"", "out of range: expected time, 10ms to 1h"),
            ("retry_max_interval = \"999ms\"", "shorter than `retry_min_interval`"),
        ],
    );
}

#[test]
fn an_id_has_a_length() {
    let of_length = |length| MINIMAL.replace("archive", &"a".repeat(length));
    assert!(parse(&of_length(reference::MAX_ID_LENGTH)).is_ok());
    assert_problem(&of_length(reference::MAX_ID_LENGTH + 1), "expected 1 to 64");
    assert_problem(&of_length(0), "`id` is empty");
}

#[test]
fn an_output_takes_events_in_one_way() {
    assert_refused(
        |keys| MINIMAL.replace("match = \"**\"", keys),
        &[
            ("", "7:1: which events?"),
            ("invalid = false", "which events?"),
            ("fallback = true\nrequire = [\"a\"]", "means nothing without it"),
        ],
    );
    assert_refused(
        with_output,
        &[
            ("invalid = true", "only one of"),
            ("fallback = true", "only one of"),
            ("require = [\"a\"]", "add an output with `invalid = true`"),
        ],
    );
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
fn formats_and_what_is_injected_are_complete() {
    assert_refused(
        with_output,
        &[
            ("format = \"csv\"", "needs `csv_fields`"),
            ("format = \"csv\"\ncsv_fields = []", "needs `csv_fields`"),
            ("csv_fields = [\"a\"]", "means nothing without"),
            ("format = \"josn\"", "did you mean `json`?"),
            ("inject = { time_format = \"%s\" }", "means nothing without `time`"),
            ("inject = { time = \"t\", timezone = \"Asia/Tokyo\" }", "needs a `time_format`"),
            ("inject = { time = \"t\", tag = \"t\" }", "name the same field"),
        ],
    );
    let config = parse(&with_output("inject = { time = \"t\" }")).unwrap();
    assert_eq!(file(&config.outputs[0]).inject.time.as_ref().unwrap().0, "t");
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
}

#[test]
fn a_file_output_gives_up_only_with_a_retry_timeout() {
    let rescue = "[[output]]\nid = \"rescue\"\ntype = \"file\"\npath = \"rescue/%Y.log\"";
    let give_up = |keys: &str| file(&parse(&with_output(keys)).unwrap().outputs[0]).give_up.clone();
    let after = |after, secondary: Option<&str>| {
        Some(GiveUpConfig { after, secondary: secondary.map(ToOwned::to_owned) })
    };
    assert_eq!(give_up(""), None);
    assert_eq!(give_up("retry_forever = true"), None);
    assert_eq!(give_up("retry_timeout = \"10ms\""), after(Duration::from_millis(10), None));
    assert_eq!(give_up("retry_timeout = \"365d\""), after(Duration::from_secs(365 * 86_400), None));
    let with_secondary = format!("retry_timeout = \"1h\"\nsecondary = \"rescue\"\n{rescue}");
    assert_eq!(give_up(&with_secondary), after(Duration::from_secs(3600), Some("rescue")));
    for (keys, expected) in [
        ("retry_timeout = \"9ms\"".to_owned(), "out of range"),
        ("retry_timeout = \"366d\"".to_owned(), "out of range"),
        ("retry_timeout = \"1h\"\nretry_forever = true".to_owned(), "means nothing"),
        ("retry_forever = false".to_owned(), "needs `retry_timeout`"),
        ("secondary = \"rescue\"".to_owned(), "means nothing without `retry_timeout`"),
        ("retry_timeout = \"1h\"\nsecondary = \"rescue\"".to_owned(), "there is no output"),
        ("retry_timeout = \"1h\"\nsecondary = \"archive\"".to_owned(), "takes events by itself"),
        (format!("{with_secondary}\nretry_timeout = \"1h\""), "can't give up"),
    ] {
        assert_problem(&with_output(&keys), expected);
    }
}
