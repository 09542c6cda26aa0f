//! `hikyaku check --explain TAG`

mod sender;
mod text;

use crate::config::{Config, InputConfig};
use crate::event_time::EventTime;
use crate::pipeline::time_source::iso_8601;
use crate::pipeline::{Explanation, Trial, explain};
use crate::wire::json::to_msgpack;
use crate::wire::msgpack::{Token, read};
use sender::SenderArguments;
pub(super) use text::written;

/// Bytes of the largest record that is taken from the command line.
const MAX_RECORD: usize = 16 * 1024 * 1024;

/// The event that is explained.
#[derive(Debug, clap::Args)]
pub(super) struct EventArguments {
    /// Print the way that an event with this tag takes: what each filter does with it, which outputs take it, and why
    /// the others don't
    #[arg(long, value_name = "TAG")]
    explain: Option<String>,
    /// The event's record, a JSON object; without it, what the record decides is shown as "if"
    #[arg(long, value_name = "JSON", requires = "explain", help_heading = "The event to explain")]
    record: Option<String>,
    /// The input that it comes from; the first one where it is left out
    #[arg(long, value_name = "ID", requires = "explain", help_heading = "The event to explain")]
    input: Option<String>,
    /// The event's time, as 2026-02-17T10:00:00Z; now where it is left out
    #[arg(long, requires = "explain", help_heading = "The event to explain")]
    time: Option<String>,
    #[command(flatten)]
    sender: SenderArguments,
}

/// The event can't be explained: the command line is wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExplainError {
    #[error("--input: the configuration has no input `{id}`; it has {known}")]
    UnknownInput { id: String, known: String },
    #[error("--record is no JSON: {0}")]
    NoJson(String),
    #[error("--record must be a JSON object, as '{{\"message\":\"hello\"}}'")]
    NoObject,
    #[error("--time: `{0}` is no time; write it as 2026-02-17T10:00:00Z")]
    NoTime(String),
}

impl EventArguments {
    /// Whether there is something to explain.
    pub(super) fn asks(&self) -> bool {
        self.explain.is_some()
    }

    /// The way of the event through this configuration.
    ///
    /// # Errors
    ///
    /// Where the event can't be made of the arguments.
    pub(super) fn explain(&self, config: &Config) -> Result<Explanation, ExplainError> {
        let input = self.input(config)?;
        let record = self.record.as_deref().map(record).transpose()?;
        let time = match &self.time {
            Some(text) => {
                let time = iso_8601(text.as_bytes(), &jiff::tz::TimeZone::UTC);
                Some(time.ok_or_else(|| ExplainError::NoTime(text.clone()))?)
            }
            None => None,
        };
        let sent = self.explain.clone().unwrap_or_default();
        let trial = Trial {
            tag: input.map_or_else(|| sent.clone(), |input| input.tagged(&sent)),
            input: input.map(|input| input.id.clone()).unwrap_or_default(),
            sender: self.sender.sender(),
            received_at: time.unwrap_or_else(EventTime::now),
            server: config.server.name.clone(),
        };
        Ok(Explanation { sent, ..explain(config, &trial, time, record.as_deref()) })
    }

    fn input<'c>(&self, config: &'c Config) -> Result<Option<&'c InputConfig>, ExplainError> {
        let Some(id) = &self.input else { return Ok(config.inputs.first()) };
        let found = config.inputs.iter().find(|input| input.id == *id);
        found.map(Some).ok_or_else(|| {
            let known: Vec<_> = config.inputs.iter().map(|input| input.id.as_str()).collect();
            ExplainError::UnknownInput { id: id.clone(), known: known.join(", ") }
        })
    }
}

/// An encoded map.
fn record(json: &str) -> Result<Vec<u8>, ExplainError> {
    let record = to_msgpack(json.as_bytes(), MAX_RECORD)
        .map_err(|refusal| ExplainError::NoJson(refusal.to_string()))?;
    match read(&record, &mut 0) {
        Ok(Token::Map(_)) => Ok(record),
        _ => Err(ExplainError::NoObject),
    }
}
