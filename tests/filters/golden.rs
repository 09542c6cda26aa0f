//! Golden files: `NAME.toml` holds filters, `NAME.in.jsonl` events, and `NAME.out.jsonl` what becomes of them.
//!
//! An event in is `{"tag": …, "record": {…}}`; neighbours with the same tag come in one chunk. Each event out is a line
//! with the output that took it; the last line counts what was dropped and joined. `HIKYAKU_UPDATE_GOLDEN=1` writes the
//! last files anew, for a person to read the difference.

use std::path::Path;

use serde_json::Value;

use super::support::{OUTPUTS, config, entries, fixtures, json, msgpack, pass, time};

#[test]
fn every_filter_does_what_its_golden_file_says() {
    let mut wrong = Vec::new();
    for fixture in fixtures() {
        let found = run(&fixture);
        let path = fixture.with_extension("out.jsonl");
        if std::env::var_os("HIKYAKU_UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{}: expected\n{expected}found\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn run(fixture: &Path) -> String {
    let config = config(fixture);
    let text = std::fs::read_to_string(fixture.with_extension("in.jsonl")).unwrap();
    let events: Vec<(String, Vec<u8>)> = text
        .lines()
        .map(|line| {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            let tag = event["tag"].as_str().unwrap_or("app").to_owned();
            (tag, msgpack(&event["record"]))
        })
        .collect();
    let mut out = String::new();
    for output in OUTPUTS {
        let (mut dropped, mut joined) = (0, 0);
        for chunk in events.chunk_by(|left, right| left.0 == right.0) {
            let entries = entries(chunk.iter().map(|(_, record)| record.as_slice()));
            let (passed, tally) = pass(&config, output, chunk[0].0.as_bytes(), &entries);
            assert_eq!(
                tally.taken + tally.left + tally.dropped + tally.joined,
                chunk.len() as u64,
                "every event is counted once"
            );
            (dropped, joined) = (dropped + tally.dropped, joined + tally.joined);
            for event in passed {
                let tag = String::from_utf8_lossy(&event.tag).into_owned();
                out.push_str(&format!("{output} {tag} {} {}\n", time(event.time), json(&event.record)));
            }
        }
        if output == "all" {
            out.push_str(&format!("all: dropped {dropped}, joined {joined}\n"));
        }
    }
    out
}
