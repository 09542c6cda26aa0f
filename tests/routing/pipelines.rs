//! Named pipelines: what every event can rely on, and what no configuration may say.

use std::convert::Infallible;

use hikyaku::config::{Config, ConfigErrors};
use hikyaku::event_time::EventTime;
use hikyaku::pipeline::{Answer, Pipeline, Tally, Trial, explain};
use hikyaku::sender::Sender;
use hikyaku::wire::json::to_msgpack;
use hikyaku::wire::msgpack::{write_array, write_nil};
use proptest::prelude::*;

const INPUT: &str = "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n";
const ENDS: &str = "[[output]]\nid = \"invalid\"\ntype = \"file\"\npath = \"/invalid\"\ninvalid = true\n\
    [[output]]\nid = \"rest\"\ntype = \"file\"\npath = \"/rest\"\nfallback = true\n";

fn filter(pipeline: &str, keys: &str) -> String {
    let pipeline = if pipeline.is_empty() { String::new() } else { format!("pipeline = \"{pipeline}\"\n") };
    format!("[[filter]]\n{pipeline}{keys}\n")
}

fn output(pipeline: &str, number: usize, keys: &str) -> String {
    let in_pipeline =
        if pipeline.is_empty() { String::new() } else { format!("pipeline = \"{pipeline}\"\n") };
    let id = format!("{pipeline}o{number}");
    format!("[[output]]\n{in_pipeline}id = \"{id}\"\ntype = \"file\"\npath = \"/{id}/{{x}}\"\n{keys}\n")
}

fn config(text: &str) -> Config {
    Config::parse(text, None, &|_| None).unwrap_or_else(|errors| panic!("{text}{errors}"))
}

fn trial(tag: &str) -> Trial {
    Trial {
        tag: tag.to_owned(),
        input: "edge".to_owned(),
        sender: Sender::from_user(7),
        received_at: EventTime::new(1_771_322_400, 0).unwrap(),
        server: "s".to_owned(),
    }
}

/// What one output takes of a chunk: the entries' places, and the counts.
fn taken(config: &Config, output: &str, trial: &Trial, entries: &[u8]) -> (Vec<u32>, Tally) {
    let pipeline = Pipeline::new(&config.filters, &config.outputs, "s").with_inputs(&config.inputs);
    let mut selector = pipeline.selector(output).unwrap();
    let mut places = Vec::new();
    let tally = trial.with_source(|source| {
        let walked = selector.for_each(source, entries, |event| {
            places.push(event.index);
            Ok::<_, Infallible>(())
        });
        assert!(places.is_empty() || selector.wants("edge", trial.tag.as_bytes()), "skipped as a whole");
        walked.unwrap()
    });
    (places, tally)
}

fn entries(records: &[&str]) -> Vec<u8> {
    let mut entries = Vec::new();
    for record in records {
        write_array(&mut entries, 2);
        write_nil(&mut entries);
        entries.extend_from_slice(&to_msgpack(record.as_bytes(), 1000).unwrap());
    }
    entries
}

const RECORDS: [&str; 6] =
    ["{}", r#"{"x":"1"}"#, r#"{"y":"1"}"#, r#"{"x":"1","y":"1"}"#, r#"{"y":"drop"}"#, r#"{"x":"unknown"}"#];

fn any_filters() -> impl Strategy<Value = Vec<&'static str>> {
    let filter = prop::sample::select(vec![
        "type = \"set\"\nfields = { x = \"{tag[0]}\" }",
        "type = \"remove\"\nfields = [\"x\"]",
        "type = \"drop\"\nwhere = \"y = 'drop'\"",
        "type = \"drop\"\nmatch = \"b.**\"\nwhere = \"exists(x)\"",
        "type = \"retag\"\nwhere = \"exists(y)\"\ntag = \"b.{tag}\"",
        "type = \"validate\"\nrequired = [\"x\"]",
    ]);
    prop::collection::vec(filter, 0..3)
}

fn any_take() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "match = \"**\"",
        "match = \"b.**\"",
        "match = \"a b.a\"\nrequire = [\"x\"]",
        "match = \"**\"\nwhere = \"exists(y)\"",
    ])
}

