//! Values that a peer sends to hurt somebody, through every filter and every path template.

use std::time::{Duration, Instant};

use hikyaku::wire::msgpack::{MAX_DEPTH, write_bin, write_map, write_str, write_u64};

use super::properties::{NAMES, check, configs, map};
use super::support::{entries, pass};

fn text(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_str(&mut out, bytes);
    out
}

/// The value in every field that a filter looks at.
fn everywhere(value: &[u8]) -> Vec<u8> {
    map(&NAMES.map(|name| (text(name.as_bytes()), value.to_vec())))
}

fn survive(records: &[Vec<u8>]) {
    for (path, config) in configs() {
        for tag in
            ["app", "docker", "java", "detect", "keys", "terminal", "names", "..", "../../etc", "a\0b\n"]
        {
            check(path, config, tag.as_bytes(), records);
        }
        check(path, config, b"\xff\xfe.\xc3", records);
    }
}

#[test]
fn path_tricks_control_characters_and_invalid_utf_8_come_through_every_filter() {
    let values: [&[u8]; 12] = [
        b"../../../etc/passwd",
        b"..",
        b".",
        b"/",
        b"a/../b",
        b"\0",
        b"\x1b]0;title\x07\r\n",
        b"\xff\xfe\xc3\x28",
        b"\xe3\x81",
        "\u{202e}\u{2028}\u{feff}".as_bytes(),
        b"",
        b"${x} {y} %Y %{z}",
    ];
    let mut records: Vec<_> = values.iter().map(|value| everywhere(&text(value))).collect();
    records.extend(values.iter().map(|value| {
        let mut bin = Vec::new();
        write_bin(&mut bin, value);
        everywhere(&bin)
    }));
    records.extend(
        values.iter().map(|value| map(&[(text(value), text(value)), (text(value), b"\xc0".to_vec())])),
    );
    survive(&records);
}

#[test]
fn keys_and_values_of_a_mebibyte_come_through_every_filter() {
    let long = text(&vec![b'a'; 1 << 20]);
    let records =
        [map(&[(long.clone(), long.clone())]), map(&[(text(b"message"), long.clone()), (text(b"a"), long)])];
    for (path, config) in configs() {
        for tag in ["app", "terminal"] {
            check(path, config, tag.as_bytes(), &records);
        }
    }
}

#[test]
fn the_deepest_nesting_comes_through_every_filter() {
    for head in [&b"\x91"[..], b"\x81\xa1a", b"\x81\xa1b"] {
        // The record itself is the first level.
        let value = [head.repeat(MAX_DEPTH - 1), b"\x01".to_vec()].concat();
        for (path, config) in configs() {
            for tag in ["app", "detect", "docker"] {
                check(path, config, tag.as_bytes(), &[everywhere(&value)]);
            }
        }
    }
}

#[test]
fn more_fields_than_filters_see_come_through_every_filter() {
    let count = hikyaku::pipeline::record::MAX_FIELDS as u32 + 10;
    let mut record = Vec::new();
    write_map(&mut record, count);
    for number in 0..count - 1 {
        write_str(&mut record, format!("k{number}").as_bytes());
        write_u64(&mut record, u64::from(number));
    }
    record.extend(text(b"password"));
    record.extend(text(b"hunter2 a@example.com"));
    let seen = ["mask", "remove", "keep"];
    for (path, config) in configs() {
        if !seen.contains(&path.file_stem().unwrap().to_str().unwrap()) {
            continue;
        }
        for tag in ["detect", "fields"] {
            let all = check(path, config, tag.as_bytes(), std::slice::from_ref(&record));
            let holds = |part: &[u8]| memchr::memmem::find(&all, part).is_some();
            match (path.file_stem().and_then(|name| name.to_str()), tag) {
                (Some("mask"), "fields") | (Some("remove" | "keep"), _) => {
                    assert!(!holds(b"hunter2"), "{path:?}")
                }
                (Some("mask"), "detect") => assert!(!holds(b"example.com") && holds(b"hunter2"), "{path:?}"),
                _ => {}
            }
        }
    }
}

#[test]
fn text_made_to_be_slow_to_parse_or_to_search_is_not() {
    let parts = [
        "[",
        "{\"a\":",
        "\"",
        "=",
        "a=\"\\",
        "<1>1 - - - - - [",
        "@",
        "a@",
        "@a.b",
        "1-",
        "4",
        "1.",
        "a:",
        ":",
        "password=",
        "Bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "%40",
        "[a]",
        " ",
        "\t",
        "\\",
    ];
    for part in parts {
        let value = part.repeat((64 << 10) / part.len());
        let value = text(value.as_bytes());
        let records = [map(&[(text(b"message"), value.clone()), (text(b"log"), value)])];
        let entries = entries(records.iter().map(Vec::as_slice));
        let start = Instant::now();
        for (_, config) in configs() {
            for tag in ["app", "detect", "terminal"] {
                pass(config, "all", tag.as_bytes(), &entries);
            }
        }
        // All filters together take about a second in a debug build; the square of the length would take minutes.
        assert!(start.elapsed() < Duration::from_secs(20), "{part:?} took {:?}", start.elapsed());
    }
}
