//! The events of a chunk that are for one output, filtered.

use std::collections::HashMap;
use std::sync::Arc;

use super::event::{Event, Source};
use super::field_path::FieldPath;
use super::filter::{Context, Draft, Filter, Scratch, Waiting};
use super::fork::Fork;
use super::metadata::{MetadataMerger, OpenGroup};
use super::ownership::{Claim, Disowned, KnownSenders, Mark, Ownership};
use super::pipelines::Pipelines;
use super::record::RecordBuffer;
use super::records::Records;
use super::route::{Decision, Routes};
use super::tag_decisions::TagDecisions;
use super::throttle_state::ThrottleState;
use super::walk::Walk;
use crate::config::{FilterConfig, InputConfig, OutputConfig};
use crate::journal::Position;
use crate::wire::entry::Item;

/// Filters and routes of a configuration, ready to run.
#[derive(Debug, Clone)]
pub struct Pipeline {
    shared: Arc<Shared>,
    /// By the id of an output: what it uses in place of this one before a position, ascending.
    earlier: HashMap<String, Vec<(Position, Pipeline)>>,
}

#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) filters: Arc<[Filter]>,
    pub(super) routes: Arc<Routes>,
    pub(super) pipelines: Pipelines,
    pub(super) server: String,
    /// Where the metadata of events goes, by the `id` of their input.
    metadata_fields: HashMap<String, FieldPath>,
    pub(super) ownership: Ownership,
    pub(super) mark: Mark,
}

impl Shared {
    pub(super) fn new(filters: &[FilterConfig], outputs: &[OutputConfig], server_name: &str) -> Self {
        let pipelines = Pipelines::new(filters, outputs);
        Self {
            filters: filters.iter().map(|filter| Filter::new(filter, &pipelines)).collect(),
            routes: Arc::new(Routes::new(outputs, &pipelines)),
            pipelines,
            server: server_name.to_owned(),
            metadata_fields: HashMap::new(),
            ownership: Ownership::default(),
            mark: Mark::default(),
        }
    }
}

impl Pipeline {
    /// Filters apply in their order; `server_name` is what `{@server}` says.
    pub fn new(filters: &[FilterConfig], outputs: &[OutputConfig], server_name: &str) -> Self {
        Self { shared: Arc::new(Shared::new(filters, outputs, server_name)), earlier: HashMap::new() }
    }

    /// As if there were only these outputs; named pipelines stay, though no output may be left in them.
    pub(crate) fn only_for(self, keep: impl Fn(&str) -> bool) -> Self {
        let routes = Arc::new(self.shared.routes.only(keep));
        Self { shared: Arc::new(Shared { routes, ..Shared::clone(&self.shared) }), ..self }
    }

    /// With others that one output uses for what lies before their positions, which must ascend.
    pub(crate) fn with_earlier(mut self, output_id: &str, earlier: Vec<(Position, Self)>) -> Self {
        self.earlier.insert(output_id.to_owned(), earlier);
        self
    }

    /// With what the inputs say about their events: `pipeline`, `metadata_field`, and what their senders may write.
    pub fn with_inputs(self, inputs: &[InputConfig]) -> Self {
        let field = |input: &InputConfig| Some((input.id.clone(), input.metadata_field.clone()?));
        let metadata_fields = inputs.iter().filter_map(field).collect();
        let shared = Shared::clone(&self.shared);
        let pipelines = shared.pipelines.clone().with_inputs(inputs);
        let ownership = Ownership::new(inputs, shared.filters.iter().map(|filter| &filter.writes));
        Self { shared: Arc::new(Shared { metadata_fields, pipelines, ownership, ..shared }), ..self }
    }

    /// What `{@server}` says.
    pub fn server_name(&self) -> &str {
        &self.shared.server
    }

