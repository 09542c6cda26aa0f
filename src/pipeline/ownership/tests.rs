use std::convert::Infallible;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::config::{Config, OutputKind};
use crate::event_time::EventTime;
use crate::journal::Position;
use crate::pipeline::json::{write_key, write_value};
use crate::pipeline::record::MAX_FIELDS;
use crate::pipeline::template::PathRenderer;
use crate::pipeline::{Pipeline, Source, Tally};
use crate::wire::msgpack::{write_bin, write_map, write_str, write_u64};

/// Where events of one sender end.
struct World {
    config: Config,
    names: Vec<&'static str>,
    user: Option<&'static str>,
}

/// An event that an output took.
#[derive(Debug, PartialEq)]
struct Taken {
    output: String,
    path: String,
    record: Value,
}

const ALLOW: &str = "allow = { customer = [\"{@san_dns[0]}\"] }";

impl World {
    /// An input with these keys, these filters, and a certificate for `acme`.
    fn new(keys: &str, filters: &str) -> Self {
        Self::writing("/logs/{customer}/x.log", keys, filters)
    }

    fn writing(path: &str, keys: &str, filters: &str) -> Self {
        let text = format!(
            r#"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
tls = {{ cert = "c", key = "k", client_ca = "a" }}
security = {{ shared_key = "k", users = {{ acme = "p" }} }}
{keys}
[[input]]
id = "free"
type = "forward"
listen = "127.0.0.1:0"
{filters}
[[output]]
id = "archive"
type = "file"
match = "**"
path = '{path}'
[[output]]
id = "rest"
type = "file"
fallback = true
path = "/rest/{{customer}}.rest"
[[output]]
id = "invalid"
type = "file"
invalid = true
path = "/invalid/x.log"
"#
        );
        let config = Config::parse(&text, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
        Self { config, names: vec!["DNS:acme"], user: None }
    }

    /// Passes a chunk to every output.
    fn pass(&self, input: &str, entries: &[u8]) -> (Vec<Taken>, Tally) {
        let pipeline = Pipeline::new(&self.config.filters, &self.config.outputs, "logserver-1")
            .with_inputs(&self.config.inputs);
        let mut taken = Vec::new();
        let mut of_invalid = Tally::default();
        for output in &self.config.outputs {
            let OutputKind::File(file) = &output.kind else { panic!() };
            let mut paths = PathRenderer::new(&file.path, &file.path_characters, file.timezone.clone());
            let mut selector = pipeline.selector(&output.id).unwrap();
            let source = Source {
                tag: b"evil.tag",
                position: Position::new(1, 64),
                received_at: EventTime::from_unix_nanoseconds(0),
                input,
                sender: "CN=engine-1;DNS:acme",
                source_address: Some("192.0.2.7"),
                subject: Some("CN=engine-1"),
                fingerprint: None,
                alternative_names: &self.names,
                host_name: Some("globex"),
                user: self.user,
            };
            if !selector.wants(source.input, source.tag) {
                continue;
            }
            let mut key = Vec::new();
            let result = selector.for_each(&source, entries, |event| {
                paths.render_key(event, &mut key);
                let mut text = b"{".to_vec();
                for field in event.record.iter() {
                    if text.len() > 1 {
                        text.push(b',');
                    }
                    write_key(&mut text, field.key);
                    text.push(b':');
                    write_value(&mut text, field.value);
                }
                text.push(b'}');
                taken.push(Taken {
                    output: output.id.clone(),
                    path: paths.render_path(event).display().to_string(),
                    record: serde_json::from_slice(&text).unwrap(),
                });
                Ok::<_, Infallible>(())
            });
            let Ok(tally) = result;
            if output.id == "invalid" {
                of_invalid = tally;
            } else {
                assert!(tally.disowned.is_empty(), "counted where it lies");
            }
        }
        (taken, of_invalid)
    }

    /// Passes one event; where it lies, and its record.
    fn one(&self, record: &[u8]) -> (String, Value) {
        let (mut taken, tally) = self.pass("edge", &[b"\x92\x01", record].concat());
        let one = taken.pop().unwrap();
        assert!(taken.is_empty(), "in one place: {one:?} {taken:?}");
        let disowned: u64 = tally.disowned.iter().map(|(_, count)| count).sum();
        assert_eq!(disowned, u64::from(one.output == "invalid"));
        if one.output == "invalid" {
            assert_eq!(one.record["invalid_sender"], "CN=engine-1;DNS:acme");
        }
        (one.path, one.record)
    }

    /// The reason that is counted for one event; nothing where it lies in its own folder.
    fn reason(&self, record: &[u8]) -> Option<&'static str> {
        let (_, tally) = self.pass("edge", &[b"\x92\x01", record].concat());
        tally.disowned.iter().next().map(|(reason, _)| reason.name())
    }
}

