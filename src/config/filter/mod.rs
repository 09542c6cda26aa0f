//! `[[filter]]`

mod judge;
mod key_file;
mod parse;
#[cfg(feature = "remap")]
mod remap;
mod text;
mod throttle;

pub use judge::{
    LevelConfig, LevelNumbers, MultilineConfig, TimeSource, TimeSourceFormat, ValidateConfig, ValueType,
};
pub use key_file::{KeyFile, KeyFileError};
pub use parse::{OnError, ParseConfig, ParseFormat, TypedField};
#[cfg(feature = "remap")]
pub use remap::{RemapConfig, RemapEnd};
pub use text::{Detector, MaskConfig, SanitizeConfig};
pub use throttle::ThrottleConfig;

use crate::pipeline::condition::Condition;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::tag_pattern::TagPatterns;
use crate::pipeline::template::ValueTemplate;

/// One `[[filter]]`.
#[derive(Debug, Clone)]
pub struct FilterConfig {
    /// Where its table begins in the file, from 1.
    pub line: usize,
    /// The pipeline that it is in. `None`: the default one.
    pub pipeline: Option<String>,
    /// `match`; default `**`.
    pub tags: TagPatterns,
    /// `where`: the events that it works on; all of them where it is left out.
    pub condition: Option<Condition>,
    pub kind: FilterKind,
}

impl FilterConfig {
    /// Of a filter that throttles: all that decides which events it counts, and how. Its counts are kept under this.
    pub fn throttle_identity(&self) -> Option<String> {
        let FilterKind::Throttle(ThrottleConfig { key, limit, interval, max_keys }) = &self.kind else {
            return None;
        };
        let (tags, condition) = (&self.tags, self.condition.as_ref().map(ToString::to_string));
        Some(format!(
            "{tags}\0{condition:?}\0{:?}\0{limit}\0{interval:?}\0{max_keys}",
            key.as_ref().map(ToString::to_string)
        ))
    }
}

/// `type`
#[derive(Debug, Clone)]
pub enum FilterKind {
    /// Writes fields, replacing what is there.
    Set { fields: Vec<(FieldPath, ValueTemplate)> },
    /// Writes fields that are missing, nil or empty.
    Default { fields: Vec<(FieldPath, ValueTemplate)> },
    /// Removes fields.
    Remove { fields: Vec<FieldPath> },
    /// Removes all other fields.
    Keep { fields: Vec<FieldPath> },
    /// Moves values, each from its first path to its second one.
    Rename { fields: Vec<(FieldPath, FieldPath)> },
    /// Makes text safe.
    Sanitize(SanitizeConfig),
    /// Writes levels in one spelling.
    Level(LevelConfig),
    /// Takes the event time from a field.
    Time(TimeSource),
    /// Hides text.
    Mask(MaskConfig),
    /// Writes keyed hashes in place of values; so many hex digits of each.
    Hash { fields: Vec<FieldPath>, key: KeyFile, length: usize },
    /// Writes values that only the key opens.
    Encrypt { fields: Vec<FieldPath>, key: KeyFile },
    /// Makes fields of text.
    Parse(ParseConfig),
    /// Drops events.
    Drop,
    /// Drops all events but those for which a condition of its own holds.
    KeepIf { condition: Condition },
    /// Keeps one event in so many; those with the same value of `by` together.
    Sample { one_in: u64, by: Option<ValueTemplate> },
    /// Lets so many events of a key pass in a time.
    Throttle(ThrottleConfig),
    /// Gives events a new tag.
    Retag { tag: ValueTemplate },
    /// Sends events to the front of these pipelines; at least one, each once.
    Relabel { to: Vec<String> },
    /// Finds events invalid.
    Validate(ValidateConfig),
    /// Joins the lines of one message.
    Multiline(MultilineConfig),
    /// Runs a program.
    #[cfg(feature = "remap")]
    Remap(RemapConfig),
}

impl FilterKind {
    /// As the file writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Set { .. } => "set",
            Self::Default { .. } => "default",
            Self::Remove { .. } => "remove",
            Self::Keep { .. } => "keep",
            Self::Rename { .. } => "rename",
            Self::Sanitize(_) => "sanitize",
            Self::Level(_) => "level",
            Self::Time(_) => "time",
            Self::Mask(_) => "mask",
            Self::Hash { .. } => "hash",
            Self::Encrypt { .. } => "encrypt",
            Self::Parse(_) => "parse",
            Self::Drop => "drop",
            Self::KeepIf { .. } => "keep_if",
            Self::Sample { .. } => "sample",
            Self::Throttle(_) => "throttle",
            Self::Retag { .. } => "retag",
            Self::Relabel { .. } => "relabel",
            Self::Validate(_) => "validate",
            Self::Multiline(_) => "multiline",
            #[cfg(feature = "remap")]
            Self::Remap(_) => "remap",
        }
    }

    /// Whether it may find events invalid, for which an output with `invalid = true` has to be there.
    pub fn judges(&self) -> bool {
        match self {
            Self::Validate(_) => true,
            Self::Parse(parse) => matches!(parse.on_error, OnError::Invalid { .. }),
            #[cfg(feature = "remap")]
            Self::Remap(remap) => [remap.on_error, remap.on_abort].contains(&RemapEnd::Invalid),
            _ => false,
        }
    }
}
