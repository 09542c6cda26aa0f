//! That what is explained is what happens.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::pipeline::Pipeline;
use crate::sender::Sender;
use crate::wire::json::to_msgpack;
use crate::wire::msgpack::{write_array, write_nil};

fn config(filters: &[&str], outputs: &[&str]) -> Config {
    let mut text =
        "[server]\nname = \"s\"\n[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\n"
            .to_owned();
    for filter in filters {
        text.push_str(&format!("[[filter]]\n{filter}\n"));
    }
    for (number, take) in outputs.iter().chain(&["invalid = true", "fallback = true"]).enumerate() {
        text.push_str(&format!(
            "[[output]]\nid = \"o{number}\"\ntype = \"file\"\npath = \"/{number}/{{tag}}/{{a}}\"\n{take}\n"
        ));
    }
    Config::parse(&text, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}"))
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

/// The outputs that take the event when a server runs.
fn takers(config: &Config, trial: &Trial, record: &[u8]) -> Vec<String> {
    let mut entry = Vec::new();
    write_array(&mut entry, 2);
    write_nil(&mut entry);
    entry.extend_from_slice(record);
    let pipeline = Pipeline::new(&config.filters, &config.outputs, "s").with_inputs(&config.inputs);
    let takes = |id: &str| {
        let mut selector = pipeline.selector(id).unwrap();
        let sink = |_: &crate::pipeline::Event<'_>| Ok::<_, Infallible>(());
        trial.with_source(|source| selector.for_each(source, &entry, sink)).unwrap().taken == 1
    };
    let ids = config.outputs.iter().map(|output| output.id.clone());
    ids.filter(|id| takes(id)).collect()
}

fn any_filter() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "type = \"set\"\nfields = { a = \"{tag[0]}\" }",
        "type = \"remove\"\nmatch = \"x.**\"\nfields = [\"a\"]",
        "type = \"retag\"\nwhere = \"a = 'x'\"\ntag = \"x.{b}\"",
        "type = \"retag\"\nmatch = \"y\"\ntag = \"x.{tag}\"",
        "type = \"drop\"\nwhere = \"b = 'drop'\"",
        "type = \"keep_if\"\nmatch = \"x.**\"\nwhere = \"exists(a)\"",
        "type = \"validate\"\nrequired = [\"b\"]",
    ])
}

fn any_take() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "match = \"**\"",
        "match = \"x.**\"",
        "match = \"x y\"\nrequire = [\"a\"]",
        "match = \"**\"\nwhere = \"b = 'x'\"",
        "match = \"x.**\"\nwhere = \"exists(b)\"\nrequire = [\"a\"]",
    ])
}

proptest! {
    #[test]
    fn what_is_explained_is_what_happens(
        filters in prop::collection::vec(any_filter(), 0..5),
        takes in prop::collection::vec(any_take(), 0..4),
        tag in prop::sample::select(vec!["x", "y", "x.y", "z"]),
        record in prop::sample::select(vec![
            "{}", r#"{"a":"x"}"#, r#"{"a":"x","b":"x"}"#, r#"{"b":"drop"}"#, r#"{"a":"unknown","b":1}"#
        ]),
    ) {
        let (config, trial) = (config(&filters, &takes), trial(tag));
        let record = to_msgpack(record.as_bytes(), 1000).unwrap();
        let takers = takers(&config, &trial, &record);
        let decided = explain(&config, &trial, None, Some(&record));
        let open = explain(&config, &trial, None, None);
        for (decided, open) in decided.outputs.iter().zip(&open.outputs) {
            let takes = if takers.contains(&decided.id) { Answer::Yes } else { Answer::No };
            prop_assert_eq!(decided.takes, takes, "{:#?}", decided);
            prop_assert!(open.takes == takes || open.takes == Answer::If, "{:?}: {:#?}", takes, open);
            prop_assert!(!decided.reason.is_empty() && !open.reason.is_empty());
        }
    }
}

#[test]
fn each_filter_shows_what_it_changed() {
    let config = config(
        &["type = \"set\"\nfields = { a = 1, c = \"{@server}\" }", "type = \"remove\"\nfields = [\"b\"]"],
        &[],
    );
    let record = to_msgpack(br#"{"a":1,"b":2}"#, 1000).unwrap();
    let explanation = explain(&config, &trial("x"), None, Some(&record));
    let change = |field: &str, before: Option<i64>, after: Option<&str>| Change {
        field: field.to_owned(),
        before: before.map(Into::into),
        after: after.map(Into::into),
    };
    assert_eq!(explanation.filters[0].changes, [change("c", None, Some("s"))]);
    assert_eq!(explanation.filters[1].changes, [change("b", Some(2), None)]);
    assert_eq!((explanation.filters[0].line, explanation.filters[1].line), (7, 10));
}

#[test]
fn a_path_shows_what_is_known_of_it() {
    let config = config(&[], &["match = \"**\""]);
    let explanation = explain(&config, &trial("x.y"), None, None);
    assert_eq!(explanation.outputs[0].target, Target::Path("/0/x.y/{a}".to_owned()));
}
