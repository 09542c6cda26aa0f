//! What holds for every filter and every record.

use std::path::PathBuf;
use std::sync::OnceLock;

use hikyaku::config::Config;
use hikyaku::wire::msgpack::{
    skip, write_array, write_bin, write_f64, write_i64, write_map, write_str, write_u64,
};
use proptest::prelude::*;

use super::support::{OUTPUTS, config, entries, fixtures, json, pass};

/// The fields that the fixtures' filters look at.
pub(crate) const NAMES: [&str; 24] = [
    "message",
    "log",
    "level",
    "severity",
    "password",
    "secret",
    "user_id",
    "user",
    "container",
    "trace",
    "timestamp",
    "at",
    "time_local",
    "customer_name",
    "customer",
    "a",
    "b",
    "request",
    "status",
    "inner",
    "kubernetes",
    "msg",
    "path",
    "duration_ms",
];

/// The tags that the fixtures' filters match.
const TAGS: [&str; 16] = [
    "app",
    "nginx",
    "nginx.access",
    "names",
    "terminal",
    "fields",
    "detect",
    "patterns",
    "keys",
    "syslog",
    "ms",
    "loki",
    "strict",
    "traces",
    "docker",
    "java",
];

pub(crate) fn configs() -> &'static [(PathBuf, Config)] {
    static CONFIGS: OnceLock<Vec<(PathBuf, Config)>> = OnceLock::new();
    CONFIGS.get_or_init(|| fixtures().into_iter().map(|path| (path.clone(), config(&path))).collect())
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let lines = [
        "GET /x took 12.5ms",
        "a=1 b=\"x\\\"y\" c",
        "{\"a\":{\"b\":[1,\"x\"]}}",
        "a:1\tb:2",
        "1,\"2\",3",
        "2026-02-17 first",
        " at x.Y",
        "<34>1 - - - - [a b=\"c\"] x",
        "<34>Oct 11 22:14:15 h su[1]: x",
        "2026-02-17T10:00:00Z",
        "1771322400",
        "4111 1111 1111 1111",
        "a@example.com",
        "192.0.2.1 ::1",
        "ERROR",
    ];
    prop_oneof![
        4 => proptest::sample::select(lines.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        2 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => "\\PC{0,20}".prop_map(String::into_bytes),
    ]
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        out
    };
    let scalar = prop_oneof![
        6 => any_text().prop_map(move |text| written(&|out| write_str(out, &text))),
        1 => any_text().prop_map(move |text| written(&|out| write_bin(out, &text))),
        1 => any::<i64>().prop_map(move |number| written(&|out| write_i64(out, number))),
        1 => any::<u64>().prop_map(move |number| written(&|out| write_u64(out, number))),
        1 => any::<f64>().prop_map(move |number| written(&|out| write_f64(out, number))),
        1 => proptest::sample::select(vec![vec![0xc0], vec![0xc2], vec![0xc3], vec![0xd4, 5, 7], b"\xca\x7f\xc0\0\0".to_vec()]),
    ];
    scalar.prop_recursive(3, 12, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(move |values| written(&|out| {
                write_array(out, values.len() as u32);
                out.extend(values.concat());
            })),
            proptest::collection::vec((any_key(), inner), 0..4).prop_map(|pairs| map(&pairs)),
        ]
    })
}

fn any_key() -> impl Strategy<Value = Vec<u8>> {
    let text = |text: &[u8]| {
        let mut out = Vec::new();
        write_str(&mut out, text);
        out
    };
    prop_oneof![
        8 => proptest::sample::select(NAMES.to_vec()).prop_map(move |name| text(name.as_bytes())),
        1 => any_text().prop_map(move |key| text(&key)),
        1 => proptest::sample::select(vec![vec![5], vec![0xc0], vec![0x90]]),
    ]
}

