//! What the tests of single filters have in common.

use super::*;
use crate::config::{FilterConfig, FilterKind};
use crate::event_time::EventTime;
use crate::pipeline::event::Source;
use crate::pipeline::field_path::FieldPath;
use crate::pipeline::json;
use crate::pipeline::ownership::Claim;
use crate::pipeline::record::RecordBuffer;
use crate::pipeline::template::ValueTemplate;

pub(crate) fn fields(fields: &[(&str, &str)]) -> Vec<(FieldPath, ValueTemplate)> {
    let field = |(name, value): &(&str, &str)| {
        (FieldPath::parse(name).unwrap(), ValueTemplate::parse(value).unwrap())
    };
    fields.iter().map(field).collect()
}

/// The fields of a record after one filter.
pub(crate) fn filtered(kind: FilterKind, record: &[u8]) -> String {
    let filter = Filter::new(
        1,
        &FilterConfig {
            line: 1,
            pipeline: None,
            tags: TagPatterns::parse("**").unwrap(),
            condition: None,
            kind,
        },
        &Pipelines::default(),
    );
    let time = EventTime::new(1_771_322_400, 0).unwrap();
    let source = Source::of_engine(b"nginx.access", time);
    let mut buffer = RecordBuffer::default();
    let mut draft = Draft {
        context: Context { source: &source, server: "logserver-1", time, metadata: None, index: 0 },
        record: buffer.open(record),
        is_invalid: false,
        claim: Claim::Fits,
    };
    filter.apply(&mut draft, &mut Scratch::default(), &mut Waiting::default());
    let mut out = Vec::new();
    for field in draft.record.fields().iter() {
        json::write_key(&mut out, field.key);
        out.push(b'=');
        json::write_value(&mut out, field.value);
        out.push(b' ');
    }
    String::from_utf8(out).unwrap()
}