/// Pipelines, and the `relabel` filters that lead to them, each behind the other filters of its pipeline.
fn any_graph() -> impl Strategy<Value = (&'static [&'static str], &'static [(&'static str, &'static str)])> {
    prop_oneof![
        Just((
            &["a", "b", "c", "d"][..],
            &[
                ("", "to = [\"a\", \"b\"]\nmatch = \"a\""),
                ("a", "to = \"c\"\nwhere = \"exists(x)\""),
                ("b", "to = [\"d\"]"),
            ][..]
        )),
        Just((
            &["a", "b"][..],
            &[("", "to = \"a\"\nwhere = \"x = '1'\""), ("", "to = \"b\"\nmatch = \"b.**\"")][..]
        )),
        Just((
            &["a", "b", "c", "d"][..],
            &[
                ("", "to = [\"a\", \"b\"]\nwhere = \"exists(y)\""),
                ("a", "to = [\"c\", \"d\"]\nwhere = \"exists(x)\""),
            ][..]
        )),
        Just((&["a", "b"][..], &[("", "to = \"a\""), ("a", "to = \"b\"\nmatch = \"b.**\"")][..])),
    ]
}

proptest! {
    #[test]
    fn every_event_has_its_places_and_each_of_them_once(
        (names, relabels) in any_graph(),
        filters in prop::collection::vec(any_filters(), 5),
        takes in prop::collection::vec(prop::collection::vec(any_take(), 1..3), 5),
        tag in prop::sample::select(vec!["a", "b.a", "c"]),
    ) {
        let mut text = INPUT.to_owned();
        for (index, name) in [""].iter().chain(names).enumerate() {
            filters[index].iter().for_each(|keys| text.push_str(&filter(name, keys)));
            for (_, keys) in relabels.iter().filter(|(from, _)| from == name) {
                text.push_str(&filter(name, &format!("type = \"relabel\"\n{keys}")));
            }
            takes[index].iter().enumerate().for_each(|(number, keys)| text.push_str(&output(name, number, keys)));
        }
        let config = config(&format!("{text}{ENDS}"));
        let trial = trial(tag);
        for record in RECORDS {
            let chunk = entries(&[record]);
            let all: Vec<_> =
                config.outputs.iter().map(|output| (&output.id, taken(&config, &output.id, &trial, &chunk))).collect();
            for (id, (places, tally)) in &all {
                prop_assert_eq!(places.len() as u64, tally.taken, "{}", id);
                prop_assert_eq!(tally.taken + tally.left + tally.dropped, 1, "{}: {:?}", id, tally);
            }
            let (_, (_, fallback)) = all.last().unwrap();
            let others = all[..all.len() - 1].iter().filter(|(_, (_, tally))| tally.taken == 1).count();
            prop_assert!(fallback.dropped == 0 || others == 0);
            prop_assert!(others == 0 || fallback.taken == 0);
            // What is explained is what happens.
            let record = to_msgpack(record.as_bytes(), 1000).unwrap();
            let decided = explain(&config, &trial, None, Some(&record));
            let open = explain(&config, &trial, None, None);
            let is_dropped = decided.outputs.last().unwrap().reason.contains("ends the event");
            prop_assert_eq!(others > 0 || fallback.taken == 1, !is_dropped, "{}", text);
            for ((_, (_, tally)), (decided, open)) in all.iter().zip(decided.outputs.iter().zip(&open.outputs)) {
                let takes = if tally.taken == 1 { Answer::Yes } else { Answer::No };
                prop_assert_eq!(decided.takes, takes, "{:#?} {}", decided, text);
                prop_assert!(open.takes == takes || open.takes == Answer::If, "{:?}: {:#?} {}", takes, open, text);
            }
        }
        // A chunk gives the same again, and one event of it does not depend on the others.
        let whole = entries(&RECORDS);
        for output in &config.outputs {
            let (places, tally) = taken(&config, &output.id, &trial, &whole);
            prop_assert!(places.is_sorted_by(|left, right| left < right), "in order, and once");
            prop_assert_eq!(&taken(&config, &output.id, &trial, &whole), &(places.clone(), tally));
            for (place, record) in RECORDS.iter().enumerate() {
                let alone = taken(&config, &output.id, &trial, &entries(&[record])).1.taken == 1;
                prop_assert_eq!(places.contains(&(place as u32)), alone);
            }
        }
    }
}

