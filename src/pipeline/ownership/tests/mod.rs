//! Senders, what they write, and where it ends.

mod filters;
mod keys;
mod look_alikes;
mod rules;

use std::convert::Infallible;

use serde_json::Value;

use crate::config::{Config, OutputKind};
use crate::event_time::EventTime;
use crate::journal::Position;
use crate::pipeline::json::{write_key, write_value};
use crate::pipeline::template::PathRenderer;
use crate::pipeline::{Pipeline, Source, Tally};
use crate::wire::msgpack::{write_map, write_str};

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
