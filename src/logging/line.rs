//! A line of the log, and how it looks.

use std::fmt::Write as _;

use serde_json::Value;
use tracing::{Level, Metadata};

use super::OWN;
use super::fields::Fields;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `{"time":…,"level":…,"module":…,"message":…}` and the fields.
    Json,
    /// `TIME LEVEL module: message field=value`
    Text { colours: bool },
}

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// `FATAL`, `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub(super) level: &'static str,
    /// Without `hikyaku::` in front.
    pub(super) module: String,
    pub(super) message: String,
    pub(super) fields: Vec<(String, Value)>,
}

impl Line {
    pub(super) fn new(metadata: &Metadata<'_>, fields: Fields) -> Self {
        let level = match *metadata.level() {
            Level::ERROR if fields.is_fatal => "FATAL",
            Level::ERROR => "ERROR",
            Level::WARN => "WARN",
            Level::INFO => "INFO",
            Level::DEBUG => "DEBUG",
            Level::TRACE => "TRACE",
        };
        let module = metadata.target();
        let module = module.strip_prefix(OWN).unwrap_or(module).to_owned();
        Self { level, module, message: fields.message, fields: fields.others }
    }

    /// The line with its end; the time is RFC 3339 in UTC with milliseconds.
    pub(super) fn render(&self, format: Format, time: jiff::Timestamp) -> String {
        let mut line = String::with_capacity(200);
        // Writing to a string never fails.
        let _ = match format {
            Format::Json => self.write_json(&mut line, time),
            Format::Text { colours } => self.write_text(&mut line, time, colours),
        };
        line
    }

    fn write_json(&self, line: &mut String, time: jiff::Timestamp) -> std::fmt::Result {
        let Self { level, module, message, fields } = self;
        write!(line, r#"{{"time":"{time:.3}","level":"{level}","module":{}"#, Value::from(module.as_str()))?;
        write!(line, r#","message":{}"#, Value::from(message.as_str()))?;
        for (name, value) in fields {
            write!(line, ",{}:{value}", Value::from(name.as_str()))?;
        }
        line.write_str("}\n")
    }

    fn write_text(&self, line: &mut String, time: jiff::Timestamp, colours: bool) -> std::fmt::Result {
        let Self { level, module, message, fields } = self;
        let (start, end) = if colours { (colour(level), "\x1b[0m") } else { ("", "") };
        write!(line, "{time:.3} {start}{level:>5}{end} {module}: ")?;
        write_safe(line, message);
        for (name, value) in fields {
            write!(line, " {name}=")?;
            match value {
                Value::String(text) if is_plain(text) => line.push_str(text),
                Value::String(text) => {
                    line.push('"');
                    write_safe(line, &text.replace('\\', "\\\\").replace('"', "\\\""));
                    line.push('"');
                }
                value => write!(line, "{value}")?,
            }
        }
        line.write_str("\n")
    }
}

fn colour(level: &str) -> &'static str {
    match level {
        "FATAL" | "ERROR" => "\x1b[31m",
        "WARN" => "\x1b[33m",
        "INFO" => "\x1b[32m",
        "DEBUG" => "\x1b[34m",
        _ => "\x1b[35m",
    }
}

/// Text that needs no quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || is_unsafe(c) || c == '"' || c == '=')
}

/// What could move a terminal's cursor or begin another line: a peer may have a part in it.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn write_safe(line: &mut String, text: &str) {
    for character in text.chars() {
        match is_unsafe(character) {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
}
