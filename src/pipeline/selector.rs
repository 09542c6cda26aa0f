//! The events of a chunk that are for one output, filtered.

use std::sync::Arc;

use super::event::{Event, Source};
use super::filter::{Context, Draft, Filter, Scratch, Waiting};
use super::record::RecordBuffer;
use super::route::Routes;
use super::tag_decisions::TagDecisions;
use super::walk::Walk;
use crate::config::{FilterConfig, OutputConfig};
use crate::wire::entry::Entries;

/// Filters and routes of a configuration, ready to run.
#[derive(Debug, Clone)]
pub struct Pipeline {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) filters: Vec<Filter>,
    pub(super) routes: Routes,
    pub(super) server: String,
}

impl Shared {
    pub(super) fn new(filters: Vec<Filter>, routes: Routes, server_name: &str) -> Self {
        Self { filters, routes, server: server_name.to_owned() }
    }
}

impl Pipeline {
    /// Filters apply in their order; `server_name` is what `{@server}` says.
    pub fn new(filters: &[FilterConfig], outputs: &[OutputConfig], server_name: &str) -> Self {
        let filters = filters.iter().map(Filter::new).collect();
        Self { shared: Arc::new(Shared::new(filters, Routes::new(outputs), server_name)) }
    }

    /// For the reader of one output; `None` where no output has this `id`.
    pub fn selector(&self, output_id: &str) -> Option<Selector> {
        let output = self.shared.routes.find(output_id)?;
        Some(Selector {
            shared: self.shared.clone(),
            decisions: TagDecisions::new(output),
            buffer: RecordBuffer::default(),
            scratch: Scratch::default(),
            waiting: self.shared.filters.iter().map(|_| Waiting::default()).collect(),
        })
    }
}

/// Picks and filters events for one output. Keeps its memory from chunk to chunk.
#[derive(Debug)]
pub struct Selector {
    shared: Arc<Shared>,
    decisions: TagDecisions,
    buffer: RecordBuffer,
    scratch: Scratch,
    /// What each filter holds back until it has seen the next events of the chunk.
    waiting: Vec<Waiting>,
}

/// What became of the entries of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Handed to the sink.
    pub taken: u64,
    /// For other outputs.
    pub left: u64,
    /// Entries that are no events; where the bytes end being msgpack, the rest counts as one.
    pub bad: u64,
    /// Dropped by a filter.
    pub dropped: u64,
    /// Made part of the event before.
    pub joined: u64,
}

impl Selector {
    /// Whether any event of this tag can be for this output. Cheap: readers skip whole chunks by it.
    pub fn wants(&mut self, tag: &[u8]) -> bool {
        self.decisions.decide(&self.shared, tag).wants
    }