    /// For the reader of one output; `None` where no output has this `id`.
    pub fn selector(&self, output_id: &str) -> Option<Selector> {
        let output = self.shared.routes.find(output_id)?;
        let earlier = self.earlier.get(output_id).into_iter().flatten();
        let earlier = earlier
            .map(|(until, pipeline)| Some((*until, pipeline.selector(output_id)?)))
            .collect::<Option<_>>()?;
        Some(Selector { earlier, ..Selector::new(Arc::clone(&self.shared), output) })
    }

    /// For the reader of one output that takes every event as it is, past filters and routes.
    pub fn unfiltered(&self, output_id: &str) -> Selector {
        let shared = Shared::new(&[], &[], &self.shared.server);
        let routes = Routes::everything(output_id, shared.pipelines.find(None));
        Selector::new(Arc::new(Shared { routes: Arc::new(routes), ..shared }), 0)
    }
}

/// Picks and filters events for one output. Keeps its memory from chunk to chunk.
#[derive(Debug)]
pub struct Selector {
    /// What is used in place of this one before a position, ascending.
    earlier: Vec<(Position, Self)>,
    /// Which of those was used last; it has the counts of throttle filters.
    in_use: Option<usize>,
    shared: Arc<Shared>,
    decisions: TagDecisions,
    buffer: RecordBuffer,
    scratch: Scratch,
    /// What each filter holds back until it has seen the next events of the chunk.
    waiting: Vec<Waiting>,
    fork: Fork,
    merger: MetadataMerger,
    senders: KnownSenders,
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
    /// Handed to the sink as invalid, since they are not their sender's to write.
    pub disowned: Disowned,
}

impl Selector {
    fn new(shared: Arc<Shared>, output: usize) -> Self {
        Self {
            earlier: Vec::new(),
            in_use: None,
            decisions: TagDecisions::new(&shared, output),
            buffer: RecordBuffer::default(),
            scratch: Scratch::default(),
            waiting: shared.filters.iter().map(|_| Waiting::default()).collect(),
            fork: Fork::default(),
            merger: MetadataMerger::default(),
            senders: KnownSenders::default(),
            shared,
        }
    }

    /// The one for what lies at a position: after a change of the configuration, `fallback` takes more for a while.
    pub fn at(&mut self, position: Position) -> &mut Self {
        let index = self.earlier.iter().position(|(until, _)| position < *until);
        if index != self.in_use {
            // All have the same filters: the counts go along.
            let throttle = std::mem::take(self.throttle_in_use());
            self.in_use = index;
            *self.throttle_in_use() = throttle;
        }
        match index {
            Some(index) => &mut self.earlier[index].1,
            None => self,
        }
    }

    fn throttle_in_use(&mut self) -> &mut ThrottleState {
        match self.in_use {
            Some(index) => &mut self.earlier[index].1.scratch.throttle,
            None => &mut self.scratch.throttle,
        }
    }

    /// Whether any event of this tag from this input can be for this output. Cheap: readers skip whole chunks by it.
    pub fn wants(&mut self, input: &str, tag: &[u8]) -> bool {
        self.decisions.decide(&self.shared, self.shared.pipelines.entry(input), tag).wants
    }

    /// Whether every event of this tag from this input is for this output, as it is. Then [`for_each`](Self::for_each) would
    /// change nothing, metadata that is added apart ([`adds_metadata`](Self::adds_metadata)), and need not be asked.
    /// Never where the input holds its senders to what they may write: that takes a look at every event.
    pub fn passes_whole(&mut self, input: &str, tag: &[u8]) -> bool {
        let decision = self.decisions.decide(&self.shared, self.shared.pipelines.entry(input), tag);
        decision.take == Decision::Always
            && decision.filters.is_empty()
            && !self.shared.ownership.binds(input)
    }

    /// Whether the records of an input get a field with what metadata there is.
    pub fn adds_metadata(&self, input: &str) -> bool {
        self.shared.metadata_fields.contains_key(input)
    }

    /// What `throttle` filters have counted so far; to be saved with how far the output has come.
    pub fn throttled(&self) -> &ThrottleState {
        match self.in_use {
            Some(index) => &self.earlier[index].1.scratch.throttle,
            None => &self.scratch.throttle,
        }
    }

