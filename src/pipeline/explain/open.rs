//! The way of an event of which only the tag is known.

use super::possible_tag::{PossibleTag, matches, retagged};
use super::target::Target;
use super::{Answer, FilterAnswer, OutputAnswer, Plan, SECONDARY, listed, not_here};
use crate::config::{FilterConfig, FilterKind, OutputConfig, OutputTake};
use crate::pipeline::event::{Event, Source};
use crate::pipeline::record::RecordBuffer;
use crate::pipeline::route::Decision;

/// An empty map, in place of the record.
const NOTHING: &[u8] = b"\x80";

pub(super) fn explain(plan: &Plan<'_>, source: &Source<'_>) -> (Vec<FilterAnswer>, Vec<OutputAnswer>) {
    let mut walk = Walk { plan, source, answers: Vec::new(), ends: Vec::new(), ended: None };
    let tag = PossibleTag::Known(String::from_utf8_lossy(source.tag).into_owned());
    let judges = match plan.ownership.binds(source.input) {
        true => vec![format!("the input `{}`", source.input)],
        false => Vec::new(),
    };
    walk.way(State { pipeline: plan.entry, tags: vec![tag], gates: Vec::new(), judges });
    let outputs = plan.config.outputs.iter().map(|output| walk.output(output)).collect();
    (walk.answers, outputs)
}

struct Walk<'a> {
    plan: &'a Plan<'a>,
    source: &'a Source<'a>,
    answers: Vec<FilterAnswer>,
    /// What is known at the end of each pipeline that the event may come to.
    ends: Vec<State>,
    /// A filter that drops every event of the tag.
    ended: Option<String>,
}

/// What is known behind the filters so far.
#[derive(Clone)]
struct State {
    pipeline: usize,
    /// At least one.
    tags: Vec<PossibleTag>,
    /// What must have happened for the event to be here.
    gates: Vec<String>,
    /// Who may find it invalid: filters, and an input that binds its senders.
    judges: Vec<String>,
}

/// What becomes of the event behind a filter.
enum Flow {
    GoesOn,
    Ends,
    /// To these pipelines, or perhaps.
    Moves(Vec<usize>, Answer),
}

