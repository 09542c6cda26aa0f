//! The way of an event of which only the tag is known.

use super::target::Target;
use super::{Answer, FilterAnswer, OutputAnswer, listed};
use crate::config::{Config, FilterConfig, FilterKind, OutputConfig, OutputTake};
use crate::pipeline::event::{Event, Source};
use crate::pipeline::filter::Filter;
use crate::pipeline::json::write_plain;
use crate::pipeline::record::RecordBuffer;
use crate::pipeline::route::{Decision, Routes};
use crate::pipeline::tag_pattern::TagPatterns;
use crate::pipeline::template::{ValueRenderer, ValueTemplate};
use crate::wire::msgpack::read;

/// An empty map, in place of the record.
const NOTHING: &[u8] = b"\x80";

pub(super) struct Walk<'a> {
    config: &'a Config,
    routes: &'a Routes,
    source: &'a Source<'a>,
    server: &'a str,
    /// The tags that the event may have by now: at least one.
    tags: Vec<PossibleTag>,
    /// The filter that ends every event of the tag.
    ended: Option<String>,
    /// The filters that may end it.
    gates: Vec<String>,
    /// The filters that may find it invalid.
    judges: Vec<String>,
}

/// A tag, or what is known about one.
#[derive(Debug, Clone, PartialEq)]
enum PossibleTag {
    Known(String),
    /// As the filter writes it: the record makes it.
    Template(String),
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        config: &'a Config,
        routes: &'a Routes,
        source: &'a Source<'a>,
        server: &'a str,
    ) -> Self {
        let tags = vec![PossibleTag::Known(String::from_utf8_lossy(source.tag).into_owned())];
        Self { config, routes, source, server, tags, ended: None, gates: Vec::new(), judges: Vec::new() }
    }

    pub(super) fn explain(mut self, filters: &[Filter]) -> (Vec<FilterAnswer>, Vec<OutputAnswer>) {
        let mut answers = Vec::with_capacity(filters.len());
        for (index, config) in self.config.filters.iter().enumerate() {
            if self.ended.is_some() {
                break;
            }
            answers.push(self.filter(index + 1, config));
        }
        (answers, self.config.outputs.iter().map(|output| self.output(output)).collect())
    }

    fn filter(&mut self, number: usize, config: &FilterConfig) -> FilterAnswer {
        let (mut works, mut reason) = self.matches(&config.tags);
        if works != Answer::No
            && let Some(condition) = &config.condition
        {
            works = Answer::If;
            let and = if reason.is_empty() { "" } else { " and " };
            reason = format!("{reason}{and}where `{condition}`");
        }
        let effect = if works == Answer::No { None } else { self.effect(number, config, works) };
        FilterAnswer { effect, ..FilterAnswer::new(number, config, works, reason) }
    }

    /// Whether the patterns take the tag, and why not, or what it hangs on.
    fn matches(&self, patterns: &TagPatterns) -> (Answer, String) {
        let is_taken = |tag: &PossibleTag| match tag {
            PossibleTag::Known(tag) => Some(patterns.matches(tag)),
            // `**` takes whatever it will be.
            PossibleTag::Template(_) => (patterns.to_string() == "**").then_some(true),
        };
        let taken: Vec<_> = self.tags.iter().map(is_taken).collect();
        if taken.iter().all(|taken| *taken == Some(true)) {
            (Answer::Yes, String::new())
        } else if taken.iter().all(|taken| *taken == Some(false)) {
            let tags: Vec<_> = self.tags.iter().map(PossibleTag::text).collect();
            (Answer::No, format!("its match `{patterns}` does not take the tag `{}`", tags.join("` or `")))
        } else {
            (Answer::If, format!("its match `{patterns}` takes the new tag"))
        }
    }

    fn effect(&mut self, number: usize, config: &FilterConfig, works: Answer) -> Option<String> {
        let this = format!("filter {number}");
        match &config.kind {
            FilterKind::Retag { tag } => {
                let new = self.retagged(tag, works == Answer::Yes);
                Some(format!("the tag becomes {}", listed(&new)))
            }
            FilterKind::Drop => {
                match works {
                    Answer::Yes => self.ended = Some(this),
                    _ => self.gates.push(this),
                }
                Some("the event ends here".to_owned())
            }
            FilterKind::KeepIf { condition } => {
                self.gates.push(this);
                Some(format!("the event ends here unless `{condition}`"))
            }
            FilterKind::Sample { one_in, .. } => {
                self.gates.push(this);
                Some(format!("one event in {one_in} stays"))
            }
            kind if kind.judges() => {
                self.judges.push(this);
                Some("it may find the event invalid".to_owned())
            }
            FilterKind::Multiline(_) => {
                Some("lines of the same chunk that belong to it are joined to it".to_owned())
            }
            _ => None,
        }
    }

    /// The new tags, of which the event has one in any case if the filter `always` works.
    fn retagged(&mut self, template: &ValueTemplate, always: bool) -> Vec<String> {
        let new = |tag: &PossibleTag| match tag {
            PossibleTag::Known(tag) if template.is_of_the_tag() => {
                // A tag that would be empty is not given.
                let rendered = Some(self.rendered(template, tag)).filter(|rendered| !rendered.is_empty());
                PossibleTag::Known(rendered.unwrap_or_else(|| tag.clone()))
            }
            _ => PossibleTag::Template(template.to_string()),
        };
        let mut tags: Vec<_> = self.tags.iter().map(new).collect();
        tags.dedup();
        let shown = tags.iter().map(|tag| tag.text().to_owned()).collect();
        if !always {
            tags.splice(0..0, self.tags.iter().cloned());
            tags.dedup();
        }
        self.tags = tags;
        shown
    }

    fn rendered(&self, template: &ValueTemplate, tag: &str) -> String {
        self.with_event(tag, |event| {
            let mut renderer = ValueRenderer::default();
            let mut text = Vec::new();
            if let Ok(token) = read(renderer.render(template, event), &mut 0) {
                write_plain(&mut text, token);
            }
            String::from_utf8_lossy(&text).into_owned()
        })
    }

    fn with_event<R>(&self, tag: &str, use_event: impl FnOnce(&Event<'_>) -> R) -> R {
        let source = Source { tag: tag.as_bytes(), ..*self.source };
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(NOTHING);
        let time = source.received_at;
        let record = editor.fields();
        use_event(&Event { source: &source, server: self.server, time, metadata: None, record, index: 0 })
    }

    fn output(&self, config: &OutputConfig) -> OutputAnswer {
        let answer = match &self.ended {
            Some(filter) => (Answer::No, format!("{filter} ends the event")),
            None => self.behind_gates(self.takes(config)),
        };
        let tag = match self.tags.as_slice() {
            [PossibleTag::Known(tag)] => Some(tag.as_str()),
            _ => None,
        };
        let sketch = |event: &Event<'_>| Target::sketch(config, event, tag.is_some());
        OutputAnswer::new(config, answer, self.with_event(tag.unwrap_or_default(), sketch))
    }

    /// What a filter may end can't be sure to arrive.
    fn behind_gates(&self, (takes, reason): (Answer, String)) -> (Answer, String) {
        let gates = self.gates.iter().map(|gate| format!("{gate} lets it pass"));
        match takes {
            Answer::Yes if !self.gates.is_empty() => (Answer::If, gates.collect::<Vec<_>>().join(" and ")),
            Answer::If => (Answer::If, [reason].into_iter().chain(gates).collect::<Vec<_>>().join(" and ")),
            _ => (takes, reason),
        }
    }

    fn takes(&self, config: &OutputConfig) -> (Answer, String) {
        let mut answers: Vec<_> =
            self.tags.iter().map(|tag| (tag.text(), self.takes_tag(config, tag))).collect();
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

    fn takes_tag(&self, config: &OutputConfig, tag: &PossibleTag) -> (Answer, String) {
        match (tag, &config.take) {
            (PossibleTag::Known(tag), _) => self.takes_known(config, tag),
            (PossibleTag::Template(_), OutputTake::Match { tags, .. }) if tags.to_string() == "**" => {
                self.takes_known(config, "")
            }
            (PossibleTag::Template(_), OutputTake::Match { tags, .. }) => {
                (Answer::If, format!("its match `{tags}` takes the new tag"))
            }
            (PossibleTag::Template(_), OutputTake::Invalid) => {
                (Answer::If, "a filter finds it invalid, or an output refuses it".to_owned())
            }
            (PossibleTag::Template(_), OutputTake::Fallback) => {
                (Answer::If, "no other output takes it".to_owned())
            }
        }
    }

    fn takes_known(&self, config: &OutputConfig, tag: &str) -> (Answer, String) {
        let Some(output) = self.routes.find(&config.id) else { return (Answer::No, String::new()) };
        let decision = self.routes.decide(output, tag);
        match &config.take {
            OutputTake::Match { tags, condition, require } => {
                let mut needs = Vec::new();
                needs.extend(condition.as_ref().map(|condition| format!("where `{condition}`")));
                if !require.is_empty() {
                    needs.push(format!("{} known", plural(require)));
                }
                match decision {
                    Decision::Never => {
                        (Answer::No, format!("its match `{tags}` does not take the tag `{tag}`"))
                    }
                    Decision::Always if self.judges.is_empty() => {
                        (Answer::Yes, format!("its match `{tags}` takes the tag"))
                    }
                    _ => {
                        needs.extend(self.judges.iter().map(|judge| format!("{judge} finds it valid")));
                        (Answer::If, needs.join(" and "))
                    }
                }
            }
            OutputTake::Invalid => {
                let refusing = match &decision {
                    Decision::RefusedByAny(outputs) => outputs.as_slice(),
                    _ => &[],
                };
                let mut reasons: Vec<_> =
                    self.judges.iter().map(|judge| format!("{judge} finds it invalid")).collect();
                reasons.extend(refusing.iter().map(|index| format!("`{}` refuses it", self.id(*index))));
                match reasons.is_empty() {
                    true => {
                        (Answer::No, "no filter judges it, and no output with a `require` matches".to_owned())
                    }
                    false => (Answer::If, reasons.join(" or ")),
                }
            }
            OutputTake::Fallback => match &decision {
                Decision::Always if self.judges.is_empty() || self.routes.takes_invalid(output) => {
                    (Answer::Yes, "no other output matches the tag".to_owned())
                }
                Decision::Always => (Answer::If, "no filter finds it invalid".to_owned()),
                Decision::LeftByAll(outputs) | Decision::UnmatchedByAll(outputs) => {
                    let ids: Vec<_> = outputs.iter().map(|index| self.id(*index)).collect();
                    (Answer::If, format!("{} {} not take it", listed(&ids), does(&ids)))
                }
                _ => (Answer::No, "another output matches the tag".to_owned()),
            },
        }
    }

    fn id(&self, output: usize) -> &str {
        self.config.outputs.get(output).map_or("", |config| config.id.as_str())
    }
}

impl PossibleTag {
    fn text(&self) -> &str {
        match self {
            Self::Known(text) | Self::Template(text) => text,
        }
    }
}

/// `a` is, `a` and `b` are
fn plural<T: std::fmt::Display>(things: &[T]) -> String {
    format!("{} {}", listed(things), if things.len() == 1 { "is" } else { "are" })
}

fn does<T>(things: &[T]) -> &'static str {
    if things.len() == 1 { "does" } else { "do" }
}
