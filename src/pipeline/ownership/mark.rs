//! What a disowned event carries into the store for invalid events.

use super::{Claims, Reason};
use crate::pipeline::event::Source;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::record::RecordEditor;
use crate::wire::msgpack::write_str;

/// The fields that it gets.
#[derive(Debug, Clone)]
pub(in crate::pipeline) struct Mark {
    reason: FieldPath,
    sender: FieldPath,
}

impl Default for Mark {
    /// `invalid_reason`, as filters write it by default, and `invalid_sender`.
    fn default() -> Self {
        Self { reason: FieldPath::of_key("invalid_reason"), sender: FieldPath::of_key("invalid_sender") }
    }
}

impl Mark {
    /// Writes both, whatever the sender or a filter wrote there.
    pub(in crate::pipeline) fn write(
        &self,
        record: &mut RecordEditor<'_>,
        claims: &Claims,
        (reason, number): (Reason, usize),
        source: &Source<'_>,
    ) {
        for (field, text) in
            [(&self.reason, claims.explain(reason, number)), (&self.sender, source.sender.to_owned())]
        {
            let mut value = Vec::with_capacity(text.len() + 5);
            write_str(&mut value, text.as_bytes());
            record.set(field, &value);
        }
    }
}