/// A record of text fields.
fn record(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut record = Vec::new();
    write_map(&mut record, fields.len() as u32);
    for (key, value) in fields {
        write_str(&mut record, key.as_bytes());
        write_str(&mut record, value.as_bytes());
    }
    record
}

fn customer(name: &str) -> Vec<u8> {
    record(&[("customer", name)])
}

#[test]
fn a_sender_writes_its_own_and_nothing_else() {
    let world = World::new(ALLOW, "");
    assert_eq!(world.one(&customer("acme")).0, "/logs/acme/x.log");
    let (path, event) = world.one(&customer("globex"));
    assert_eq!(path, "/invalid/x.log");
    assert_eq!(
        event,
        json!({
            "customer": "globex",
            "invalid_reason": "this sender may not write this value of customer",
            "invalid_sender": "CN=engine-1;DNS:acme",
        })
    );
    assert_eq!(world.reason(&customer("globex")), Some("not_allowed"));
    assert_eq!(world.reason(&record(&[("x", "y")])), Some("missing"));
    assert_eq!(world.reason(&customer("")), Some("missing"));
    assert_eq!(world.reason(b"\x81\xa8customer\xc0"), Some("missing"));
}

#[test]
fn an_input_without_rules_binds_nobody() {
    let world = World::new(ALLOW, "");
    let (taken, _) = world.pass("free", &[b"\x92\x01", &customer("globex")[..]].concat());
    assert_eq!(taken[0].path, "/logs/globex/x.log");
}

#[test]
fn rows_about_a_sender_add_up_and_all_bound_fields_must_fit() {
    let world = World::new(
        "owners = { \"DNS:acme\" = { customer = [\"acme\", \"acme-lab\"] }, \"DNS:ac*\" = { customer = \"shared\", host = [\"a\", \"b\"] }, \
         \"DNS:globex\" = { customer = \"globex\" } }",
        "",
    );
    for name in ["acme", "acme-lab", "shared"] {
        assert_eq!(world.reason(&record(&[("customer", name), ("host", "b")])), None);
    }
    assert_eq!(world.reason(&record(&[("customer", "globex"), ("host", "b")])), Some("not_allowed"));
    assert_eq!(world.reason(&record(&[("customer", "acme"), ("host", "c")])), Some("not_allowed"));
    assert_eq!(world.reason(&customer("acme")), Some("missing"));
    let stranger = World { names: vec!["DNS:initech"], ..world };
    assert_eq!(stranger.reason(&record(&[("customer", "acme"), ("host", "b")])), Some("unknown_sender"));
}

#[test]
fn users_are_bound_as_certificates_are() {
    let world =
        World { user: Some("acme"), names: vec![], ..World::new("allow = { customer = \"{@user}\" }", "") };
    assert_eq!(world.reason(&customer("acme")), None);
    assert_eq!(world.reason(&customer("globex")), Some("not_allowed"));
    // Without the attribute nothing fits, not even nothing.
    let nobody = World { user: None, ..world };
    assert_eq!(nobody.reason(&customer("acme")), Some("not_allowed"));
    assert_eq!(nobody.reason(&customer("")), Some("missing"));
}

