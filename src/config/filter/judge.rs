//! Filters that look at what values mean.

use jiff::tz::TimeZone;
use regex::bytes::Regex;

use crate::pipeline::field_path::FieldPath;

/// `type = "level"`
#[derive(Debug, Clone)]
pub struct LevelConfig {
    pub field: FieldPath,
    /// The field that gets the level.
    pub to: FieldPath,
    /// What numbers mean.
    pub numbers: LevelNumbers,
    /// Words of the operator's own, in lower case, and their levels.
    pub words: Vec<(String, &'static str)>,
    /// The level of an event whose field says none. `None`: it stays as it is.
    pub default: Option<&'static str>,
}

/// Who counts how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LevelNumbers {
    /// 0 emergency to 7 debug.
    Syslog,
    /// 10 trace to 60 fatal, as bunyan and pino do.
    Pino,
    /// 10 debug to 50 critical.
    Python,
}

/// `type = "time"`
#[derive(Debug, Clone)]
pub struct TimeSource {
    pub field: FieldPath,
    /// Tried in this order.
    pub formats: Vec<TimeSourceFormat>,
    /// The zone of times that say none.
    pub timezone: TimeZone,
    /// Whether the field stays.
    pub keep_field: bool,
}

/// How a field holds a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeSourceFormat {
    Rfc3339,
    /// A number since 1970, so many of which are a second.
    Unix {
        per_second: u32,
    },
    /// As `strptime` reads it.
    Strftime(String),
}

/// `type = "validate"`
#[derive(Debug, Clone)]
pub struct ValidateConfig {
    /// Must be there, and neither nil nor empty.
    pub required: Vec<FieldPath>,
    /// Must have a type, where they are there.
    pub types: Vec<(FieldPath, ValueType)>,
    /// Must be times as ISO 8601 writes them, where they are there.
    pub times: Vec<FieldPath>,
    /// Must be one of the levels, where they are there.
    pub levels: Vec<FieldPath>,
    /// The field that gets the reason.
    pub reason: FieldPath,
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    String,
    Integer,
    Float,
    Boolean,
    Array,
    Map,
}

impl ValueType {
    /// Each with its name.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("string", Self::String),
        ("integer", Self::Integer),
        ("float", Self::Float),
        ("boolean", Self::Boolean),
        ("array", Self::Array),
        ("map", Self::Map),
    ];

    /// As the file writes it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, value_type)| *value_type == self).map_or("", |(name, _)| name)
    }
}

/// `type = "multiline"`
#[derive(Debug, Clone)]
pub struct MultilineConfig {
    /// The field with the line.
    pub field: FieldPath,
    /// What the first line of a message looks like.
    pub start: Option<Regex>,
    /// What the further lines look like.
    pub continues: Option<Regex>,
    /// What stands between lines.
    pub separator: String,
    /// Lines belong together only where these are the same.
    pub group_by: Vec<FieldPath>,
    pub max_lines: usize,
    /// Bytes of the joined text.
    pub max_size: usize,
}
