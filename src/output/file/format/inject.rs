//! `inject`: fields that are added as a record is written.

use crate::config::InjectConfig;
use crate::pipeline::json::write_string;
use crate::pipeline::time_format::TimeWriter;
use crate::pipeline::{Event, RecordField, RecordFields};
use crate::wire::msgpack::write_str;

/// The fields that `inject` adds: in place of those of the same name, else behind the last one.
#[derive(Debug)]
pub(super) struct Inject {
    tag: Option<Injected>,
    time: Option<(Injected, TimeWriter)>,
}

#[derive(Debug)]
struct Injected {
    name: Vec<u8>,
    /// The encoded name and, for the event at hand, the encoded value with [`BEHIND`] it.
    key: Vec<u8>,
    value: Vec<u8>,
    /// A comma, the name as JSON writes it, and a colon.
    json: Vec<u8>,
}

/// What follows a value in memory, as most values in a record are followed by others: JSON is written quicker then.
const BEHIND: [u8; 16] = [0; 16];

impl Injected {
    fn new(name: &str) -> Self {
        let mut key = Vec::new();
        write_str(&mut key, name.as_bytes());
        let mut json = vec![b','];
        write_string(&mut json, name.as_bytes());
        json.push(b':');
        Self { name: name.as_bytes().to_vec(), key, value: BEHIND.to_vec(), json }
    }

    fn set(&mut self, text: &[u8]) {
        self.value.clear();
        write_str(&mut self.value, text);
        self.value.extend_from_slice(&BEHIND);
    }

    fn value(&self) -> &[u8] {
        &self.value[..self.value.len() - BEHIND.len()]
    }

    fn field(&self) -> RecordField<'_> {
        RecordField { key: &self.key, name: Some(&self.name), value: self.value() }
    }
}

/// The injected fields that are still to be written.
#[derive(Debug)]
pub(super) struct Missing<'a> {
    tag: Option<&'a Injected>,
    time: Option<&'a Injected>,
}

impl<'a> Missing<'a> {
    /// The value of the one of this name, and what lies behind it; it is then missing no more.
    #[inline]
    pub(super) fn take(&mut self, name: &[u8]) -> Option<&'a [u8]> {
        let has_name = |injected: &mut &Injected| injected.name == name;
        let taken = self.tag.take_if(has_name).or_else(|| self.time.take_if(has_name))?;
        Some(&taken.value)
    }

    /// The names as JSON has them behind another member, with their colons, and the values with what lies behind them.
    pub(super) fn rest(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.tag.into_iter().chain(self.time).map(|injected| (&injected.json[..], &injected.value[..]))
    }
}

impl Inject {
    pub(super) fn new(config: &InjectConfig) -> Self {
        Self {
            tag: config.tag.as_deref().map(Injected::new),
            time: config.time.as_ref().map(|(name, format)| (Injected::new(name), TimeWriter::new(format))),
        }
    }

    /// Works out the values for an event.
    pub(super) fn prepare(&mut self, event: &Event<'_>) {
        if let Some(tag) = &mut self.tag {
            tag.set(event.source.tag);
        }
        if let Some((time, writer)) = &mut self.time {
            time.set(writer.format(event.time));
        }
    }

    /// The injected value of a top-level field.
    #[inline]
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.injected().find(|injected| injected.name == name).map(Injected::value)
    }

    /// Those that no field of a record has replaced yet.
    #[inline]
    pub(super) fn missing(&self) -> Missing<'_> {
        Missing { tag: self.tag.as_ref(), time: self.time.as_ref().map(|(time, _)| time) }
    }

    /// The fields of the record and the injected ones, as they are written.
    #[inline]
    pub(super) fn fields<'a>(&'a self, record: RecordFields<'a>) -> impl Iterator<Item = RecordField<'a>> {
        let replaced = record.iter().map(|field| match field.name.and_then(|name| self.get(name)) {
            Some(value) => RecordField { value, ..field },
            None => field,
        });
        replaced.chain(self.appended(record))
    }

    /// How many fields [`fields`](Self::fields) gives.
    pub(super) fn count(&self, record: RecordFields<'_>) -> u32 {
        record.len().saturating_add(self.appended(record).count() as u32)
    }

    fn appended<'a>(&'a self, record: RecordFields<'a>) -> impl Iterator<Item = RecordField<'a>> {
        self.injected().filter(move |injected| record.get_name(&injected.name).is_none()).map(Injected::field)
    }

    fn injected(&self) -> impl Iterator<Item = &Injected> {
        self.tag.iter().chain(self.time.iter().map(|(time, _)| time))
    }
}
