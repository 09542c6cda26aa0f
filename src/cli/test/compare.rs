//! What a test expects, beside what it finds.

use serde::Serialize;
use serde_json::{Map, Value};

use super::deliver::Delivered;
use crate::config::{ExpectedEvent, TestCase};
use crate::event_time::EventTime;

/// One thing that is not as expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Difference {
    pub(super) output: String,
    /// Which of the output's events, from 1.
    pub(super) event: usize,
    /// `path`, `tag`, `time`, `line`, `record.FIELD`, or `event` for the whole of it.
    pub(super) what: String,
    /// `None`: it is not expected at all.
    pub(super) expected: Option<Value>,
    /// `None`: it is not there.
    pub(super) found: Option<Value>,
}

/// Everything that is not as expected, output by output in the order of the configuration.
pub(super) fn differences(test: &TestCase, delivered: &[(String, Vec<Delivered>)]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (output, found) in delivered {
        let named = test.expected.iter().find(|(id, _)| id == output);
        let expected = match named {
            Some((_, expected)) => expected.as_slice(),
            None if test.others_may_take => continue,
            None => &[],
        };
        for index in 0..expected.len().max(found.len()) {
            let mut comparison = Comparison { output, event: index + 1, differences: &mut differences };
            match (expected.get(index), found.get(index)) {
                (Some(expected), Some(found)) => comparison.event(expected, found),
                (expected, found) => comparison.differ("event", expected.map(wanted), found.map(shown)),
            }
        }
    }
    differences
}

struct Comparison<'a> {
    output: &'a str,
    event: usize,
    differences: &'a mut Vec<Difference>,
}

impl Comparison<'_> {
    fn event(&mut self, expected: &ExpectedEvent, found: &Delivered) {
        let text = |text: &Option<String>| text.clone().map(Value::String);
        self.part("path", text(&expected.path), text(&found.path));
        self.part("tag", text(&expected.tag), Some(Value::String(found.tag.clone())));
        self.part("time", expected.time.map(time), Some(time(found.time)));
        self.part("line", text(&expected.line), text(&found.line));
        if let Some(record) = &expected.record {
            let mut names: Vec<_> = record.keys().chain(found.record.keys()).collect();
            names.sort();
            names.dedup();
            names.into_iter().for_each(|name| self.field(name, record, found));
        }
        if let Some(fields) = &expected.fields {
            fields.keys().for_each(|name| self.field(name, fields, found));
        }
    }

    /// What is not expected is not looked at.
    fn part(&mut self, what: &str, expected: Option<Value>, found: Option<Value>) {
        if expected.is_some() && expected != found {
            self.differ(what, expected, found);
        }
    }

    fn field(&mut self, name: &str, expected: &Map<String, Value>, found: &Delivered) {
        let (expected, found) = (expected.get(name), found.record.get(name));
        if expected != found {
            self.differ(&format!("record.{name}"), expected.cloned(), found.cloned());
        }
    }

    fn differ(&mut self, what: &str, expected: Option<Value>, found: Option<Value>) {
        let (output, event, what) = (self.output.to_owned(), self.event, what.to_owned());
        self.differences.push(Difference { output, event, what, expected, found });
    }
}

/// A whole event that is missing, as far as it is described.
fn wanted(expected: &ExpectedEvent) -> Value {
    let mut event = Map::new();
    let parts = [("path", &expected.path), ("tag", &expected.tag), ("line", &expected.line)];
    for (name, text) in parts {
        event.extend(text.clone().map(|text| (name.to_owned(), text.into())));
    }
    event.extend(expected.time.map(|known| ("time".to_owned(), time(known))));
    for (name, record) in [("record", &expected.record), ("fields", &expected.fields)] {
        event.extend(record.clone().map(|record| (name.to_owned(), record.into())));
    }
    Value::Object(event)
}

/// A whole event that nobody expects.
fn shown(found: &Delivered) -> Value {
    let mut event = Map::new();
    event.extend(found.path.clone().map(|path| ("path".to_owned(), path.into())));
    event.insert("tag".to_owned(), found.tag.clone().into());
    event.insert("record".to_owned(), found.record.clone().into());
    Value::Object(event)
}

fn time(time: EventTime) -> Value {
    Value::String(time.timestamp().to_string())
}
