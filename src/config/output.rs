//! `[[output]]`

use std::collections::BTreeMap;
use std::time::Duration;

use crate::pipeline::characters::CharacterSet;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::tag_pattern::TagPatterns;
use crate::pipeline::template::PathTemplate;
use crate::pipeline::time_format::TimeFormat;

/// One `[[output]]` of `type = "file"`.
#[derive(Debug, Clone)]
pub struct OutputConfig {
    /// Names the cursor, so it must stay the same over restarts.
    pub id: String,
    pub take: OutputTake,
    /// Where a new output starts to read. Default: at the newest event.
    pub start: StartAt,
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
    /// Bytes of formatted events held in memory; at the limit they are flushed early. Default: 64 MiB.
    pub buffer_memory: usize,
    /// Files held open at one time. Default: 256.
    pub max_open_files: usize,
    /// gzip level 1 to 12. Default: 6.
    pub compression_level: i32,
    /// First and longest wait between retries; doubled in between. Default: 1 s and 30 s.
    pub retry_min_interval: Duration,
    pub retry_max_interval: Duration,
    /// Bytes kept of file tails that a recovery cut off; the oldest go first. Default: 256 MiB.
    pub undone_max_size: u64,
}

/// Which events an output takes.
#[derive(Debug, Clone)]
pub enum OutputTake {
    /// `match`, narrowed by `require`: events in which one of the required fields is missing, empty or `unknown`
    /// are left to the output with `invalid = true`.
    Match { tags: TagPatterns, require: Vec<FieldPath> },
    /// `invalid = true`: what another output's `match` took and its `require` refused.
    Invalid,
    /// `fallback = true`: what no other output took.
    Fallback,
}

/// Where an output without a cursor starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    Newest,
    Oldest,
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
