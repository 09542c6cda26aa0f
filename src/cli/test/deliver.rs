//! What the outputs of a configuration would write, by the code that a server runs, but for the disk and the network.

use std::convert::Infallible;

use serde_json::{Map, Value};

use crate::config::{Config, FileFormat, FileOutputConfig, OutputConfig, OutputKind, TestCase, TestChunk};
use crate::event_time::EventTime;
use crate::output::file::format::Formatter;
use crate::pipeline::json::write_value;
use crate::pipeline::template::PathRenderer;
use crate::pipeline::{Event, Pipeline};
use crate::wire::msgpack::write_array;
use crate::wire::time::write_time;

/// An event as an output writes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Delivered {
    pub(super) tag: String,
    pub(super) time: EventTime,
    pub(super) record: Map<String, Value>,
    /// Of an output of type file.
    pub(super) path: Option<String>,
    /// Without the line feed; of an output of type file that writes lines.
    pub(super) line: Option<String>,
}

/// The events of a test by output, in the order of the file.
pub(super) fn deliver(config: &Config, test: &TestCase) -> Vec<(String, Vec<Delivered>)> {
    let pipeline = Pipeline::new(&config.filters, &config.outputs, &test.server).with_inputs(&config.inputs);
    let entries: Vec<_> = test.chunks.iter().map(entries).collect();
    let outputs = config.outputs.iter();
    outputs.map(|output| (output.id.clone(), taken(&pipeline, output, test, &entries))).collect()
}

/// A chunk, as the input puts it into the journal.
fn entries(chunk: &TestChunk) -> Vec<u8> {
    let mut entries = Vec::new();
    for event in &chunk.events {
        write_array(&mut entries, 2);
        write_time(&mut entries, event.time.unwrap_or(chunk.trial.received_at));
        entries.extend_from_slice(&event.record);
    }
    entries
}

fn taken(pipeline: &Pipeline, output: &OutputConfig, test: &TestCase, entries: &[Vec<u8>]) -> Vec<Delivered> {
    let mut delivered = Vec::new();
    let Some(mut selector) = pipeline.selector(&output.id) else { return delivered };
    let mut file = match &output.kind {
        OutputKind::File(file) => Some(FileWriter::new(file)),
        OutputKind::Forward(_) => None,
    };
    for (index, (chunk, entries)) in (0..).zip(test.chunks.iter().zip(entries)) {
        let taken = chunk.trial.with_source_of(index, |source| {
            selector.for_each(source, entries, |event| {
                delivered.push(match &mut file {
                    Some(file) => file.write(event),
                    None => Delivered::of(event),
                });
                Ok::<_, Infallible>(())
            })
        });
        let Ok(_tally) = taken;
    }
    delivered
}

struct FileWriter<'c> {
    config: &'c FileOutputConfig,
    formatter: Formatter,
    paths: PathRenderer,
}

impl<'c> FileWriter<'c> {
    fn new(config: &'c FileOutputConfig) -> Self {
        Self {
            config,
            formatter: Formatter::new(&config.format, &config.inject),
            paths: PathRenderer::new(&config.path, &config.path_characters, config.timezone.clone()),
        }
    }

    fn write(&mut self, event: &Event<'_>) -> Delivered {
        let mut written = Vec::new();
        self.formatter.write(event, &mut written);
        let mut delivered = Delivered::of(event);
        delivered.path = Some(self.paths.render_path(event).display().to_string());
        if self.config.format != FileFormat::Msgpack {
            let line = String::from_utf8_lossy(&written);
            delivered.line = Some(line.strip_suffix('\n').unwrap_or(&line).to_owned());
        }
        // A line of JSON has what `inject` adds as well.
        if self.config.format == FileFormat::Json
            && let Ok(record) = serde_json::from_slice(&written)
        {
            delivered.record = record;
        }
        delivered
    }
}

impl Delivered {
    fn of(event: &Event<'_>) -> Self {
        let mut record = Vec::new();
        event.record.write(&mut record);
        let mut text = Vec::new();
        write_value(&mut text, &record);
        Self {
            tag: String::from_utf8_lossy(event.source.tag).into_owned(),
            time: event.time,
            record: serde_json::from_slice(&text).unwrap_or_default(),
            path: None,
            line: None,
        }
    }
}
