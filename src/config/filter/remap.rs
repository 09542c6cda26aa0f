//! `type = "remap"`

use crate::pipeline::field_path::FieldPath;
use crate::pipeline::remap::Program;

/// `type = "remap"`
#[derive(Debug, Clone)]
pub struct RemapConfig {
    /// `source`, or what is in `file`.
    pub program: Program,
    pub on_error: RemapEnd,
    pub on_abort: RemapEnd,
    /// The field that gets the reason.
    pub reason: FieldPath,
}

/// What becomes of an event whose program did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemapEnd {
    /// It goes on as it was.
    Keep,
    /// It goes on as it was, with the reason in a field.
    Field,
    /// It is dropped.
    Drop,
    /// It goes to the output with `invalid = true` as it was, with the reason in a field.
    Invalid,
}

impl RemapEnd {
    /// Each with its name.
    pub const NAMES: [(&'static str, Self); 4] =
        [("keep", Self::Keep), ("field", Self::Field), ("drop", Self::Drop), ("invalid", Self::Invalid)];
}