/// The only problem of a configuration: `line:column: message`.
fn problem(text: &str) -> String {
    match Config::parse(text, None, &|_| None) {
        Err(ConfigErrors::Invalid(invalid)) if invalid.problems.len() == 1 => {
            let problem = &invalid.problems[0];
            format!("{}:{}: {}", problem.line, problem.column, problem.message)
        }
        other => panic!("{text}\n{other:?}"),
    }
}

#[test]
fn pipelines_that_lead_nowhere_are_errors_where_they_stand() {
    let relabel = |from: &str, to: &str| filter(from, &format!("type = \"relabel\"\nto = {to}"));
    let all = "match = \"**\"";
    let join = |parts: &[String]| format!("{INPUT}{}", parts.concat());
    for (text, expected) in [
        (
            join(&[relabel("", "\"storag\""), output("storage", 0, all)]),
            "7:6: no filter and no output has the pipeline `storag`; did you mean `storage`?",
        ),
        (
            format!("{INPUT}pipeline = \"a\"\n{}", output("", 0, all)),
            "5:12: no filter and no output has the pipeline `a`",
        ),
        (join(&[output("", 0, all), output("a", 0, all)]), "11:12: no event comes to the pipeline `a`"),
        (
            format!("{INPUT}pipeline = \"a\"\n{}{}", output("a", 0, all), output("", 0, all)),
            "12:1: no event comes to the default pipeline",
        ),
        (
            join(&[relabel("", "\"a\""), relabel("a", "\"b\""), relabel("b", "\"a\""), output("a", 0, all)]),
            "loop",
        ),
        (
            join(&[relabel("", "[\"a\", \"b\"]"), relabel("b", "\"a\""), output("a", 0, all)]),
            "7:6: an event would come to `a` twice, by way of `a` and of `b`",
        ),
        (join(&[relabel("", "[]"), output("", 0, all)]), "7:6: the list of pipelines is empty"),
        (join(&[relabel("", "[\"a\", \"a\"]"), output("a", 0, all)]), "7:6: `a` is there twice"),
        (
            join(&[
                relabel("", "\"a\""),
                filter("a", "type = \"multiline\"\nstart = 'x'"),
                output("a", 0, all),
            ]),
            "10:8: `multiline` behind a `relabel`",
        ),
        (
            join(&[
                filter("", "type = \"relabel\"\nto = \"a\"\nmatch = \"a\""),
                filter("", "type = \"multiline\"\nstart = 'x'"),
                output("a", 0, all),
            ]),
            "10:8: `multiline` behind a `relabel`",
        ),
        (
            join(&[output("", 0, all), output("a", 0, "fallback = true")]),
            "11:12: `invalid` and `fallback` look at the events of all pipelines",
        ),
    ] {
        if expected == "loop" {
            let Err(ConfigErrors::Invalid(invalid)) = Config::parse(&text, None, &|_| None) else {
                panic!("{text}")
            };
            let messages: Vec<_> = invalid.problems.iter().map(|problem| problem.message.as_str()).collect();
            let loops =
                ["a loop: from `b` events come back to `a`", "a loop: from `a` events come back to `b`"];
            assert_eq!(messages, loops);
            continue;
        }
        let found = problem(&text);
        assert!(found.starts_with(expected), "{found}\n{text}");
    }
}

