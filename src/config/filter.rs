//! `[[filter]]`

use crate::pipeline::field_path::FieldPath;
use crate::pipeline::tag_pattern::TagPatterns;
use crate::pipeline::template::ValueTemplate;

/// One `[[filter]]`.
#[derive(Debug, Clone)]
pub struct FilterConfig {
    /// `match`; default `**`.
    pub tags: TagPatterns,
    pub kind: FilterKind,
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
}
