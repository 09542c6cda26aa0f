//! Filters: what changes a record on its way from the journal to an output. One file a `type`.

mod default;
mod remove;
mod set;

use default::Default;
use remove::Remove;
use set::Set;

use super::event::{Event, Source};
use super::record::RecordEditor;
use super::tag_pattern::TagPatterns;
use super::template::ValueRenderer;
use crate::config::{FilterConfig, FilterKind};
use crate::event_time::EventTime;

/// One `[[filter]]`, ready to run.
#[derive(Debug)]
pub(super) struct Filter {
    /// The tags whose events it changes. No filter changes a tag.
    pub(super) tags: TagPatterns,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Set(Set),
    Default(Default),
    Remove(Remove),
}

/// What filters see of an event beside the record that they change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) server: &'a str,
    pub(super) time: EventTime,
    pub(super) metadata: Option<&'a [u8]>,
    pub(super) index: u32,
}

impl<'a> Context<'a> {
    /// The event as it is after the filters so far.
    pub(super) fn event<'e>(&self, record: &'e RecordEditor<'_>) -> Event<'e>
    where
        'a: 'e,
    {
        let Self { source, server, time, metadata, index } = *self;
        Event { source, server, time, metadata, record: record.fields(), index }
    }
}

impl Filter {
    pub(super) fn new(config: &FilterConfig) -> Self {
        let kind = match config.kind.clone() {
            FilterKind::Set { fields } => Kind::Set(Set { fields }),
            FilterKind::Default { fields } => Kind::Default(Default { fields }),
            FilterKind::Remove { fields } => Kind::Remove(Remove { fields }),
        };
        Self { tags: config.tags.clone(), kind }
    }

    /// Changes the record of one event.
    pub(super) fn apply(
        &self,
        context: &Context<'_>,
        record: &mut RecordEditor<'_>,
        renderer: &mut ValueRenderer,
    ) {
        match &self.kind {
            Kind::Set(set) => set.apply(context, record, renderer),
            Kind::Default(default) => default.apply(context, record, renderer),
            Kind::Remove(remove) => remove.apply(record),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pipeline::field_path::FieldPath;
    use crate::pipeline::json;
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
        let filter = Filter::new(&FilterConfig { tags: TagPatterns::parse("**").unwrap(), kind });
        let time = EventTime::new(1_771_322_400, 0).unwrap();
        let source = Source {
            tag: b"nginx.access",
            received_at: time,
            input: "edge",
            sender: "CN=engine-1",
            source_address: None,
            subject: None,
            fingerprint: None,
            alternative_names: &[],
            host_name: None,
            user: None,
        };
        let context = Context { source: &source, server: "logserver-1", time, metadata: None, index: 0 };
        let mut buffer = RecordBuffer::default();
        let mut editor = buffer.open(record);
        filter.apply(&context, &mut editor, &mut ValueRenderer::default());
        let mut out = Vec::new();
        for field in editor.fields().iter() {
            json::write_key(&mut out, field.key);
            out.push(b'=');
            json::write_value(&mut out, field.value);
            out.push(b' ');
        }
        String::from_utf8(out).unwrap()
    }
}
