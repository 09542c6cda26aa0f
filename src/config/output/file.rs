//! `[[output]]` of `type = "file"`

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::GiveUpConfig;
use crate::pipeline::characters::CharacterSet;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::template::PathTemplate;
use crate::pipeline::time_format::TimeFormat;

/// What an output of `type = "file"` has of its own.
#[derive(Debug, Clone)]
pub struct FileOutputConfig {
    pub path: PathTemplate,
    /// Characters that a placeholder keeps in a path, by the placeholder's text; everything else becomes `_`.
    /// Default: `a-zA-Z0-9._-`.
    pub path_characters: BTreeMap<String, CharacterSet>,
    pub format: FileFormat,
    pub inject: InjectConfig,
    /// The zone of `%Y %m %d %H %M %S` in the path. Default: UTC.
    pub timezone: jiff::tz::TimeZone,
    /// How long an event may stay in memory before it is in its file. Default: 10 s.
    pub flush_interval: Duration,
    /// How often files are synced, the cursor saved and the journal released. Default: 30 s.
    pub checkpoint_interval: Duration,
    /// Bytes of formatted events held in memory; at the limit they are flushed early. Default: 48 MiB.
    pub buffer_memory: usize,
    /// Files held open at one time. Default: 256.
    pub max_open_files: usize,
    /// Default: the fastest that is small enough.
    pub compression_level: CompressionLevel,
    /// Files that are compressed at one time. Default: 2.
    pub compression_threads: usize,
    /// Bytes kept of file tails that a recovery cut off; the oldest go first. Default: 256 MiB.
    pub undone_max_size: u64,
    /// When a file that can't be written is given up; `None`: never. Default: never.
    pub give_up: Option<GiveUpConfig>,
}

/// `compression_level`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionLevel {
    /// For each file the fastest whose size is within a limit of what Fluentd makes.
    Auto,
    /// From 1 (fast) to 12 (small).
    Fixed(i32),
}

impl fmt::Display for CompressionLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => formatter.write_str("auto"),
            Self::Fixed(level) => level.fmt(formatter),
        }
    }
}

/// `format`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFormat {
    /// One JSON object a line.
    Json,
    /// One `[time, record]` after the other, as in PackedForward.
    Msgpack,
    /// `key:value` separated by tabs.
    Ltsv,
    /// The named fields in this order.
    Csv { fields: Vec<FieldPath> },
}

/// `inject`: what is added to each record as it is written.
#[derive(Debug, Clone, Default)]
pub struct InjectConfig {
    /// The field that gets the tag.
    pub tag: Option<String>,
    /// The field that gets the event time, and how it is written.
    pub time: Option<(String, TimeFormat)>,
}