#[test]
fn lines_join_before_a_pipeline_is_chosen() {
    let text = format!(
        "{INPUT}{}{}{}{ENDS}",
        filter("", "type = \"multiline\"\nfield = \"x\"\nstart = '^a'"),
        filter("", "type = \"relabel\"\nto = [\"a\", \"b\"]\nwhere = \"x starts_with 'a'\""),
        output("a", 0, "match = \"**\"") + &output("b", 0, "match = \"**\"\nwhere = \"x contains 'c'\""),
    );
    let config = config(&text);
    let chunk = entries(&[r#"{"x":"b"}"#, r#"{"x":"a"}"#, r#"{"x":"c"}"#, r#"{"x":"a"}"#]);
    let places = |output: &str| taken(&config, output, &trial("t"), &chunk).0;
    assert_eq!(places("ao0"), [1, 3]);
    assert_eq!(places("bo0"), [1]);
    assert_eq!(places("rest"), [0], "not relabelled, and no output in the default pipeline");
}

#[test]
fn an_event_that_is_invalid_in_two_pipelines_is_stored_once_as_in_the_first() {
    let text = format!(
        "{INPUT}{}{}{}{}{ENDS}",
        filter("", "type = \"relabel\"\nto = [\"a\", \"b\"]"),
        filter("a", "type = \"validate\"\nrequired = [\"x\"]"),
        filter("b", "type = \"validate\"\nrequired = [\"y\"]"),
        output("a", 0, "match = \"**\"") + &output("b", 0, "match = \"**\""),
    );
    let config = config(&text);
    let chunk = entries(&["{}", r#"{"y":1}"#, r#"{"x":1}"#, r#"{"x":1,"y":1}"#]);
    let pipeline = Pipeline::new(&config.filters, &config.outputs, "s").with_inputs(&config.inputs);
    let mut reasons = Vec::new();
    let tally = trial("t").with_source(|source| {
        let mut selector = pipeline.selector("invalid").unwrap();
        selector.for_each(source, &chunk, |event| {
            let reason = event.record.get_name(b"invalid_reason").unwrap();
            reasons.push(String::from_utf8_lossy(&reason[1..]).into_owned());
            Ok::<_, Infallible>(())
        })
    });
    assert_eq!(tally.unwrap(), Tally { taken: 3, left: 1, ..Tally::default() });
    assert_eq!(reasons, ["the field x is missing", "the field x is missing", "the field y is missing"]);
    assert_eq!(taken(&config, "ao0", &trial("t"), &chunk).0, [2, 3]);
    assert_eq!(taken(&config, "bo0", &trial("t"), &chunk).0, [1, 3]);
    assert_eq!(taken(&config, "rest", &trial("t"), &chunk).0, [] as [u32; 0]);
}

#[test]
fn what_is_dropped_in_one_pipeline_and_not_taken_in_another_is_left_over() {
    let text = format!(
        "{INPUT}{}{}{}{ENDS}",
        filter("", "type = \"relabel\"\nto = [\"a\", \"b\"]"),
        filter("a", "type = \"drop\"\nwhere = \"exists(x)\""),
        output("a", 0, "match = \"t\"") + &output("b", 0, "match = \"nothing\""),
    );
    let config = config(&text);
    let chunk = entries(&["{}", r#"{"x":1}"#]);
    assert_eq!(taken(&config, "ao0", &trial("t"), &chunk).0, [0]);
    assert_eq!(taken(&config, "rest", &trial("t"), &chunk).0, [1]);
    assert_eq!(taken(&config, "rest", &trial("u"), &chunk).0, [0, 1], "no output matches the tag");
}

#[test]
fn an_event_counts_once_although_the_fallback_walks_its_ways_twice() {
    let text = format!(
        "{INPUT}{}{}{}{ENDS}",
        filter("", "type = \"relabel\"\nto = [\"a\", \"b\"]"),
        filter("a", "type = \"throttle\"\nlimit = 4\ninterval = \"1m\""),
        output("a", 0, "match = \"t\"\nwhere = \"exists(x)\"") + &output("b", 0, "match = \"nothing\""),
    );
    let config = config(&text);
    let chunk = entries(&["{}", r#"{"x":1}"#, "{}", r#"{"x":1}"#, "{}", r#"{"x":1}"#]);
    assert_eq!(taken(&config, "ao0", &trial("t"), &chunk).0, [1, 3], "the limit is four, whosever they are");
    let (places, tally) = taken(&config, "rest", &trial("t"), &chunk);
    assert_eq!((places, tally.taken), (vec![0, 2, 4, 5], 4), "the last two end in the pipeline b");
}
