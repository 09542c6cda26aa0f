//! How an event is written into a file. One file a format.
//!
//! Writing never fails: whatever a record holds, each format has a text for it. `docs/formats.md` tells users which.

mod csv;
mod inject;
mod json;
mod ltsv;
mod msgpack;
mod text;

use self::inject::Inject;
use crate::config::{FileFormat, InjectConfig};
use crate::pipeline::Event;
use crate::pipeline::field_path::FieldPath;

/// Writes events in one format. Keeps its memory from event to event.
#[derive(Debug)]
pub struct Formatter {
    format: Format,
    inject: Inject,
    /// For values that are put together before they are escaped.
    text: Vec<u8>,
}

#[derive(Debug)]
enum Format {
    Json,
    Msgpack,
    Ltsv,
    Csv(Vec<FieldPath>),
}

impl Formatter {
    /// A formatter of one output.
    pub fn new(format: &FileFormat, inject: &InjectConfig) -> Self {
        let format = match format {
            FileFormat::Json => Format::Json,
            FileFormat::Msgpack => Format::Msgpack,
            FileFormat::Ltsv => Format::Ltsv,
            FileFormat::Csv { fields } => Format::Csv(fields.clone()),
        };
        Self { format, inject: Inject::new(inject), text: Vec::new() }
    }

    /// Appends one event: a line with its newline, or one msgpack entry.
    pub fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.inject.prepare(event);
        match &self.format {
            Format::Json => json::write(out, event, &self.inject),
            Format::Msgpack => msgpack::write(out, event, &self.inject),
            Format::Ltsv => ltsv::write(out, event, &self.inject, &mut self.text),
            Format::Csv(fields) => csv::write(out, event, &self.inject, fields, &mut self.text),
        }
    }
}

#[cfg(test)]
mod tests;