#[test]
fn numbers_fit_by_their_digits_and_nothing_else_does() {
    let world = World::new("allow = { customer = [\"42\", \"-7\", \"true\", \"1.5\"] }", "");
    let with = |value: &[u8]| world.reason(&[b"\x81\xa8customer", value].concat());
    for value in [&b"\x2a"[..], b"\xcd\x00\x2a", b"\xd3\0\0\0\0\0\0\0\x2a", b"\xf9", b"\xa242", b"\xc4\x0242"]
    {
        assert_eq!(with(value), None, "{value:x?}");
    }
    for value in [
        &b"\x2b"[..],
        b"\xd4\x01\x2a",
        b"\xc3",
        b"\xcb\x3f\xf8\0\0\0\0\0\0",
        b"\x91\x2a",
        b"\x80",
        b"\xa342\0",
    ] {
        assert_eq!(with(value), Some("not_allowed"), "{value:x?}");
    }
}

#[test]
fn a_key_that_comes_twice_is_checked_as_it_is_written() {
    let world = World::new(ALLOW, "");
    // The last one counts, for the check, for the path and in the line.
    let twice = |one: &str, other: &str| record(&[("customer", one), ("customer", other)]);
    assert_eq!(world.one(&twice("acme", "globex")).0, "/invalid/x.log");
    assert_eq!(
        world.one(&twice("globex", "acme")),
        ("/logs/acme/x.log".to_owned(), json!({ "customer": "acme" }))
    );
    // Text and bytes are the same key.
    let mut mixed = Vec::new();
    write_map(&mut mixed, 2);
    write_str(&mut mixed, b"customer");
    write_str(&mut mixed, b"acme");
    write_bin(&mut mixed, b"customer");
    write_bin(&mut mixed, b"globex");
    assert_eq!(world.one(&mixed).0, "/invalid/x.log");
}

#[test]
fn a_nested_key_that_comes_twice_fits_nobody() {
    let world = World::writing("/logs/{a.b}/x.log", "allow = { \"a.b\" = \"{@san_dns[0]}\" }", "");
    assert_eq!(world.one(b"\x81\xa1a\x81\xa1b\xa4acme").0, "/logs/acme/x.log");
    assert_eq!(world.reason(b"\x81\xa1a\x82\xa1b\xa4acme\xa1b\xa6globex"), Some("ambiguous"));
    assert_eq!(world.reason(b"\x81\xa1a\x82\xa1b\xa6globex\xa1b\xa4acme"), Some("ambiguous"));
    assert_eq!(world.reason(b"\x81\xa3a.b\xa4acme"), Some("missing"));
    assert_eq!(world.reason(b"\x81\xa1a\xa4acme"), Some("missing"));
}

#[test]
fn a_key_past_the_fields_that_filters_see_fits_nobody() {
    let world = World::new(ALLOW, "");
    let many = |customers: &[(usize, &str)]| {
        let mut record = Vec::new();
        let count = MAX_FIELDS + 2;
        write_map(&mut record, count as u32);
        for number in 0..count {
            match customers.iter().find(|(at, _)| *at == number) {
                Some((_, name)) => {
                    write_str(&mut record, b"customer");
                    write_str(&mut record, name.as_bytes());
                }
                None => {
                    write_str(&mut record, format!("key{number}").as_bytes());
                    write_u64(&mut record, 0);
                }
            }
        }
        record
    };
    assert_eq!(world.reason(&many(&[(0, "acme")])), None);
    assert_eq!(world.reason(&many(&[(MAX_FIELDS + 1, "acme")])), Some("ambiguous"));
    assert_eq!(world.reason(&many(&[(0, "acme"), (MAX_FIELDS + 1, "globex")])), Some("ambiguous"));
}

