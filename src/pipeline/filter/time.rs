//! `type = "time"`: the event time out of a field.

use super::{Draft, Failed};
use crate::config::TimeSource;
use crate::pipeline::time_source::time_of;

#[derive(Debug)]
pub(super) struct Time {
    pub(super) source: TimeSource,
}

impl Time {
    /// Where no format fits, the event keeps its time and the field.
    pub(super) fn apply(&self, draft: &mut Draft<'_>) -> Result<(), Failed> {
        let TimeSource { field, formats, timezone, keep_field } = &self.source;
        let Some(value) = draft.record.fields().get(field) else { return Ok(()) };
        let time = formats.iter().find_map(|format| time_of(value, format, timezone)).ok_or(Failed)?;
        draft.context.time = time;
        if !keep_field {
            draft.record.remove(field);
        }
        Ok(())
    }
}
