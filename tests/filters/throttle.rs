//! What `throttle` lets pass: the same for every pace, every restart, and every way to cut a chunk.

use std::convert::Infallible;
use std::sync::OnceLock;

use hikyaku::config::Config;
use hikyaku::event_time::EventTime;
use hikyaku::journal::Position;
use hikyaku::journal::cursor_attributes::{THROTTLE, find_attribute};
use hikyaku::pipeline::{Pipeline, Selector, Source};
use hikyaku::wire::msgpack::{write_map, write_str};
use proptest::prelude::*;

use super::support::entries;

const CONFIG: &str = r#"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
[[filter]]
match = "a.**"
type = "throttle"
key = "{customer}"
limit = 3
interval = "10s"
max_keys = 2
[[output]]
id = "one"
type = "file"
match = "a.one"
path = "x"
[[output]]
id = "rest"
type = "file"
fallback = true
path = "y"
"#;

/// A message: when it came, its tag, the customer of each event.
type Chunk = (i64, &'static str, Vec<u8>);

fn pipeline() -> &'static Pipeline {
    static PIPELINE: OnceLock<Pipeline> = OnceLock::new();
    PIPELINE.get_or_init(|| {
        let config = Config::parse(CONFIG, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"));
        Pipeline::new(&config.filters, &config.outputs, "logserver-1")
    })
}

/// The events of a piece of a chunk that pass to the output of a selector: their places.
fn passed(
    selector: &mut Selector,
    number: usize,
    chunk: &Chunk,
    piece: std::ops::Range<usize>,
) -> Vec<(usize, u32)> {
    let (received, tag, customers) = chunk;
    let records: Vec<Vec<u8>> = (customers[piece.clone()].iter())
        .map(|customer| {
            let mut record = Vec::new();
            write_map(&mut record, 1);
            write_str(&mut record, b"customer");
            write_str(&mut record, &[b'a' + customer]);
            record
        })
        .collect();
    let source = Source {
        tag: tag.as_bytes(),
        position: Position::new(1, 64 * (number as u64 + 1)),
        received_at: EventTime::new(1_771_322_400 + received, 0).unwrap(),
        input: "edge",
        sender: "CN=engine-1",
        source_address: None,
        subject: None,
        fingerprint: None,
        alternative_names: &[],
        host_name: None,
        user: None,
    };
    let mut places = Vec::new();
    if !selector.wants(source.input, source.tag) {
        return places;
    }
    let entries = entries(records.iter().map(Vec::as_slice));
    let tally = selector.for_each_from(&source, piece.start as u32, &entries, |event| {
        places.push((number, event.index));
        Ok::<_, Infallible>(())
    });
    let Ok(tally) = tally;
    assert_eq!(tally.taken + tally.left + tally.dropped, piece.len() as u64, "every event is counted once");
    places
}

/// All chunks through one selector that never stops.
fn unbroken(output: &str, chunks: &[Chunk]) -> Vec<(usize, u32)> {
    let mut selector = pipeline().selector(output).unwrap();
    let chunks = chunks.iter().enumerate();
    chunks.flat_map(|(number, chunk)| passed(&mut selector, number, chunk, 0..chunk.2.len())).collect()
}

fn resumed(selector: &Selector, output: &str) -> Selector {
    let cursor = selector.throttled().attribute();
    let mut selector = pipeline().selector(output).unwrap();
    if let Some(counts) = find_attribute(&cursor, THROTTLE) {
        selector.resume(Some(counts));
    }
    selector
}

fn any_chunks() -> impl Strategy<Value = Vec<Chunk>> {
    let tag = prop_oneof![Just("a.one"), Just("a.two"), Just("b")];
    proptest::collection::vec((0..40i64, tag, proptest::collection::vec(0..4u8, 0..12)), 0..12)
}

proptest! {
    #[test]
    fn a_crash_at_any_place_and_any_cut_of_a_chunk_change_nothing(
        chunks in any_chunks(),
        cuts in proptest::collection::vec((0..12usize, 0..12usize), 0..4),
        crashes in proptest::collection::vec((0..12usize, 0..12usize), 0..4),
    ) {
        for output in ["one", "rest"] {
            let mut selector = pipeline().selector(output).unwrap();
            let mut saved = resumed(&selector, output);
            let mut all = Vec::new();
            for (number, chunk) in chunks.iter().enumerate() {
                let length = chunk.2.len();
                let here = |list: &[(usize, usize)]| {
                    list.iter().filter(|(at, _)| *at == number).map(|(_, cut)| (*cut).min(length)).collect::<Vec<_>>()
                };
                let mut places = here(&cuts);
                places.extend([0, length]);
                places.sort_unstable();
                for piece in places.windows(2) {
                    // A crash takes what was read since the checkpoint; it is read again from there.
                    for crash in here(&crashes).into_iter().filter(|crash| (piece[0]..piece[1]).contains(crash)) {
                        passed(&mut selector, number, chunk, piece[0]..crash);
                        selector = resumed(&saved, output);
                    }
                    all.extend(passed(&mut selector, number, chunk, piece[0]..piece[1]));
                    saved = resumed(&selector, output);
                }
            }
            prop_assert_eq!(all, unbroken(output, &chunks));
        }
    }

    #[test]
    fn outputs_share_what_a_customer_may_send(chunks in any_chunks()) {
        let one = unbroken("one", &chunks);
        let rest = unbroken("rest", &chunks);
        prop_assert!(one.iter().all(|place| !rest.contains(place)), "nothing goes to both");
        // In order of time there is one window after the other.
        let mut ordered = chunks.clone();
        ordered.sort_by_key(|chunk| chunk.0);
        let mut passed = unbroken("one", &ordered);
        passed.extend(unbroken("rest", &ordered));
        let mut by_key = std::collections::HashMap::new();
        for (number, index) in passed {
            let (received, tag, customers) = &ordered[number];
            if *tag != "b" {
                *by_key.entry((received / 10, customers[index as usize])).or_insert(0) += 1;
            }
        }
        prop_assert!(by_key.values().all(|count| *count <= 3), "{:?}", by_key);
        let in_b: usize = ordered.iter().filter(|chunk| chunk.1 == "b").map(|chunk| chunk.2.len()).sum();
        prop_assert!(unbroken("rest", &ordered).len() >= in_b, "other tags are not counted");
    }
}

#[test]
fn the_limit_is_met_at_its_edge_and_dropped_events_are_counted_by_whom_they_were_for() {
    let chunks = [(0, "a.one", vec![0; 5]), (9, "a.one", vec![0, 1]), (10, "a.one", vec![0; 4])];
    assert_eq!(unbroken("one", &chunks), [(0, 0), (0, 1), (0, 2), (1, 1), (2, 0), (2, 1), (2, 2)]);
    assert_eq!(unbroken("rest", &chunks), []);
}

#[test]
fn an_output_counts_what_it_does_not_take() {
    let chunks = [(0, "a.two", vec![0; 2]), (1, "a.one", vec![0; 2])];
    assert_eq!(unbroken("one", &chunks), [(1, 0)], "two of three were for the other output");
}

#[test]
fn a_filter_that_changed_begins_anew() {
    let mut selector = pipeline().selector("one").unwrap();
    let chunk = (0, "a.one", vec![0; 5]);
    assert_eq!(passed(&mut selector, 0, &chunk, 0..5).len(), 3);
    let cursor = selector.throttled().attribute();
    let config = CONFIG.replace("limit = 3", "limit = 4");
    let config = Config::parse(&config, None, &|_| None).unwrap();
    let mut changed = Pipeline::new(&config.filters, &config.outputs, "").selector("one").unwrap();
    changed.resume(find_attribute(&cursor, THROTTLE));
    assert_eq!(passed(&mut changed, 1, &chunk, 0..5).len(), 4);
}

#[test]
fn the_same_throttle_twice_is_a_mistake() {
    let filter = &CONFIG[CONFIG.find("[[filter]]").unwrap()..CONFIG.find("[[output]]").unwrap()];
    let errors = Config::parse(&format!("{CONFIG}{filter}"), None, &|_| None).unwrap_err();
    assert!(errors.to_string().contains("an earlier filter throttles the same"), "{errors}");
    let other = filter.replace("a.**", "b.**");
    assert!(Config::parse(&format!("{CONFIG}{other}"), None, &|_| None).is_ok());
    for (wrong, part) in
        [("limit = 0", "1 to 1000000000"), ("interval = \"999ms\"", "1s to"), ("max_keys = 100001", "100000")]
    {
        let key = wrong.split(' ').next().unwrap();
        let line = CONFIG.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap();
        let errors = Config::parse(&CONFIG.replace(line, wrong), None, &|_| None).unwrap_err();
        assert!(errors.to_string().contains(part), "{errors}");
    }
}