impl Walk<'_> {
    fn way(&mut self, mut state: State) {
        let plan = self.plan;
        for (index, (filter, config)) in plan.filters.iter().zip(&plan.config.filters).enumerate() {
            if filter.pipeline != state.pipeline {
                continue;
            }
            let (answer, flow) = self.filter(index + 1, config, &mut state);
            self.answers.push(answer);
            match flow {
                Flow::GoesOn => {}
                Flow::Ends => {
                    self.ended = Some(format!("filter {}", index + 1));
                    return;
                }
                Flow::Moves(to, works) => {
                    let this = format!("filter {}", index + 1);
                    for pipeline in to {
                        let mut moved = State { pipeline, ..state.clone() };
                        if works == Answer::If {
                            moved.gates.push(format!("{this} sends it there"));
                        }
                        self.way(moved);
                    }
                    if works == Answer::Yes {
                        return;
                    }
                    state.gates.push(format!("{this} lets it stay"));
                }
            }
        }
        self.ends.push(state);
    }

    fn filter(&mut self, number: usize, config: &FilterConfig, state: &mut State) -> (FilterAnswer, Flow) {
        let (mut works, mut reason) = matches(&config.tags, &state.tags);
        if works != Answer::No
            && let Some(condition) = &config.condition
        {
            works = Answer::If;
            let and = if reason.is_empty() { "" } else { " and " };
            reason = format!("{reason}{and}where `{condition}`");
        }
        let answer = FilterAnswer::new(number, config, works, reason);
        if works == Answer::No {
            return (answer, Flow::GoesOn);
        }
        let (effect, flow) = self.effect(number, config, works, state);
        (FilterAnswer { effect, ..answer }, flow)
    }

    fn effect(
        &mut self,
        number: usize,
        config: &FilterConfig,
        works: Answer,
        state: &mut State,
    ) -> (Option<String>, Flow) {
        let this = format!("filter {number}");
        let passes = format!("{this} lets it pass");
        let effect = match &config.kind {
            FilterKind::Retag { tag } => {
                let render = |template: &_, tag: &str| {
                    self.with_event(tag, |event| PossibleTag::rendered(template, event))
                };
                let new = retagged(&mut state.tags, tag, works == Answer::Yes, render);
                format!("the tag becomes {}", listed(&new))
            }
            FilterKind::Drop if works == Answer::Yes => {
                return (Some("the event ends here".to_owned()), Flow::Ends);
            }
            FilterKind::Drop => {
                state.gates.push(passes);
                "the event ends here".to_owned()
            }
            FilterKind::KeepIf { condition } => {
                state.gates.push(passes);
                format!("the event ends here unless `{condition}`")
            }
            FilterKind::Sample { one_in, .. } => {
                state.gates.push(passes);
                format!("one event in {one_in} stays")
            }
            FilterKind::Relabel { to } => {
                let numbers = to.iter().map(|name| self.plan.pipelines.find(Some(name))).collect();
                let effect = format!("the event goes to {}", listed(to));
                return (Some(effect), Flow::Moves(numbers, works));
            }
            FilterKind::Throttle(throttle) => {
                state.gates.push(passes);
                format!("the event ends here where its window has had {} of its key", throttle.limit)
            }
            #[cfg(feature = "remap")]
            FilterKind::Remap(remap) => {
                state.gates.push(passes);
                if config.kind.judges() {
                    state.judges.push(this);
                }
                if remap.program.retags() {
                    state.tags.push(PossibleTag::Template("%tag".to_owned()));
                }
                "the program may change the event, or end it".to_owned()
            }
            FilterKind::Multiline(_) => {
                "lines of the same chunk that belong to it are joined to it".to_owned()
            }
            kind if kind.judges() => {
                state.judges.push(this);
                "it may find the event invalid".to_owned()
            }
            _ => return (None, Flow::GoesOn),
        };
        (Some(effect), Flow::GoesOn)
    }

    fn with_event<R>(&self, tag: &str, use_event: impl FnOnce(&Event<'_>) -> R) -> R {
        let source = Source { tag: tag.as_bytes(), ..*self.source };
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(NOTHING);
        let (server, time, record) = (self.plan.server, source.received_at, editor.fields());
        use_event(&Event { source: &source, server, time, metadata: None, record, index: 0 })
    }

    fn output(&self, config: &OutputConfig) -> OutputAnswer {
        let its = match config.take {
            OutputTake::Match { .. } => Some(self.plan.pipelines.find(config.pipeline.as_deref())),
            OutputTake::Invalid | OutputTake::Fallback | OutputTake::Secondary => None,
        };
        let ends: Vec<_> = self.ends.iter().filter(|end| its.is_none_or(|its| its == end.pipeline)).collect();
        let tag = match ends.as_slice() {
            [State { tags, .. }] => match tags.as_slice() {
                [PossibleTag::Known(tag)] => Some(tag.as_str()),
                _ => None,
            },
            _ => None,
        };
        let sketch = |event: &Event<'_>| Target::sketch(config, event, tag.is_some());
        let target = self.with_event(tag.unwrap_or_default(), sketch);
        OutputAnswer::new(config, self.answer(config, &ends), target)
    }

    /// At all of these ends together.
    fn answer(&self, config: &OutputConfig, ends: &[&State]) -> (Answer, String) {
        let mut answers: Vec<_> = ends.iter().map(|end| end.behind_gates(self.takes(config, end))).collect();
        answers.dedup();
        match answers.as_slice() {
            [] => match &self.ended {
                Some(filter) => (Answer::No, format!("{filter} ends the event")),
                None => (Answer::No, not_here(config)),
            },
            [answer] => answer.clone(),
            [first, rest @ ..]
                if rest.iter().all(|(takes, _)| *takes == first.0) && first.0 != Answer::If =>
            {
                first.clone()
            }
            answers => {
                let possible = answers.iter().filter(|(takes, _)| *takes != Answer::No);
                let reasons: Vec<_> = possible.map(|(_, reason)| reason.as_str()).collect();
                (Answer::If, reasons.join(", or "))
            }
        }
    }

    fn takes(&self, config: &OutputConfig, end: &State) -> (Answer, String) {
        let mut answers: Vec<_> =
            end.tags.iter().map(|tag| (tag.text(), self.takes_tag(config, end, tag))).collect();
        answers.dedup_by(|left, right| left.1 == right.1);
        if let [(_, answer)] = answers.as_slice() {
            return answer.clone();
        }
        let each: Vec<_> = answers
            .iter()
            .map(|(tag, (takes, reason))| match takes {
                Answer::Yes => format!("as `{tag}`"),
                Answer::No => format!("not as `{tag}`"),
                Answer::If => format!("as `{tag}` if {reason}"),
            })
            .collect();
        (Answer::If, each.join("; "))
    }

    fn takes_tag(&self, config: &OutputConfig, end: &State, tag: &PossibleTag) -> (Answer, String) {
        match (tag, &config.take) {
            (PossibleTag::Known(tag), _) => self.takes_known(config, end, tag),
            (PossibleTag::Template(_), OutputTake::Match { tags, .. }) if tags.to_string() == "**" => {
                self.takes_known(config, end, "")
            }
            (PossibleTag::Template(_), OutputTake::Match { tags, .. }) => {
                (Answer::If, format!("its match `{tags}` takes the new tag"))
            }
            (PossibleTag::Template(_), OutputTake::Invalid) => {
                (Answer::If, "a filter finds it invalid, or an output refuses it".to_owned())
            }
            (PossibleTag::Template(_), OutputTake::Secondary) => (Answer::No, SECONDARY.to_owned()),
            (PossibleTag::Template(_), OutputTake::Fallback) => {
                (Answer::If, "no other output takes it".to_owned())
            }
        }
    }

    fn takes_known(&self, config: &OutputConfig, end: &State, tag: &str) -> (Answer, String) {
        let routes = &self.plan.routes;
        let Some(output) = routes.find(&config.id) else { return (Answer::No, String::new()) };
        let decision = routes.decide(output, end.pipeline, tag);
        let judges = &end.judges;
        match &config.take {
            OutputTake::Match { tags, condition, require } => match decision {
                Decision::Never => (Answer::No, format!("its match `{tags}` does not take the tag `{tag}`")),
                Decision::Always if judges.is_empty() => {
                    (Answer::Yes, format!("its match `{tags}` takes the tag"))
                }
                _ => {
                    let mut needs = Vec::new();
                    needs.extend(condition.as_ref().map(|condition| format!("where `{condition}`")));
                    if !require.is_empty() {
                        let are = if require.len() == 1 { "is" } else { "are" };
                        needs.push(format!("{} {are} known", listed(require)));
                    }
                    needs.extend(judges.iter().map(|judge| format!("{judge} finds it valid")));
                    (Answer::If, needs.join(" and "))
                }
            },
            OutputTake::Invalid => {
                let refusing = match &decision {
                    Decision::RefusedByAny(outputs) => outputs.as_slice(),
                    _ => &[],
                };
                let mut reasons: Vec<_> =
                    judges.iter().map(|judge| format!("{judge} finds it invalid")).collect();
                reasons.extend(refusing.iter().map(|index| format!("`{}` refuses it", self.id(*index))));
                match reasons.is_empty() {
                    true => {
                        (Answer::No, "no filter judges it, and no output with a `require` matches".to_owned())
                    }
                    false => (Answer::If, reasons.join(" or ")),
                }
            }
            OutputTake::Secondary => (Answer::No, SECONDARY.to_owned()),
            OutputTake::Fallback => match &decision {
                Decision::Always if judges.is_empty() || routes.takes_invalid(output) => {
                    (Answer::Yes, "no other output matches the tag".to_owned())
                }
                Decision::Always => (Answer::If, "no filter finds it invalid".to_owned()),
                Decision::LeftByAll(outputs) | Decision::UnmatchedByAll(outputs) => {
                    let ids: Vec<_> = outputs.iter().map(|index| self.id(*index)).collect();
                    let does = if ids.len() == 1 { "does" } else { "do" };
                    (Answer::If, format!("{} {does} not take it", listed(&ids)))
                }
                _ if !judges.is_empty() && routes.takes_invalid(output) => {
                    (Answer::If, format!("{} finds it invalid", judges.join(" or ")))
                }
                _ => (Answer::No, "another output matches the tag".to_owned()),
            },
        }
    }

    fn id(&self, output: usize) -> &str {
        self.plan.config.outputs.get(output).map_or("", |config| config.id.as_str())
    }
}

impl State {
    /// What a filter may hold back can't be sure to arrive.
    fn behind_gates(&self, (takes, reason): (Answer, String)) -> (Answer, String) {
        let gates = self.gates.join(" and ");
        match takes {
            Answer::Yes if !gates.is_empty() => (Answer::If, gates),
            Answer::If if !gates.is_empty() => (Answer::If, format!("{reason} and {gates}")),
            _ => (takes, reason),
        }
    }
}
