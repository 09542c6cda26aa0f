use super::*;
use crate::config::{
    FileFormat, FileOutputConfig, FilterConfig, FilterKind, InjectConfig, OutputConfig, OutputKind,
    OutputTake, StartAt,
};
use crate::event_time::EventTime;
use crate::pipeline::Pipeline;
use crate::pipeline::filter::tests::fields;
use crate::pipeline::json;
use crate::pipeline::tag_pattern::TagPatterns;
use crate::pipeline::template::PathTemplate;
use std::convert::Infallible;
use std::time::Duration;

fn output(id: &str, take: OutputTake) -> OutputConfig {
    OutputConfig {
        id: id.to_owned(),
        pipeline: None,
        take,
        start: StartAt::Newest,
        retry_min_interval: Duration::from_secs(1),
        retry_max_interval: Duration::from_secs(30),
        backlog: crate::config::BacklogConfig::default(),
        kind: OutputKind::File(Box::new(FileOutputConfig {
            path: PathTemplate::parse("x").unwrap(),
            path_characters: Default::default(),
            format: FileFormat::Json,
            inject: InjectConfig::default(),
            timezone: jiff::tz::TimeZone::UTC,
            flush_interval: Duration::from_secs(10),
            checkpoint_interval: Duration::from_secs(30),
            buffer_memory: 1,
            max_open_files: 1,
            compression_level: crate::config::CompressionLevel::Fixed(6),
            compression_threads: 1,
            undone_max_size: 1,
            give_up: None,
        })),
    }
}

fn tags(text: &str) -> TagPatterns {
    TagPatterns::parse(text).unwrap()
}

fn source(tag: &[u8]) -> Source<'_> {
    Source::of_engine(tag, EventTime::new(7, 0).unwrap())
}

fn pipeline() -> Pipeline {
    let filters = [
        FilterConfig {
            line: 1,
            pipeline: None,
            condition: None,
            tags: tags("a.**"),
            kind: FilterKind::Set { fields: fields(&[("type", "{tag[0]}")]) },
        },
        FilterConfig {
            line: 1,
            pipeline: None,
            condition: None,
            tags: tags("**"),
            kind: FilterKind::Set { fields: fields(&[("server", "{@server}")]) },
        },
    ];
    let outputs = [
        output("archive", OutputTake::Match { tags: tags("a.**"), condition: None, require: Vec::new() }),
        output("unmatched", OutputTake::Fallback),
    ];
    Pipeline::new(&filters, &outputs, "logserver-1")
}

/// `[1, {}]`, an entry that is none, `[nil, {"x": 1}]`.
const ENTRIES: &[u8] = b"\x92\x01\x80\x01\x92\xc0\x81\xa1x\x01";

fn selected(output: &str, tag: &[u8], entries: &[u8]) -> (Vec<String>, Tally) {
    let mut events = Vec::new();
    let tally = pipeline()
        .selector(output)
        .unwrap()
        .for_each(&source(tag), entries, |event| {
            let mut text = format!("{} {}", event.index, event.time.seconds()).into_bytes();
            for field in event.record.iter() {
                text.push(b' ');
                json::write_key(&mut text, field.key);
                json::write_value(&mut text, field.value);
            }
            events.push(String::from_utf8(text).unwrap());
            Ok::<_, Infallible>(())
        })
        .unwrap();
    (events, tally)
}