    /// Goes on with the counts that were saved where the output starts to read; `None`: none were, and nothing is counted.
    /// Those of filters that are no more are left out. Bytes that a newer version wrote count for nothing, with a warning.
    pub fn resume(&mut self, encoded: Option<&[u8]>) {
        let is_known = |identity: &_| self.shared.filters.iter().any(|it| it.counts_as() == Some(identity));
        let state =
            encoded.map_or_else(|| Some(ThrottleState::default()), |it| ThrottleState::decode(it, is_known));
        if state.is_none() {
            tracing::warn!(
                "a cursor holds counts of throttle filters that this hikyaku can't read: their windows begin anew"
            );
        }
        *self.throttle_in_use() = state.unwrap_or_default();
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
        sink: impl FnMut(&Event<'_>) -> Result<(), E>,
    ) -> Result<Tally, E> {
        self.for_each_from(source, 0, entries, sink)
    }

    /// As [`for_each`](Self::for_each), for a piece of a large chunk whose first entry has this index. A piece that
    /// begins within a group begins with the group's start mark.
    ///
    /// # Errors
    ///
    /// What `sink` returns; the events behind that one are not looked at.
    pub fn for_each_from<E>(
        &mut self,
        source: &Source<'_>,
        first: u32,
        entries: &[u8],
        mut sink: impl FnMut(&Event<'_>) -> Result<(), E>,
    ) -> Result<Tally, E> {
        let entry = self.shared.pipelines.entry(source.input);
        let decision = self.decisions.decide(&self.shared, entry, source.tag);
        let metadata_field = self.shared.metadata_fields.get(source.input);
        let claims = self.senders.claims(&self.shared.ownership, source);
        let mut group = OpenGroup::default();
        let mut tally = Tally::default();
        // A walk that ended early may have left something.
        self.waiting.iter_mut().for_each(Waiting::clear);
        self.fork.close();
        let mut walk = Walk {
            shared: &self.shared,
            decisions: &mut self.decisions,
            scratch: &mut self.scratch,
            waiting: &mut self.waiting,
            fork: &mut self.fork,
            claims: claims.as_deref(),
            tally: &mut tally,
            sink: &mut sink,
        };
        let mut records = Records::new(entries);
        for index in 0u32.. {
            let Some(item) = records.next(&mut self.buffer) else { break };
            let entry = match item {
                Ok(Item::Event(entry)) => entry,
                Ok(Item::Mark(mark)) => {
                    group.apply(mark);
                    continue;
                }
                Ok(Item::Bad(_)) | Err(_) => {
                    walk.tally.bad += 1;
                    continue;
                }
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
                index: first.wrapping_add(index),
            };
            let mut record = self.buffer.listed(entry.record);
            if let Some(field) = metadata_field
                && let Some(metadata) = self.merger.merge(entry.metadata, &group)
            {
                record.set(field, metadata);
            }
            let mut draft = Draft { context, record, is_invalid: false, claim: Claim::Fits };
            if let Some(claims) = &claims {
                draft.stands(claims.check(draft.record.fields()));
            }
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
            pipeline: None,
            take,
            start: StartAt::Newest,
            retry_min_interval: Duration::from_secs(1),
            retry_max_interval: Duration::from_secs(30),
            backlog: crate::config::BacklogConfig::default(),
            kind: OutputKind::File(Box::new(FileOutputConfig {
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
                compression_threads: 1,
                undone_max_size: 1,
            })),
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
            alternative_names: &[],
            host_name: None,
            user: None,
        }
    }

    fn pipeline() -> Pipeline {
        let filters = [
            FilterConfig {
                line: 1,
                pipeline: None,
                condition: None,
                tags: tags("a.**"),
                kind: FilterKind::Set { fields: fields(&[("type", "{tag[0]}")]) },
            },
            FilterConfig {
                line: 1,
                pipeline: None,
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
    fn metadata_and_that_of_the_group_become_a_field_where_the_input_says_so() {
        // `[[1, {}], {}]`; a group of `[[2, {"o": 1}], {}]` and `[3, {"x": 1}]`; `[[4, {}], {}]`.
        let entries = [
            &b"\x92\x92\x01\x80\x80"[..],
            b"\x92\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x80\x81\xa5scope\x81\xa1n\x07",
            b"\x92\x92\x02\x81\xa1o\x01\x80\x92\x03\x81\xa1x\x01",
            b"\x92\x92\xd7\x00\xff\xff\xff\xfe\0\0\0\0\x80\x80",
            b"\x92\x92\x04\x80\x80",
        ];
        let input = crate::config::Config::parse(
            "[[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\nmetadata_field = \"m.d\"\n\
             [[output]]\nid = \"o\"\ntype = \"file\"\npath = \"x\"\nfallback = true\n",
            None,
            &|_| None,
        );
        let selected = |pipeline: Pipeline, cut: usize| {
            let mut events = Vec::new();
            let mut selector = pipeline.selector("o").unwrap();
            let is_mark = |entry: &&[u8], seconds: u8| {
                entry.starts_with(&[0x92, 0x92, 0xd7, 0, 0xff, 0xff, 0xff, seconds])
            };
            let start = entries.iter().position(|entry| is_mark(entry, 0xff)).unwrap();
            let end = entries.iter().position(|entry| is_mark(entry, 0xfe)).unwrap();
            // As the journal cuts large chunks: a piece that begins within a group begins with its start mark.
            let repeated = if start < cut && cut <= end { entries[start] } else { &[] };
            for part in [entries[..cut].concat(), [repeated, &entries[cut..].concat()].concat()] {
                let tally = selector.for_each(&source(b"a"), &part, |event| {
                    let mut text = Vec::new();
                    for field in event.record.iter() {
                        json::write_key(&mut text, field.key);
                        json::write_value(&mut text, field.value);
                    }
                    events.push(String::from_utf8(text).unwrap());
                    Ok::<_, Infallible>(())
                });
                assert_eq!(tally.unwrap().bad, 0);
            }
            events
        };
        let config = input.unwrap();
        let pipeline = || Pipeline::new(&[], &config.outputs, "logserver-1");
        for cut in 0..=entries.len() {
            assert_eq!(
                selected(pipeline().with_inputs(&config.inputs), cut),
                ["", r#""m"{"d":{"o":1,"scope":{"n":7}}}"#, r#""x"1"m"{"d":{"scope":{"n":7}}}"#, ""],
                "cut at {cut}"
            );
            assert_eq!(selected(pipeline(), cut), ["", "", r#""x"1"#, ""]);
        }
    }

    #[test]
    fn whole_tags_can_be_skipped() {
        let mut archive = pipeline().selector("archive").unwrap();
        assert!(archive.wants("edge", b"a.b"));
        assert!(!archive.wants("edge", b"b"));
        assert!(archive.wants("edge", b"a.\xff"));
        assert!(pipeline().selector("nobody").is_none());
    }

    #[test]
    fn tags_that_no_filter_and_no_condition_touches_pass_whole() {
        let filters = [FilterConfig {
            line: 1,
            pipeline: None,
            tags: tags("a"),
            condition: None,
            kind: FilterKind::Remove { fields: Vec::new() },
        }];
        let require = vec![crate::pipeline::field_path::FieldPath::parse("x").unwrap()];
        let outputs = [
            output("all", OutputTake::Match { tags: tags("**"), condition: None, require: Vec::new() }),
            output("some", OutputTake::Match { tags: tags("b"), condition: None, require }),
            output("rest", OutputTake::Fallback),
        ];
        let pipeline = Pipeline::new(&filters, &outputs, "logserver-1");
        let passes = |output: &str, tag: &[u8]| pipeline.selector(output).unwrap().passes_whole("edge", tag);
        assert!(passes("all", b"b") && passes("all", b"a.b"));
        assert!(!passes("all", b"a"), "a filter changes it");
        assert!(!passes("some", b"b"), "the content decides");
        assert!(!passes("rest", b"b"), "it goes elsewhere");
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
