//! What values a key takes.

use std::fmt;
use std::time::Duration;

use crate::config::units;

/// The type of a key's value and its limits, both ends included.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A string of 1 to `max_length` bytes.
    Text { max_length: usize },
    /// Letters, digits, `_` and `-`, 1 to [`MAX_ID_LENGTH`] of them.
    Id,
    /// A string that is one of these.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Boolean,
    /// An integer.
    Integer { min: i64, max: i64 },
    /// An integer, or `"auto"`.
    IntegerOrAuto { min: i64, max: i64 },
    /// `"256MiB"`, or an integer of bytes.
    Size { min: u64, max: u64 },
    /// `"500ms"`, `"10s"`, `"10m"`, `"1h"`, `"30d"`.
    Time { min: Duration, max: Duration },
    /// `"127.0.0.1:8889"`.
    Address,
    /// The path of a file or folder; relative ones start at the working directory.
    Path,
    /// A string of one of the small languages that the page explains, or a list of such strings.
    Syntax(&'static str),
    /// A table or an array of tables that has a section of its own in the reference.
    Section(&'static str),
    /// A table whose keys the operator chooses.
    Map(&'static str),
}

/// Longest `id` of an input or output: it becomes part of file names and of metrics.
pub const MAX_ID_LENGTH: usize = 64;

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { max_length } => write!(formatter, "text of 1 to {max_length} bytes"),
            Self::Id => write!(formatter, "1 to {MAX_ID_LENGTH} of `A-Za-z0-9_-`"),
            Self::Choice(values) => {
                for (index, value) in values.iter().enumerate() {
                    write!(formatter, "{}`\"{value}\"`", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Self::Boolean => formatter.write_str("`true`, `false`"),
            Self::Integer { min, max } => write!(formatter, "integer, {min} to {max}"),
            Self::IntegerOrAuto { min, max } => write!(formatter, "`\"auto\"` or integer, {min} to {max}"),
            Self::Size { min, max } => {
                write!(formatter, "size, {} to {}", units::show_size(*min), units::show_size(*max))
            }
            Self::Time { min, max } => {
                write!(formatter, "time, {} to {}", units::show_time(*min), units::show_time(*max))
            }
            Self::Address => formatter.write_str("address and port"),
            Self::Path => formatter.write_str("path"),
            Self::Syntax(what) | Self::Section(what) | Self::Map(what) => formatter.write_str(what),
        }
    }
}