    /// Walks over a run of entries in plain (inflated) msgpack, and hands those that are for this output to `sink`, in
    /// their order, as the filters left them.
    ///
    /// # Errors
    ///
    /// What `sink` returns; the events behind that one are not looked at.
    pub fn for_each<E>(
        &mut self,
        source: &Source<'_>,
        entries: &[u8],
        mut sink: impl FnMut(&Event<'_>) -> Result<(), E>,
    ) -> Result<Tally, E> {
        let decision = self.decisions.decide(&self.shared, source.tag);
        let mut tally = Tally::default();
        // A walk that ended early may have left something.
        self.waiting.iter_mut().for_each(Waiting::clear);
        let mut walk = Walk {
            shared: &self.shared,
            decisions: &mut self.decisions,
            scratch: &mut self.scratch,
            waiting: &mut self.waiting,
            tally: &mut tally,
            sink: &mut sink,
        };
        for (index, entry) in Entries::new(entries).enumerate() {
            let Ok(Ok(entry)) = entry else {
                walk.tally.bad += 1;
                continue;
            };
            if !decision.wants {
                walk.tally.left += 1;
                continue;
            }
            let context = Context {
                source,
                server: &self.shared.server,
                time: entry.time.unwrap_or(source.received_at),
                metadata: entry.metadata,
                index: index as u32,
            };
            let record = self.buffer.open(entry.record);
            let draft = Draft { context, record, is_invalid: false };
            walk.pass(draft, &decision, 0)?;
        }
        walk.finish(source)?;
        Ok(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        FileFormat, FileOutputConfig, FilterKind, InjectConfig, OutputKind, OutputTake, StartAt,
    };
    use crate::event_time::EventTime;
    use crate::pipeline::filter::tests::fields;
    use crate::pipeline::json;
    use crate::pipeline::tag_pattern::TagPatterns;
    use crate::pipeline::template::PathTemplate;
    use std::convert::Infallible;
    use std::time::Duration;

    fn output(id: &str, take: OutputTake) -> OutputConfig {
        OutputConfig {
            id: id.to_owned(),
            take,
            start: StartAt::Newest,
            retry_min_interval: Duration::from_secs(1),
            retry_max_interval: Duration::from_secs(30),
            kind: OutputKind::File(FileOutputConfig {
                path: PathTemplate::parse("x").unwrap(),
                path_characters: Default::default(),
                format: FileFormat::Json,
                inject: InjectConfig::default(),
                timezone: jiff::tz::TimeZone::UTC,
                flush_interval: Duration::from_secs(10),
                checkpoint_interval: Duration::from_secs(30),
                buffer_memory: 1,
                max_open_files: 1,
                compression_level: 6,
                undone_max_size: 1,
            }),
        }
    }

    fn tags(text: &str) -> TagPatterns {
        TagPatterns::parse(text).unwrap()
    }

    fn source(tag: &[u8]) -> Source<'_> {
        Source {
            tag,
            position: crate::journal::Position::new(1, 64),
            received_at: EventTime::new(7, 0).unwrap(),
            input: "edge",
            sender: "CN=engine-1",
            source_address: None,
            subject: None,
            fingerprint: None,
        }
    }

    fn pipeline() -> Pipeline {
        let filters = [
            FilterConfig {
                condition: None,
                tags: tags("a.**"),
                kind: FilterKind::Set { fields: fields(&[("type", "{tag[0]}")]) },
            },
            FilterConfig {
                condition: None,
                tags: tags("**"),
                kind: FilterKind::Set { fields: fields(&[("server", "{@server}")]) },
            },
        ];
        let outputs = [
            output("archive", OutputTake::Match { tags: tags("a.**"), condition: None, require: Vec::new() }),
            output("unmatched", OutputTake::Fallback),
        ];
        Pipeline::new(&filters, &outputs, "logserver-1")
    }

    /// `[1, {}]`, an entry that is none, `[nil, {"x": 1}]`.
    const ENTRIES: &[u8] = b"\x92\x01\x80\x01\x92\xc0\x81\xa1x\x01";

    fn selected(output: &str, tag: &[u8], entries: &[u8]) -> (Vec<String>, Tally) {
        let mut events = Vec::new();
        let tally = pipeline()
            .selector(output)
            .unwrap()
            .for_each(&source(tag), entries, |event| {
                let mut text = format!("{} {}", event.index, event.time.seconds()).into_bytes();
                for field in event.record.iter() {
                    text.push(b' ');
                    json::write_key(&mut text, field.key);
                    json::write_value(&mut text, field.value);
                }
                events.push(String::from_utf8(text).unwrap());
                Ok::<_, Infallible>(())
            })
            .unwrap();
        (events, tally)
    }

    #[test]
    fn events_are_filtered_by_tag_and_keep_their_place_and_time() {
        let (events, tally) = selected("archive", b"a.b", ENTRIES);
        assert_eq!(
            events,
            [r#"0 1 "type""a" "server""logserver-1""#, r#"2 7 "x"1 "type""a" "server""logserver-1""#]
        );
        assert_eq!(tally, Tally { taken: 2, left: 0, bad: 1, ..Tally::default() });
        let (events, tally) = selected("unmatched", b"b", ENTRIES);
        assert_eq!(events, [r#"0 1 "server""logserver-1""#, r#"2 7 "x"1 "server""logserver-1""#]);
        assert_eq!(tally, Tally { taken: 2, left: 0, bad: 1, ..Tally::default() });
    }

    #[test]
    fn events_for_other_outputs_are_counted_as_left() {
        assert_eq!(
            selected("archive", b"b", ENTRIES).1,
            Tally { taken: 0, left: 2, bad: 1, ..Tally::default() }
        );
        let cut = &ENTRIES[..ENTRIES.len() - 1];
        assert_eq!(selected("archive", b"a", cut).1, Tally { taken: 1, left: 0, bad: 2, ..Tally::default() });
    }

    #[test]
    fn whole_tags_can_be_skipped() {
        let mut archive = pipeline().selector("archive").unwrap();
        assert!(archive.wants(b"a.b"));
        assert!(!archive.wants(b"b"));
        assert!(archive.wants(b"a.\xff"));
        assert!(pipeline().selector("nobody").is_none());
    }

    #[test]
    fn the_sink_can_stop_the_walk() {
        let mut archive = pipeline().selector("archive").unwrap();
        let mut seen = 0;
        let result = archive.for_each(&source(b"a"), ENTRIES, |_| {
            seen += 1;
            Err("full")
        });
        assert_eq!((result, seen), (Err("full"), 1));
    }
}