#[test]
fn events_are_filtered_by_tag_and_keep_their_place_and_time() {
    let (events, tally) = selected("archive", b"a.b", ENTRIES);
    assert_eq!(
        events,
        [r#"0 1 "type""a" "server""logserver-1""#, r#"2 7 "x"1 "type""a" "server""logserver-1""#]
    );
    assert_eq!(tally, Tally { taken: 2, left: 0, bad: 1, ..Tally::default() });
    let (events, tally) = selected("unmatched", b"b", ENTRIES);
    assert_eq!(events, [r#"0 1 "server""logserver-1""#, r#"2 7 "x"1 "server""logserver-1""#]);
    assert_eq!(tally, Tally { taken: 2, left: 0, bad: 1, ..Tally::default() });
}

#[test]
fn events_for_other_outputs_are_counted_as_left() {
    assert_eq!(selected("archive", b"b", ENTRIES).1, Tally { taken: 0, left: 2, bad: 1, ..Tally::default() });
    let cut = &ENTRIES[..ENTRIES.len() - 1];
    assert_eq!(selected("archive", b"a", cut).1, Tally { taken: 1, left: 0, bad: 2, ..Tally::default() });
}

#[test]
fn metadata_and_that_of_the_group_become_a_field_where_the_input_says_so() {
    // `[[1, {}], {}]`; a group of `[[2, {"o": 1}], {}]` and `[3, {"x": 1}]`; `[[4, {}], {}]`.
    let entries = [
        &b"\x92\x92\x01\x80\x80"[..],
        b"\x92\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x80\x81\xa5scope\x81\xa1n\x07",
        b"\x92\x92\x02\x81\xa1o\x01\x80\x92\x03\x81\xa1x\x01",
        b"\x92\x92\xd7\x00\xff\xff\xff\xfe\0\0\0\0\x80\x80",
        b"\x92\x92\x04\x80\x80",
    ];
    let input = crate::config::Config::parse(
        "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\nmetadata_field = \"m.d\"\n\
         [[output]]\nid = \"o\"\ntype = \"file\"\npath = \"x\"\nfallback = true\n",
        None,
        &|_| None,
    );
    let selected = |pipeline: Pipeline, cut: usize| {
        let mut events = Vec::new();
        let mut selector = pipeline.selector("o").unwrap();
        let is_mark =
            |entry: &&[u8], seconds: u8| entry.starts_with(&[0x92, 0x92, 0xd7, 0, 0xff, 0xff, 0xff, seconds]);
        let start = entries.iter().position(|entry| is_mark(entry, 0xff)).unwrap();
        let end = entries.iter().position(|entry| is_mark(entry, 0xfe)).unwrap();
        // As the journal cuts large chunks: a piece that begins within a group begins with its start mark.
        let repeated = if start < cut && cut <= end { entries[start] } else { &[] };
        for part in [entries[..cut].concat(), [repeated, &entries[cut..].concat()].concat()] {
            let tally = selector.for_each(&source(b"a"), &part, |event| {
                let mut text = Vec::new();
                for field in event.record.iter() {
                    json::write_key(&mut text, field.key);
                    json::write_value(&mut text, field.value);
                }
                events.push(String::from_utf8(text).unwrap());
                Ok::<_, Infallible>(())
            });
            assert_eq!(tally.unwrap().bad, 0);
        }
        events
    };
    let config = input.unwrap();
    let pipeline = || Pipeline::new(&[], &config.outputs, "logserver-1");
    for cut in 0..=entries.len() {
        assert_eq!(
            selected(pipeline().with_inputs(&config.inputs), cut),
            ["", r#""m"{"d":{"o":1,"scope":{"n":7}}}"#, r#""x"1"m"{"d":{"scope":{"n":7}}}"#, ""],
            "cut at {cut}"
        );
        assert_eq!(selected(pipeline(), cut), ["", "", r#""x"1"#, ""]);
    }
}

#[test]
fn whole_tags_can_be_skipped() {
    let mut archive = pipeline().selector("archive").unwrap();
    assert!(archive.wants("edge", b"a.b"));
    assert!(!archive.wants("edge", b"b"));
    assert!(archive.wants("edge", b"a.\xff"));
    assert!(pipeline().selector("nobody").is_none());
}

#[test]
fn tags_that_no_filter_and_no_condition_touches_pass_whole() {
    let filters = [FilterConfig {
        line: 1,
        pipeline: None,
        tags: tags("a"),
        condition: None,
        kind: FilterKind::Remove { fields: Vec::new() },
    }];
    let require = vec![crate::pipeline::field_path::FieldPath::parse("x").unwrap()];
    let outputs = [
        output("all", OutputTake::Match { tags: tags("**"), condition: None, require: Vec::new() }),
        output("some", OutputTake::Match { tags: tags("b"), condition: None, require }),
        output("rest", OutputTake::Fallback),
    ];
    let pipeline = Pipeline::new(&filters, &outputs, "logserver-1");
    let passes = |output: &str, tag: &[u8]| pipeline.selector(output).unwrap().passes_whole("edge", tag);
    assert!(passes("all", b"b") && passes("all", b"a.b"));
    assert!(!passes("all", b"a"), "a filter changes it");
    assert!(!passes("some", b"b"), "the content decides");
    assert!(!passes("rest", b"b"), "it goes elsewhere");
}

#[test]
fn the_sink_can_stop_the_walk() {
    let mut archive = pipeline().selector("archive").unwrap();
    let mut seen = 0;
    let result = archive.for_each(&source(b"a"), ENTRIES, |_| {
        seen += 1;
        Err("full")
    });
    assert_eq!((result, seen), (Err("full"), 1));
}
