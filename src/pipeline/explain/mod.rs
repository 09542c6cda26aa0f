//! The way of one event through filters and outputs, put into words.
//!
//! With a record everything is decided by the very code that a server runs, filter by filter (`decided.rs`). Without
//! one, only what the tag says is sure, and the rest is told as an "if" (`open.rs`).

mod decided;
mod open;
mod possible_tag;
mod target;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::filter::Filter;
use super::ownership::Ownership;
use super::pipelines::Pipelines;
use super::route::Routes;
use super::trial::Trial;
use crate::config::{Config, FilterConfig, OutputConfig};
use crate::event_time::EventTime;
pub use target::Target;

/// Whether something happens to the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Yes,
    No,
    /// What is not known decides: the record, or a tag that is made of it.
    If,
}

/// The whole way.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// The tag that the sender gives.
    pub sent: String,
    /// The tag that the input makes of it.
    pub tag: String,
    /// The `id` of the input.
    pub input: String,
    /// Whether there was a record to decide by.
    pub decided: bool,
    /// In the order in which the event meets them.
    pub filters: Vec<FilterAnswer>,
    /// In the order of the file.
    pub outputs: Vec<OutputAnswer>,
}

/// What one filter does with the event.
#[derive(Debug, Serialize)]
pub struct FilterAnswer {
    /// Its place among the filters of the file, from 1.
    pub number: usize,
    /// Where its table begins, from 1.
    pub line: usize,
    /// `None`: the default one.
    pub pipeline: Option<String>,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub works: Answer,
    /// Why it does not, or what it depends on; empty where there is nothing to say.
    pub reason: String,
    /// What it does beside changing fields: a new tag, the end of the event.
    pub effect: Option<String>,
    /// Top-level fields that are not as they were before, by name. Only with a record.
    pub changes: Vec<Change>,
}

/// A field that a filter changed.
#[derive(Debug, PartialEq, Serialize)]
pub struct Change {
    pub field: String,
    /// `None`: the field was not there.
    pub before: Option<serde_json::Value>,
    /// `None`: the field is gone.
    pub after: Option<serde_json::Value>,
}

/// Whether one output takes the event, and where it puts it.
#[derive(Debug, Serialize)]
pub struct OutputAnswer {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `None`: the default one, or all of them.
    pub pipeline: Option<String>,
    pub takes: Answer,
    pub reason: String,
    #[serde(flatten)]
    pub target: Target,
}

/// Explains the way of an event: one of `trial`'s, with this time (that of receipt where it is `None`) and this
/// record, an encoded map.
pub fn explain(
    config: &Config,
    trial: &Trial,
    time: Option<EventTime>,
    record: Option<&[u8]>,
) -> Explanation {
    let pipelines = Pipelines::new(&config.filters, &config.outputs).with_inputs(&config.inputs);
    let filters: Vec<_> =
        (1..).zip(&config.filters).map(|(number, filter)| Filter::new(number, filter, &pipelines)).collect();
    let plan = Plan {
        config,
        ownership: Ownership::new(&config.inputs, filters.iter().map(|filter| &filter.writes)),
        filters,
        routes: Routes::new(&config.outputs, &pipelines),
        entry: pipelines.entry(&trial.input),
        pipelines,
        server: &trial.server,
    };
    let (filters, outputs) = trial.with_source(|source| match record {
        Some(record) => decided::explain(&plan, source, time.unwrap_or(source.received_at), record),
        None => open::explain(&plan, source),
    });
    Explanation {
        sent: trial.tag.clone(),
        tag: trial.tag.clone(),
        input: trial.input.clone(),
        decided: record.is_some(),
        filters,
        outputs,
    }
}

/// A configuration, ready to be walked through.
struct Plan<'a> {
    config: &'a Config,
    filters: Vec<Filter>,
    ownership: Ownership,
    routes: Routes,
    pipelines: Pipelines,
    /// The pipeline in which the event begins.
    entry: usize,
    server: &'a str,
}

impl FilterAnswer {
    fn new(number: usize, config: &FilterConfig, works: Answer, reason: String) -> Self {
        let (line, kind, pipeline) = (config.line, config.kind.name(), config.pipeline.clone());
        Self { number, line, pipeline, kind, works, reason, effect: None, changes: Vec::new() }
    }
}

impl OutputAnswer {
    fn new(config: &OutputConfig, (takes, reason): (Answer, String), target: Target) -> Self {
        let (id, kind, pipeline) = (config.id.clone(), config.kind.name(), config.pipeline.clone());
        Self { id, kind, pipeline, takes, reason, target }
    }
}

/// Why an output gets nothing that is the `secondary` of others.
const SECONDARY: &str = "it takes only what another output gives up";

/// Why an output gets nothing of an event that does not come to where it is.
fn not_here(config: &OutputConfig) -> String {
    match &config.pipeline {
        Some(name) => format!("the event does not come to the pipeline `{name}`"),
        None => "the event leaves the default pipeline".to_owned(),
    }
}

/// `a`, `a and b`, `a, b and c`
fn listed<T: std::fmt::Display>(things: &[T]) -> String {
    let shown: Vec<_> = things.iter().map(|thing| format!("`{thing}`")).collect();
    match shown.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => shown.concat(),
    }
}
