//! A pipeline of a configuration, and events through it.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use hikyaku::config::{Config, OutputKind};
use hikyaku::event_time::EventTime;
use hikyaku::journal::Position;
use hikyaku::pipeline::json::write_value;
use hikyaku::pipeline::template::PathRenderer;
use hikyaku::pipeline::timestamp::{Fraction, write_timestamp};
use hikyaku::pipeline::{Pipeline, Source, Tally};
use hikyaku::wire::msgpack::{
    write_array, write_bool, write_f64, write_i64, write_map, write_nil, write_str, write_u64,
};
use hikyaku::wire::time::write_time;
use serde_json::Value;

/// One input; one output that takes everything, one for errors, one for what is invalid, one for the rest.
const ENDS: &str = r#"
[[input]]
id = "edge"
type = "forward"
listen = "127.0.0.1:0"
[[output]]
id = "all"
type = "file"
match = "**"
where = "not (tag starts_with 'lost.')"
path = "/logs/{tag}/{customer}/{a.b}/{message}/{@sender}/%Y.log"
[[output]]
id = "invalid"
type = "file"
invalid = true
path = "/invalid/{tag[0]}/{invalid_reason}"
[[output]]
id = "rest"
type = "file"
fallback = true
path = "/rest/{tag[-1]}"
"#;

/// The folder of the fixtures; tests run where the package is.
pub(crate) const FIXTURES: &str = "tests/fixtures/filters";

pub(crate) const OUTPUTS: [&str; 3] = ["all", "invalid", "rest"];

/// The configurations of the fixtures, by their names.
pub(crate) fn fixtures() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(FIXTURES).unwrap().map(|entry| entry.unwrap().path());
    let mut fixtures: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    if !cfg!(feature = "remap") {
        let needs_remap = |path: &PathBuf| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("remap"))
        };
        fixtures.retain(|path| !needs_remap(path));
    }
    fixtures.sort();
    assert!(fixtures.len() >= 20, "every filter has a fixture");
    fixtures
}

pub(crate) fn config(fixture: &Path) -> Config {
    let filters = std::fs::read_to_string(fixture).unwrap();
    Config::parse(&format!("{filters}{ENDS}"), Some(fixture.to_owned()), &|_| None)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

/// An event behind the filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) tag: Vec<u8>,
    pub(crate) time: EventTime,
    /// An encoded map.
    pub(crate) record: Vec<u8>,
    pub(crate) path: String,
}

/// Passes one chunk to one output.
pub(crate) fn pass(config: &Config, output: &str, tag: &[u8], entries: &[u8]) -> (Vec<Passed>, Tally) {
    let pipeline = Pipeline::new(&config.filters, &config.outputs, "logserver-1");
    let mut selector = pipeline.selector(output).unwrap();
    let settings = config.outputs.iter().find(|settings| settings.id == output).unwrap();
    #[allow(irrefutable_let_patterns)]
    let OutputKind::File(file) = &settings.kind else { panic!("{settings:?}") };
    let mut paths = PathRenderer::new(&file.path, &file.path_characters, file.timezone.clone());
    let source = Source {
        tag,
        position: Position::new(3, 4096),
        received_at: EventTime::new(1_771_322_400, 0).unwrap(),
        input: "edge",
        sender: "CN=engine-1",
        source_address: Some("192.0.2.7"),
        subject: None,
        fingerprint: None,
        alternative_names: &[],
        host_name: None,
        user: None,
    };
    let mut passed = Vec::new();
    let result = selector.for_each(&source, entries, |event| {
        let mut record = Vec::new();
        event.record.write(&mut record);
        passed.push(Passed {
            tag: event.source.tag.to_vec(),
            time: event.time,
            record,
            path: paths.render_path(event).display().to_string(),
        });
        Ok::<_, Infallible>(())
    });
    (passed, result.unwrap())
}

/// `[time, record]` for each record.
pub(crate) fn entries<'r>(records: impl IntoIterator<Item = &'r [u8]>) -> Vec<u8> {
    let mut entries = Vec::new();
    for (number, record) in records.into_iter().enumerate() {
        write_array(&mut entries, 2);
        write_time(&mut entries, EventTime::new(1_771_322_400 + number as i64, 0).unwrap());
        entries.extend_from_slice(record);
    }
    entries
}

pub(crate) fn msgpack(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => write_nil(out),
        Value::Bool(boolean) => write_bool(out, *boolean),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(unsigned), _) => write_u64(out, unsigned),
            (None, Some(signed)) => write_i64(out, signed),
            (None, None) => write_f64(out, number.as_f64().unwrap()),
        },
        Value::String(text) => write_str(out, text.as_bytes()),
        Value::Array(values) => {
            write_array(out, values.len() as u32);
            values.iter().for_each(|value| write(out, value));
        }
        Value::Object(pairs) => {
            write_map(out, pairs.len() as u32);
            for (key, value) in pairs {
                write_str(out, key.as_bytes());
                write(out, value);
            }
        }
    }
}

pub(crate) fn json(value: &[u8]) -> String {
    let mut text = Vec::new();
    write_value(&mut text, value);
    String::from_utf8(text).unwrap()
}

pub(crate) fn time(time: EventTime) -> String {
    let mut text = Vec::new();
    write_timestamp(&mut text, time, Fraction::Milliseconds);
    String::from_utf8(text).unwrap()
}
