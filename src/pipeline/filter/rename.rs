//! `type = "rename"`: moves values from field to field.

use super::Draft;
use crate::pipeline::field_path::FieldPath;

#[derive(Debug)]
pub(super) struct Rename {
    pub(super) fields: Vec<(FieldPath, FieldPath)>,
}

impl Rename {
    /// In the order of the configuration.
    pub(super) fn apply(&self, draft: &mut Draft<'_>) {
        for (from, to) in &self.fields {
            draft.record.rename(from, to);
        }
    }
}
