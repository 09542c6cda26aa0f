//! `type = "keep"`: removes all fields but these.

use super::Draft;
use crate::pipeline::field_path::FieldPath;

#[derive(Debug)]
pub(super) struct Keep {
    pub(super) fields: Vec<FieldPath>,
}

impl Keep {
    pub(super) fn apply(&self, draft: &mut Draft<'_>) {
        draft.record.keep_only(&self.fields);
    }
}