#[test]
fn filters_turn_no_foreign_name_into_one_that_fits() {
    for filter in [
        "type = \"sanitize\"\nfields = [\"customer\"]\ncharacters = \"a-z\"\nreplacement = \"\"",
        "type = \"set\"\nfields = { customer = \"acme\" }",
        "type = \"set\"\nfields = { customer = \"{@san_dns[0]}\" }",
        "type = \"remove\"\nfields = [\"customer\"]",
    ] {
        let world = World::new(ALLOW, &format!("[[filter]]\n{filter}"));
        assert_eq!(world.reason(&customer("acme!")), Some("not_allowed"), "{filter}");
        assert_eq!(world.reason(&customer("globex")), Some("not_allowed"), "{filter}");
    }
}

#[test]
fn what_filters_bring_from_elsewhere_in_the_event_is_the_senders_word() {
    for (filter, smuggled) in [
        ("type = \"set\"\nfields = { customer = \"{x}\" }", "globex"),
        ("type = \"set\"\nfields = { customer = \"{tag[0]}\" }", "globex"),
        ("type = \"set\"\nfields = { customer = \"{@source_hostname}\" }", "globex"),
        ("type = \"default\"\nfields = { customer = \"glob{x}\" }", "ex"),
        ("type = \"rename\"\nfields = { x = \"customer\" }", "globex"),
        ("type = \"parse\"\nfield = \"x\"\nformat = \"json\"", "{\"customer\":\"globex\"}"),
        ("type = \"parse\"\nfield = \"x\"\nformat = \"regex\"\nregex = \"(?<customer>.*)\"", "globex"),
        ("type = \"parse\"\nfield = \"x\"\nformat = \"ltsv\"", "customer:globex"),
    ] {
        let world = World::new(ALLOW, &format!("[[filter]]\n{filter}"));
        let own = smuggled.replace("globex", "acme");
        let with = |smuggled: &str| {
            let mut fields = vec![("x", smuggled)];
            if !filter.contains("default") {
                fields.push(("customer", "acme"));
            }
            world.one(&record(&fields)).0
        };
        assert_eq!(with(smuggled), "/invalid/x.log", "{filter}");
        if own != smuggled && !filter.contains("tag") && !filter.contains("hostname") {
            assert_eq!(with(&own), "/logs/acme/x.log", "{filter}");
        }
    }
}

#[test]
fn a_key_that_a_filter_makes_a_second_one_of_fits_nobody() {
    let world = World::new(
        ALLOW,
        "[[filter]]\ntype = \"sanitize\"\nkeys = true\ncharacters = \"a-z\"\nreplacement = \"\"",
    );
    for hidden in ["cust-omer", "customer\0", "CcustomerC"] {
        for fields in [[("customer", "acme"), (hidden, "globex")], [(hidden, "globex"), ("customer", "acme")]]
        {
            assert_eq!(world.one(&record(&fields)).0, "/invalid/x.log", "{fields:?}");
        }
        assert_eq!(world.reason(&record(&[(hidden, "globex")])), Some("not_allowed"));
    }
    assert_eq!(world.one(&record(&[("customer", "acme"), ("X", "y")])).0, "/logs/acme/x.log");
}

#[test]
fn what_is_missing_may_be_filled_on_the_operators_word() {
    for filter in [
        "type = \"set\"\nfields = { customer = \"{@san_dns[0]}\" }",
        "type = \"default\"\nfields = { customer = \"globex\" }",
    ] {
        let world = World::new(ALLOW, &format!("[[filter]]\n{filter}"));
        assert_eq!(world.reason(&record(&[("x", "y")])), None, "{filter}");
        assert_eq!(world.reason(&customer("")), None, "{filter}");
    }
}