pub(crate) fn map(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    write_map(&mut out, pairs.len() as u32);
    for (key, value) in pairs {
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    out
}

/// Passes a chunk through one configuration to all outputs, twice, and checks what must hold whatever is in it. Returns
/// all that came out, as bytes.
pub(crate) fn check(path: &std::path::Path, config: &Config, tag: &[u8], records: &[Vec<u8>]) -> Vec<u8> {
    let entries = entries(records.iter().map(Vec::as_slice));
    let (mut all, mut taken, mut ended) = (Vec::new(), 0, None);
    for output in OUTPUTS {
        let (passed, tally) = pass(config, output, tag, &entries);
        assert_eq!(
            (&passed, tally),
            (&pass(config, output, tag, &entries).0, tally),
            "{path:?}: twice the same"
        );
        assert_eq!(tally.taken + tally.left + tally.dropped + tally.joined, records.len() as u64, "{path:?}");
        taken += tally.taken;
        if output == "all" {
            ended = Some(tally.dropped + tally.joined);
        }
        for event in passed {
            assert_eq!(skip(&event.record, 0), Ok(event.record.len()), "{path:?}");
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(&json(&event.record)).is_ok(), "{path:?}");
            assert!(
                event.path.starts_with('/') && !event.path.chars().any(char::is_control),
                "{}",
                event.path
            );
            for part in event.path.split('/').skip(1) {
                assert!(
                    !part.is_empty() && part != "." && part != ".." && part.len() <= 255,
                    "{}",
                    event.path
                );
            }
            all.extend_from_slice(&event.tag);
            all.extend_from_slice(&event.record);
            all.extend_from_slice(json(&event.record).as_bytes());
            all.extend_from_slice(event.path.as_bytes());
        }
    }
    // One output looks at every event: what nobody takes was dropped or joined there.
    assert_eq!(
        taken + ended.unwrap_or_default(),
        records.len() as u64,
        "{path:?}: every event has one place"
    );
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_filter_makes_invalid_msgpack_loses_events_or_differs_the_second_time(
        records in proptest::collection::vec(proptest::collection::vec((any_key(), any_value()), 0..8), 1..6),
        tag in proptest::sample::select(TAGS.to_vec()),
    ) {
        let records: Vec<_> = records.iter().map(|pairs| map(pairs)).collect();
        for (path, config) in configs() {
            check(path, config, tag.as_bytes(), &records);
        }
    }

    #[test]
    fn what_is_masked_hashed_or_encrypted_is_nowhere_in_the_output(
        name in "[a-z]{6,10}[0-9]{4}",
        before in prop_oneof![Just(""), Just("text "), Just("\u{1b}[1m"), Just("<"), Just("飛 "), Just("k=\"")],
        behind in prop_oneof![Just(""), Just(" text"), Just("\u{1b}[0m"), Just(">"), Just(" 脚"), Just("\" x")],
        kind in 0..6usize,
        depth in 0..4usize,
        twice: bool,
    ) {
        let secret = match kind {
            0 => format!("{name}@example.com"),
            1 => "4111 1111 1111 1111".to_owned(),
            2 => format!("Bearer {name}.{name}"),
            3 => format!("ghp_{}", name.repeat(3)),
            4 => "198.51.100.77".to_owned(),
            _ => "2001:db8:7:7::77".to_owned(),
        };
        let text = format!("{before}{secret}{behind}{}", if twice { format!(" {secret}") } else { String::new() });
        let mut value = Vec::new();
        write_str(&mut value, text.as_bytes());
        for level in 0..depth {
            value = match level % 2 {
                0 => map(&[(b"\xa1k".to_vec(), value.clone()), (b"\xa1k".to_vec(), value)]),
                _ => [&b"\x92\x01"[..], &value].concat(),
            };
        }
        let holds = |all: &[u8]| memchr::memmem::find(all, secret.as_bytes()).is_some();
        let of = |name: &str| configs().iter().find(|(path, _)| path.file_stem().unwrap() == name).unwrap();
        let record = map(&[(b"\xa1x".to_vec(), value.clone()), (b"\xa7message".to_vec(), value.clone())]);
        let (path, config) = of("mask");
        prop_assert!(!holds(&check(path, config, b"detect", &[record])));
        for (fixture, tag, field) in
            [("mask", "fields", "password"), ("hash", "app", "user_id"), ("encrypt", "app", "secret")]
        {
            let (path, config) = of(fixture);
            let mut key = Vec::new();
            write_str(&mut key, field.as_bytes());
            let record = map(&[(key.clone(), value.clone()), (key, value.clone())]);
            prop_assert!(!holds(&check(path, config, tag.as_bytes(), &[record])), "{}", fixture);
        }
    }
}
