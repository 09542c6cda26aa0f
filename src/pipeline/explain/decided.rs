//! The way of an event of which everything is known.

use std::sync::Arc;

use super::target::Target;
use super::{Answer, Change, FilterAnswer, OutputAnswer, Plan, SECONDARY, listed, not_here};
use crate::config::{FilterConfig, FilterKind, OutputConfig, OutputTake};
use crate::event_time::EventTime;
use crate::pipeline::event::{Event, Source};
use crate::pipeline::filter::{Context, Draft, Filter, Scratch, Verdict, Waiting};
use crate::pipeline::json::write_value;
use crate::pipeline::ownership::{Claim, Claims, Held, KnownSenders};
use crate::pipeline::record::{RecordBuffer, RecordFields};
use crate::pipeline::route::is_known;

pub(super) fn explain(
    plan: &Plan<'_>,
    source: &Source<'_>,
    time: EventTime,
    record: &[u8],
) -> (Vec<FilterAnswer>, Vec<OutputAnswer>) {
    let mut walk = Walk {
        plan,
        source,
        claims: KnownSenders::default().claims(&plan.ownership, source),
        scratch: Scratch::default(),
        answers: Vec::new(),
        ends: Vec::new(),
        ended: None,
    };
    let mut start = State {
        pipeline: plan.entry,
        time,
        record: record.to_vec(),
        tag: source.tag.to_vec(),
        is_invalid: false,
        found_invalid: None,
        claim: Claim::Fits,
    };
    walk.look_at_claim(&mut start, |claims, record| claims.check(record));
    walk.way(start.clone());
    let outputs = plan.config.outputs.iter().map(|output| walk.output(output, &start)).collect();
    (walk.answers, outputs)
}

struct Walk<'a> {
    plan: &'a Plan<'a>,
    source: &'a Source<'a>,
    /// What the sender may write; `None`: anything.
    claims: Option<Arc<Claims>>,
    scratch: Scratch,
    answers: Vec<FilterAnswer>,
    /// What is left of the event at the end of each pipeline that it comes to.
    ends: Vec<State>,
    /// A filter that drops it.
    ended: Option<String>,
}

/// The event as the filters so far left it.
#[derive(Clone)]
struct State {
    pipeline: usize,
    time: EventTime,
    record: Vec<u8>,
    tag: Vec<u8>,
    is_invalid: bool,
    /// Who found it so.
    found_invalid: Option<String>,
    claim: Claim,
}