#[test]
fn what_filters_make_of_a_value_that_fitted_is_left_alone() {
    let world = World::new(
        "allow = { customer = \"acme.ltd\" }",
        "[[filter]]\ntype = \"sanitize\"\nfields = [\"customer\"]\ncharacters = \"a-z_\"\n\
         [[filter]]\ntype = \"parse\"\nfield = \"x\"\nformat = \"json\"",
    );
    assert_eq!(world.one(&record(&[("customer", "acme.ltd"), ("x", "{\"y\":1}")])).0, "/logs/acme_ltd/x.log");
    // What is brought has to be what was allowed, not what became of it.
    let brought = record(&[("customer", "acme.ltd"), ("x", "{\"customer\":\"globex\"}")]);
    assert_eq!(world.reason(&brought), Some("not_allowed"));
    let removed = World::new(ALLOW, "[[filter]]\ntype = \"remove\"\nfields = [\"customer\"]");
    assert_eq!(removed.one(&customer("acme")).0, "/logs/unknown/x.log");
}

#[test]
fn disowned_events_go_through_the_filters_and_keep_their_reason() {
    let world = World::new(
        ALLOW,
        "[[filter]]\ntype = \"mask\"\nfields = [\"card\"]\n[[filter]]\ntype = \"keep\"\nfields = [\"card\"]\n\
         [[filter]]\ntype = \"retag\"\ntag = \"new\"",
    );
    let (path, event) = world.one(&record(&[
        ("customer", "globex"),
        ("card", "4111"),
        ("invalid_sender", "CN=somebody else"),
    ]));
    assert_eq!(path, "/invalid/x.log");
    assert_eq!(event["invalid_reason"], "this sender may not write this value of customer");
    assert_ne!(event["card"], "4111");
}

#[test]
fn foreign_lines_join_no_message_that_fits() {
    let world = World::new(ALLOW, "[[filter]]\ntype = \"multiline\"\nfield = \"m\"\nstart = \"^A\"");
    let entry =
        |name: &str, line: &str| [b"\x92\x01", &record(&[("customer", name), ("m", line)])[..]].concat();
    let entries =
        [entry("acme", "A1"), entry("globex", " x"), entry("acme", " 2"), entry("globex", " y")].concat();
    let (taken, tally) = world.pass("edge", &entries);
    let lines = |output: &str| -> Vec<_> {
        taken.iter().filter(|event| event.output == output).map(|event| event.record["m"].clone()).collect()
    };
    assert_eq!(lines("archive"), ["A1\n 2"]);
    assert_eq!(lines("invalid"), [" x\n y"]);
    assert_eq!(tally.disowned.iter().map(|(_, count)| count).sum::<u64>(), 1);
    // Lines that make up a foreign name together.
    let world = World::new(
        "allow = { customer = [\"glo\", \"bex\"] }",
        "[[filter]]\ntype = \"multiline\"\nfield = \"customer\"\nseparator = \"\"\nstart = \"^glo\"",
    );
    let entries =
        [[b"\x92\x01", &customer("glo")[..]].concat(), [b"\x92\x01", &customer("bex")[..]].concat()].concat();
    let (taken, _) = world.pass("edge", &entries);
    assert_eq!(taken.iter().map(|event| event.path.as_str()).collect::<Vec<_>>(), ["/invalid/x.log"]);
}

#[test]
fn metadata_that_becomes_the_field_is_the_senders_word() {
    let world = World::new(&format!("{ALLOW}\nmetadata_field = \"customer\""), "");
    // `[[1, {"x": 1}], {"customer": "acme"}]`
    let (taken, tally) = world.pass("edge", b"\x92\x92\x01\x81\xa1x\x01\x81\xa8customer\xa4acme");
    assert_eq!(taken[0].output, "invalid");
    assert!(!tally.disowned.is_empty());
}

/// Values that look, print, sort or end in a path like others.
fn look_alikes() -> Vec<Vec<u8>> {
    let texts = [
        "acme/",
        "/acme",
        "acme ",
        " acme",
        "ACME",
        "Acme",
        "acme\0",
        "acme\n",
        "acme.",
        ".acme",
        "acm\u{435}",
        "\u{ff41}cme",
        "acme\u{200b}",
        "acme\u{301}",
        "\u{202e}acme",
        "../acme",
        "acme/../globex",
        "globex",
        "globex/",
        "./globex",
        "x/../globex",
        "acme,globex",
        "acm",
        "acmee",
        "unknown",
        "_",
        "~",
    ];
    let mut values: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    values.extend([b"acme\xff".to_vec(), b"\xffacme".to_vec(), b"a\xc1\xa3me".to_vec(), vec![b'a'; 1 << 20]]);
    values.push("acme".encode_utf16().flat_map(u16::to_be_bytes).collect());
    values
}

