//! The way of an event of which everything is known.

use super::target::Target;
use super::{Answer, Change, FilterAnswer, OutputAnswer, listed};
use crate::config::{Config, FilterConfig, FilterKind, OutputConfig, OutputTake};
use crate::event_time::EventTime;
use crate::pipeline::event::{Event, Source};
use crate::pipeline::filter::{Context, Draft, Filter, Scratch, Verdict, Waiting};
use crate::pipeline::json::write_value;
use crate::pipeline::record::RecordBuffer;
use crate::pipeline::route::{Routes, is_known};

pub(super) struct Walk<'a> {
    config: &'a Config,
    routes: &'a Routes,
    source: &'a Source<'a>,
    server: &'a str,
    time: EventTime,
    /// As the filters so far left it; so are the fields below.
    record: Vec<u8>,
    tag: Vec<u8>,
    is_invalid: bool,
    /// The filter that found it invalid, or that ended it.
    found_invalid: Option<String>,
    ended: Option<String>,
    scratch: Scratch,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        config: &'a Config,
        routes: &'a Routes,
        source: &'a Source<'a>,
        server: &'a str,
        time: EventTime,
        record: &[u8],
    ) -> Self {
        Self {
            config,
            routes,
            source,
            server,
            time,
            record: record.to_vec(),
            tag: source.tag.to_vec(),
            is_invalid: false,
            found_invalid: None,
            ended: None,
            scratch: Scratch::default(),
        }
    }

    pub(super) fn explain(mut self, filters: &[Filter]) -> (Vec<FilterAnswer>, Vec<OutputAnswer>) {
        let mut answers = Vec::with_capacity(filters.len());
        for (index, (filter, config)) in filters.iter().zip(&self.config.filters).enumerate() {
            if self.ended.is_some() {
                break;
            }
            answers.push(self.filter(index + 1, filter, config));
        }
        (answers, self.config.outputs.iter().map(|output| self.output(output)).collect())
    }

    fn filter(&mut self, number: usize, filter: &Filter, config: &FilterConfig) -> FilterAnswer {
        let tag = String::from_utf8_lossy(&self.tag).into_owned();
        let skipped = |reason| FilterAnswer::new(number, config, Answer::No, reason);
        if !config.tags.matches(&tag) {
            return skipped(format!("its match `{}` does not take the tag `{tag}`", config.tags));
        }
        if let Some(condition) = &config.condition
            && !self.with_event(|event| condition.holds(event))
        {
            return skipped(format!("its where `{condition}` does not hold"));
        }
        let mut answer = FilterAnswer::new(number, config, Answer::Yes, String::new());
        if matches!(config.kind, FilterKind::Multiline(_)) {
            answer.effect =
                Some("lines of the same chunk that belong to it would be joined to it".to_owned());
            return answer;
        }
        let (before, was_invalid) = (self.record.clone(), self.is_invalid);
        let verdict = self.apply(filter);
        answer.changes = changes(&before, &self.record);
        let this = format!("filter {number}");
        answer.effect = match (&config.kind, verdict) {
            (FilterKind::Sample { one_in, by: None }, _) => {
                Some(format!("one event in {one_in} stays, by its place in the journal; here it does"))
            }
            (_, Verdict::Dropped) => {
                self.ended = Some(this);
                Some("the event ends here".to_owned())
            }
            (_, Verdict::Retagged) => {
                self.tag = std::mem::take(&mut self.scratch.tag);
                Some(format!("the tag becomes `{}`", String::from_utf8_lossy(&self.tag)))
            }
            _ if self.is_invalid && !was_invalid => {
                self.found_invalid = Some(this);
                Some("it finds the event invalid".to_owned())
            }
            _ => None,
        };
        answer
    }

    fn apply(&mut self, filter: &Filter) -> Verdict {
        let source = Source { tag: &self.tag, ..*self.source };
        let context =
            Context { source: &source, server: self.server, time: self.time, metadata: None, index: 0 };
        let mut buffer = RecordBuffer::default();
        let mut draft = Draft { context, record: buffer.open(&self.record), is_invalid: self.is_invalid };
        let verdict = filter.apply(&mut draft, &mut self.scratch, &mut Waiting::default());
        let mut record = Vec::new();
        draft.record.fields().write(&mut record);
        (self.time, self.is_invalid) = (draft.context.time, draft.is_invalid);
        self.record = record;
        verdict
    }

    fn with_event<R>(&self, use_event: impl FnOnce(&Event<'_>) -> R) -> R {
        let source = Source { tag: &self.tag, ..*self.source };
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(&self.record);
        use_event(&Event {
            source: &source,
            server: self.server,
            time: self.time,
            metadata: None,
            record: editor.fields(),
            index: 0,
        })
    }

    fn output(&self, config: &OutputConfig) -> OutputAnswer {
        self.with_event(|event| {
            let target = Target::of(config, event);
            if let Some(filter) = &self.ended {
                return OutputAnswer::new(config, (Answer::No, format!("{filter} ends the event")), target);
            }
            let takes = self.takes(config, event);
            let reason = match &config.take {
                OutputTake::Match { .. } => self.why_match(config, event),
                OutputTake::Invalid => self.why_invalid(takes, event),
                OutputTake::Fallback => self.why_fallback(takes, event),
            };
            let takes = if takes { Answer::Yes } else { Answer::No };
            OutputAnswer::new(config, (takes, reason), target)
        })
    }

    /// What the server does.
    fn takes(&self, config: &OutputConfig, event: &Event<'_>) -> bool {
        let Some(output) = self.routes.find(&config.id) else { return false };
        if self.is_invalid {
            return self.routes.takes_invalid(output);
        }
        let decision = self.routes.decide(output, &String::from_utf8_lossy(event.source.tag));
        self.routes.takes(&decision, event)
    }

    fn why_match(&self, config: &OutputConfig, event: &Event<'_>) -> String {
        let OutputTake::Match { tags, condition, require } = &config.take else { return String::new() };
        let tag = String::from_utf8_lossy(event.source.tag);
        if let Some(filter) = &self.found_invalid {
            return format!("{filter} finds the event invalid");
        }
        if !tags.matches(&tag) {
            return format!("its match `{tags}` does not take the tag `{tag}`");
        }
        if let Some(condition) = condition
            && !condition.holds(event)
        {
            return format!("its where `{condition}` does not hold");
        }
        let unknown: Vec<_> = require.iter().filter(|path| !is_known(event.record, path)).collect();
        if !unknown.is_empty() {
            return format!("it requires {}, missing, empty or unknown", listed(&unknown));
        }
        format!("its match `{tags}` takes the tag `{tag}`")
    }

    fn why_invalid(&self, takes: bool, event: &Event<'_>) -> String {
        if let Some(filter) = &self.found_invalid {
            return format!("{filter} finds the event invalid");
        }
        if !takes {
            return "no filter finds the event invalid, and no output refuses it".to_owned();
        }
        let refusing = self.ids(|config| self.refuses(config, event));
        format!("{} {} it", listed(&refusing), if refusing.len() == 1 { "refuses" } else { "refuse" })
    }

    fn why_fallback(&self, takes: bool, event: &Event<'_>) -> String {
        if takes {
            return "no other output takes it".to_owned();
        }
        let taking =
            self.ids(|config| !matches!(config.take, OutputTake::Fallback) && self.takes(config, event));
        format!("{} {} it", listed(&taking), if taking.len() == 1 { "has" } else { "have" })
    }

    /// Whether the output matches, and its `require` does not let the event in.
    fn refuses(&self, config: &OutputConfig, event: &Event<'_>) -> bool {
        let OutputTake::Match { tags, condition, require } = &config.take else { return false };
        tags.matches(&String::from_utf8_lossy(event.source.tag))
            && condition.as_ref().is_none_or(|condition| condition.holds(event))
            && !require.iter().all(|path| is_known(event.record, path))
    }

    fn ids(&self, is_meant: impl Fn(&OutputConfig) -> bool) -> Vec<&str> {
        let meant = self.config.outputs.iter().filter(|config| is_meant(config));
        meant.map(|config| config.id.as_str()).collect()
    }
}

/// The top-level fields that differ between two encoded records.
fn changes(before: &[u8], after: &[u8]) -> Vec<Change> {
    let (mut before, after) = (fields(before), fields(after));
    let mut changes = Vec::new();
    for (field, value) in after {
        match before.remove(&field) {
            Some(old) if old == value => {}
            old => changes.push(Change { field, before: old, after: Some(value) }),
        }
    }
    changes.extend(before.into_iter().map(|(field, value)| Change {
        field,
        before: Some(value),
        after: None,
    }));
    changes.sort_by(|left, right| left.field.cmp(&right.field));
    changes
}

/// As JSON; none where the record is nested deeper than a reader of JSON goes.
fn fields(record: &[u8]) -> serde_json::Map<String, serde_json::Value> {
    let mut text = Vec::new();
    write_value(&mut text, record);
    serde_json::from_slice(&text).unwrap_or_default()
}