impl Walk<'_> {
    /// Through the filters of a pipeline, and of those that they send it to.
    fn way(&mut self, mut state: State) {
        let plan = self.plan;
        for (index, (filter, config)) in plan.filters.iter().zip(&plan.config.filters).enumerate() {
            if filter.pipeline != state.pipeline {
                continue;
            }
            let (answer, verdict) = self.filter(index + 1, filter, config, &mut state);
            self.answers.push(answer);
            match verdict {
                Verdict::Dropped => {
                    self.ended = Some(format!("filter {}", index + 1));
                    return;
                }
                Verdict::Relabelled => {
                    for pipeline in filter.relabel().map_or(&[][..], |relabel| &relabel.to) {
                        self.way(State { pipeline: *pipeline, ..state.clone() });
                    }
                    return;
                }
                _ => {}
            }
        }
        if state.claim == Claim::Open {
            self.look_at_claim(&mut state, |claims, record| claims.check_filled(record));
        }
        self.ends.push(state);
    }

    /// Sees how the event stands to what its sender may write, as long as it may be its sender's.
    fn look_at_claim(&self, state: &mut State, look: impl Fn(&Claims, RecordFields<'_>) -> Claim) {
        let Some(claims) = &self.claims else { return };
        if matches!(state.claim, Claim::Disowned(..)) {
            return;
        }
        let mut buffer = RecordBuffer::default();
        state.claim = look(claims, buffer.open(&state.record).fields());
        if let Claim::Disowned(reason, number) = state.claim {
            state.is_invalid = true;
            let why = claims.explain(reason, number);
            state.found_invalid = Some(format!("the input `{}` ({why})", self.source.input));
        }
    }

    fn filter(
        &mut self,
        number: usize,
        filter: &Filter,
        config: &FilterConfig,
        state: &mut State,
    ) -> (FilterAnswer, Verdict) {
        let tag = state.tag();
        let skipped = |reason| (FilterAnswer::new(number, config, Answer::No, reason), Verdict::Passes);
        if !config.tags.matches(&tag) {
            return skipped(format!("its match `{}` does not take the tag `{tag}`", config.tags));
        }
        if let Some(condition) = &config.condition
            && !self.with_event(state, |event| condition.holds(event))
        {
            return skipped(format!("its where `{condition}` does not hold"));
        }
        let mut answer = FilterAnswer::new(number, config, Answer::Yes, String::new());
        let (before, was_invalid) = (state.record.clone(), state.is_invalid);
        let verdict = match &config.kind {
            FilterKind::Multiline(_) | FilterKind::Sample { by: None, .. } => Verdict::Passes,
            _ => self.apply(filter, state),
        };
        if self.plan.ownership.watches(number - 1) {
            let mut held = Held::default();
            if let Some(claims) = &self.claims {
                claims.hold(RecordBuffer::default().open(&before).fields(), &mut held);
            }
            let claim = state.claim;
            self.look_at_claim(state, |claims, record| claims.check_brought(record, &held, claim));
        }
        answer.changes = changes(&before, &state.record);
        answer.effect = match (&config.kind, verdict) {
            (FilterKind::Multiline(_), _) => {
                Some("lines of the same chunk that belong to it would be joined to it".to_owned())
            }
            (FilterKind::Sample { one_in, by: None }, _) => {
                Some(format!("one event in {one_in} stays, by its place in the journal; say that it does"))
            }
            (_, Verdict::Dropped) => Some("the event ends here".to_owned()),
            (_, Verdict::Retagged) => {
                state.tag = std::mem::take(&mut self.scratch.tag);
                Some(format!("the tag becomes `{}`", state.tag()))
            }
            (FilterKind::Relabel { to }, _) => Some(format!("the event goes to {}", listed(to))),
            _ if state.is_invalid && !was_invalid && state.found_invalid.is_none() => {
                state.found_invalid = Some(format!("filter {number}"));
                Some("it finds the event invalid".to_owned())
            }
            _ => None,
        };
        (answer, verdict)
    }

    fn apply(&mut self, filter: &Filter, state: &mut State) -> Verdict {
        let source = Source { tag: &state.tag, ..*self.source };
        let (server, time) = (self.plan.server, state.time);
        let context = Context { source: &source, server, time, metadata: None, index: 0 };
        let mut buffer = RecordBuffer::default();
        let mut draft = Draft {
            context,
            record: buffer.open(&state.record),
            is_invalid: state.is_invalid,
            claim: state.claim,
        };
        let verdict = filter.apply(&mut draft, &mut self.scratch, &mut Waiting::default());
        let mut record = Vec::new();
        draft.record.fields().write(&mut record);
        (state.time, state.is_invalid) = (draft.context.time, draft.is_invalid);
        state.record = record;
        verdict
    }

    fn with_event<R>(&self, state: &State, use_event: impl FnOnce(&Event<'_>) -> R) -> R {
        let source = Source { tag: &state.tag, ..*self.source };
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(&state.record);
        let (server, time, record) = (self.plan.server, state.time, editor.fields());
        use_event(&Event { source: &source, server, time, metadata: None, record, index: 0 })
    }

    fn output(&self, config: &OutputConfig, start: &State) -> OutputAnswer {
        let (end, takes, reason) = match &config.take {
            OutputTake::Match { .. } => {
                let its = self.plan.pipelines.find(config.pipeline.as_deref());
                match self.ends.iter().find(|end| end.pipeline == its) {
                    Some(end) => (end, self.takes(config, end), self.why_match(config, end)),
                    None => (start, false, self.why_nothing(config)),
                }
            }
            OutputTake::Invalid => match self.ends.iter().find(|end| self.takes(config, end)) {
                Some(end) => (end, true, self.why_invalid(end)),
                None if self.ends.is_empty() => (start, false, self.why_nothing(config)),
                None => {
                    (start, false, "no filter finds the event invalid, and no output refuses it".to_owned())
                }
            },
            OutputTake::Secondary => (start, false, SECONDARY.to_owned()),
            OutputTake::Fallback => match self.ends.first() {
                Some(end) if self.ends.iter().all(|end| self.takes(config, end)) => {
                    (end, true, "no other output takes it".to_owned())
                }
                Some(_) => (start, false, self.why_not_fallback()),
                None => (start, false, self.why_nothing(config)),
            },
        };
        let target = self.with_event(end, |event| Target::of(config, event));
        OutputAnswer::new(config, (if takes { Answer::Yes } else { Answer::No }, reason), target)
    }

    /// What the server does at the end of a pipeline.
    fn takes(&self, config: &OutputConfig, end: &State) -> bool {
        let routes = &self.plan.routes;
        let Some(output) = routes.find(&config.id) else { return false };
        if end.is_invalid {
            return routes.takes_invalid(output);
        }
        let decision = routes.decide(output, end.pipeline, &end.tag());
        self.with_event(end, |event| routes.takes(&decision, event))
    }

    fn why_nothing(&self, config: &OutputConfig) -> String {
        match &self.ended {
            Some(filter) => format!("{filter} ends the event"),
            None => not_here(config),
        }
    }

    fn why_match(&self, config: &OutputConfig, end: &State) -> String {
        let OutputTake::Match { tags, condition, require } = &config.take else { return String::new() };
        let tag = end.tag();
        if let Some(filter) = &end.found_invalid {
            return format!("{filter} finds the event invalid");
        }
        if !tags.matches(&tag) {
            return format!("its match `{tags}` does not take the tag `{tag}`");
        }
        self.with_event(end, |event| {
            if let Some(condition) = condition
                && !condition.holds(event)
            {
                return format!("its where `{condition}` does not hold");
            }
            let unknown: Vec<_> = require.iter().filter(|path| !is_known(event.record, path)).collect();
            match unknown.is_empty() {
                true => format!("its match `{tags}` takes the tag `{tag}`"),
                false => format!("it requires {}, missing, empty or unknown", listed(&unknown)),
            }
        })
    }

    fn why_invalid(&self, end: &State) -> String {
        if let Some(filter) = &end.found_invalid {
            return format!("{filter} finds the event invalid");
        }
        let refusing = self.ids(|config| self.refuses(config, end));
        format!("{} {} it", listed(&refusing), if refusing.len() == 1 { "refuses" } else { "refuse" })
    }

    fn why_not_fallback(&self) -> String {
        let taking = self.ids(|config| {
            !matches!(config.take, OutputTake::Fallback)
                && self.ends.iter().any(|end| self.takes(config, end))
        });
        format!("{} {} it", listed(&taking), if taking.len() == 1 { "has" } else { "have" })
    }

    /// Whether the output matches, and its `require` does not let the event in.
    fn refuses(&self, config: &OutputConfig, end: &State) -> bool {
        let OutputTake::Match { tags, condition, require } = &config.take else { return false };
        self.plan.pipelines.find(config.pipeline.as_deref()) == end.pipeline
            && tags.matches(&end.tag())
            && self.with_event(end, |event| {
                condition.as_ref().is_none_or(|condition| condition.holds(event))
                    && !require.iter().all(|path| is_known(event.record, path))
            })
    }

    fn ids(&self, is_meant: impl Fn(&OutputConfig) -> bool) -> Vec<&str> {
        let meant = self.plan.config.outputs.iter().filter(|config| is_meant(config));
        meant.map(|config| config.id.as_str()).collect()
    }
}

impl State {
    fn tag(&self) -> String {
        String::from_utf8_lossy(&self.tag).into_owned()
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
    let gone = before.into_iter().map(|(field, value)| Change { field, before: Some(value), after: None });
    changes.extend(gone);
    changes.sort_by(|left, right| left.field.cmp(&right.field));
    changes
}

/// As JSON; none where the record is nested deeper than a reader of JSON goes.
fn fields(record: &[u8]) -> serde_json::Map<String, serde_json::Value> {
    let mut text = Vec::new();
    write_value(&mut text, record);
    serde_json::from_slice(&text).unwrap_or_default()
}