const PATHS: [&str; 6] = [
    "/logs/{customer}/x.log",
    "/logs/{customer}.log.gz",
    "/logs/a-{customer}-{tag[1]}/%Y/%m/%d/%H.log",
    "/logs/{tag}/{customer}/{host}/{customer}.log",
    "/logs/{@san_dns[0]}/{customer}/{missing}/x.log.gz",
    "logs/{customer}/{a.b}/%H.log",
];

#[test]
fn no_look_alike_gets_into_any_folder() {
    for path in PATHS {
        let world = World::writing(path, ALLOW, "");
        let own = world.one(&customer("acme")).0;
        assert!(own.contains("acme") && own.contains("logs"), "{own}");
        for value in look_alikes() {
            for is_text in [true, false] {
                let mut event = b"\x81\xa8customer".to_vec();
                if is_text {
                    write_str(&mut event, &value)
                } else {
                    write_bin(&mut event, &value)
                }
                let (path, _) = world.one(&event);
                assert_eq!(path, "/invalid/x.log", "{:?}", String::from_utf8_lossy(&value));
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_sent_lies_in_the_senders_folder_or_with_the_invalid(
        fields in proptest::collection::vec(
            (
                prop_oneof![
                    Just("customer".to_owned()), Just("custome\0r".to_owned()), Just("x".to_owned()), Just("a".to_owned()),
                    "[a-c]{1,3}"
                ],
                prop_oneof![
                    Just("acme".to_owned()), Just("globex".to_owned()), Just("{\"customer\":\"globex\"}".to_owned()),
                    Just("{\"customer\":\"acme\"}".to_owned()), ".{0,8}"
                ],
            ),
            0..6,
        ),
        filters in proptest::collection::vec(
            prop_oneof![
                Just("type = \"parse\"\nfield = \"x\"\nformat = \"json\""),
                Just("type = \"rename\"\nfields = { a = \"customer\" }"),
                Just("type = \"rename\"\nfields = { customer = \"a\" }"),
                Just("type = \"set\"\nfields = { customer = \"{a}\" }"),
                Just("type = \"default\"\nfields = { customer = \"{x}\" }"),
                Just("type = \"sanitize\"\nkeys = true\nreplacement = \"\""),
                Just("type = \"remove\"\nfields = [\"customer\"]"),
                Just("type = \"keep\"\nfields = [\"customer\", \"x\"]"),
                Just("type = \"multiline\"\nfield = \"customer\"\nseparator = \"\"\nstart = \"^acme\""),
                Just("type = \"retag\"\ntag = \"{customer}\""),
            ],
            0..4,
        ),
    ) {
        let filters: String = filters.iter().map(|filter| format!("[[filter]]\n{filter}\n")).collect();
        let world = World::new(ALLOW, &filters);
        let fields: Vec<_> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let entry = [b"\x92\x01", &record(&fields)[..]].concat();
        let (taken, tally) = world.pass("edge", &entry.repeat(2));
        for event in &taken {
            let its_own = ["/logs/acme/x.log", "/logs/unknown/x.log"].contains(&event.path.as_str());
            prop_assert!(its_own || event.output == "invalid", "{event:?}");
            // A line that a reader could take for another customer's.
            let claimed = &event.record["customer"];
            prop_assert!(event.output == "invalid" || claimed == "acme" || claimed.is_null() || claimed == "", "{event:?}");
        }
        let invalid = taken.iter().filter(|event| event.output == "invalid").count() as u64;
        prop_assert_eq!(tally.disowned.iter().map(|(_, count)| count).sum::<u64>(), invalid);
    }
}
