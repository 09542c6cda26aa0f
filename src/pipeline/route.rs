//! Which output takes which event.
//!
//! * An output with `match` takes the events whose tag matches, for which its `where` holds, and whose `require` fields
//!   are all known: there, and neither nil, nor empty text, nor the text `unknown`.
//! * An output with `invalid = true` takes every event that the `require` of at least one `match` output refused, whether
//!   or not another one took it: that an upstream takes everything must not hide invalid events from a person. What a
//!   `where` leaves out was never meant for that output, and its `require` has no say.
//! * An output with `fallback = true` takes every event that none of the others takes.
//! * An event that a filter found invalid goes to the output with `invalid = true` and to no other; where there is none,
//!   to the fallback.
//!
//! Outputs see the events of their own pipeline only, but for the last two kinds: what comes to several pipelines is
//! invalid if it is in one of them, and it is left over if it is in all of them.
//!
//! So with a fallback every event has an output. What the tag decides is decided once a tag.

use super::event::Event;
use super::field_path::FieldPath;
use super::pipelines::Pipelines;
use super::record::{RecordFields, is_blank};
use super::tag_pattern::TagPatterns;
use crate::config::{OutputConfig, OutputTake};
use crate::wire::msgpack::{Token, read};

/// The routing of all outputs, of which each output's depends on the others'.
#[derive(Debug)]
pub(super) struct Routes {
    outputs: Vec<Routed>,
}

#[derive(Debug, Clone)]
struct Routed {
    id: String,
    /// The number of its pipeline. `invalid` and `fallback` are in none, and have 0.
    pipeline: usize,
    take: OutputTake,
}

/// What the tag alone says about whether an output takes an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    Always,
    Never,
    /// If this output's `where` and `require` are satisfied.
    Satisfies(usize),
    /// If any of these outputs refuses it: its `where` is satisfied and its `require` is not.
    RefusedByAny(Vec<usize>),
    /// If each of these outputs leaves it: its `where` or its `require` is not satisfied.
    LeftByAll(Vec<usize>),
    /// If the `where` of each of these outputs is not satisfied.
    UnmatchedByAll(Vec<usize>),
}

impl Routes {
    pub(super) fn new(outputs: &[OutputConfig], pipelines: &Pipelines) -> Self {
        let routed = |output: &OutputConfig| Routed {
            id: output.id.clone(),
            pipeline: pipelines.find(output.pipeline.as_deref()),
            take: output.take.clone(),
        };
        Self { outputs: outputs.iter().map(routed).collect() }
    }

    /// For an output that takes every event of a pipeline as it is.
    pub(super) fn everything(id: &str, pipeline: usize) -> Self {
        let tags = TagPatterns::parse("**").expect("it is a pattern");
        let take = OutputTake::Match { tags, condition: None, require: Vec::new() };
        Self { outputs: vec![Routed { id: id.to_owned(), pipeline, take }] }
    }

    /// Those of some outputs only.
    pub(super) fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self { outputs: self.outputs.iter().filter(|output| keep(&output.id)).cloned().collect() }
    }

    /// The index of an output.
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.outputs.iter().position(|output| output.id == id)
    }

    /// The pipeline whose events the output sees; `None`: those of all.
    pub(super) fn pipeline(&self, output: usize) -> Option<usize> {
        let output = &self.outputs[output];
        matches!(output.take, OutputTake::Match { .. }).then_some(output.pipeline)
    }

    /// Whether the output takes what is left over.
    pub(super) fn is_fallback(&self, output: usize) -> bool {
        matches!(self.outputs[output].take, OutputTake::Fallback)
    }

    /// What the tag says about one output and an event that is at the end of a pipeline.
    pub(super) fn decide(&self, output: usize, pipeline: usize, tag: &str) -> Decision {
        let requires = |index: usize| !self.require(index).is_empty();
        let has_condition =
            |index: usize| matches!(&self.outputs[index].take, OutputTake::Match { condition: Some(_), .. });
        let matches = |index: usize| {
            let Routed { pipeline: its, take, .. } = &self.outputs[index];
            *its == pipeline && matches!(take, OutputTake::Match { tags, .. } if tags.matches(tag))
        };
        let matching = (0..self.outputs.len()).filter(|index| matches(*index));
        match &self.outputs[output].take {
            OutputTake::Match { .. } if !matches(output) => Decision::Never,
            OutputTake::Match { .. } if requires(output) || has_condition(output) => {
                Decision::Satisfies(output)
            }
            OutputTake::Match { .. } => Decision::Always,
            OutputTake::Secondary => Decision::Never,
            OutputTake::Invalid => {
                let refusing: Vec<_> = matching.filter(|index| requires(*index)).collect();
                if refusing.is_empty() { Decision::Never } else { Decision::RefusedByAny(refusing) }
            }
            OutputTake::Fallback => {
                let matching: Vec<_> = matching.collect();
                // With an output for invalid events, whatever an output matches has a place.
                let has_invalid = self.has_invalid();
                if matching.is_empty() {
                    Decision::Always
                } else if !matching
                    .iter()
                    .all(|index| has_condition(*index) || (requires(*index) && !has_invalid))
                {
                    Decision::Never
                } else if has_invalid {
                    Decision::UnmatchedByAll(matching)
                } else {
                    Decision::LeftByAll(matching)
                }
            }
        }
    }

    /// Whether the output takes this event, as the filters left it.
    #[inline]
    pub(super) fn takes(&self, decision: &Decision, event: &Event<'_>) -> bool {
        let matches = |index: &usize| match &self.outputs[*index].take {
            OutputTake::Match { condition: Some(condition), .. } => condition.holds(event),
            _ => true,
        };
        let satisfied = |index: &usize| self.require(*index).iter().all(|path| is_known(event.record, path));
        match decision {
            Decision::Always => true,
            Decision::Never => false,
            Decision::Satisfies(output) => matches(output) && satisfied(output),
            Decision::RefusedByAny(outputs) => {
                outputs.iter().any(|output| matches(output) && !satisfied(output))
            }
            Decision::LeftByAll(outputs) => {
                !outputs.iter().any(|output| matches(output) && satisfied(output))
            }
            Decision::UnmatchedByAll(outputs) => !outputs.iter().any(matches),
        }
    }

    /// Whether the output takes events that a filter found invalid.
    pub(super) fn takes_invalid(&self, output: usize) -> bool {
        match &self.outputs[output].take {
            OutputTake::Match { .. } | OutputTake::Secondary => false,
            OutputTake::Invalid => true,
            OutputTake::Fallback => !self.has_invalid(),
        }
    }

    fn require(&self, output: usize) -> &[FieldPath] {
        match &self.outputs[output].take {
            OutputTake::Match { require, .. } => require,
            OutputTake::Invalid | OutputTake::Fallback | OutputTake::Secondary => &[],
        }
    }

    fn has_invalid(&self) -> bool {
        self.outputs.iter().any(|output| matches!(output.take, OutputTake::Invalid))
    }
}

pub(super) fn is_known(record: RecordFields<'_>, path: &FieldPath) -> bool {
    let is_unknown = |value: &[u8]| match value {
        [0xa0..=0xbf, text @ ..] => text == b"unknown",
        value => matches!(read(value, &mut 0), Ok(Token::Str(b"unknown") | Token::Bin(b"unknown"))),
    };
    record.get(path).is_some_and(|value| !is_blank(value) && !is_unknown(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_time::EventTime;
    use crate::pipeline::condition::Condition;
    use crate::pipeline::event::Source;
    use crate::pipeline::record::RecordBuffer;
    use crate::pipeline::tag_pattern::TagPatterns;
    use proptest::prelude::*;

    fn matching(tags: &str, require: &[&str]) -> OutputTake {
        matching_where(tags, None, require)
    }

    fn matching_where(tags: &str, condition: Option<&str>, require: &[&str]) -> OutputTake {
        let require = require.iter().map(|path| FieldPath::parse(path).unwrap()).collect();
        let condition = condition.map(|condition| Condition::parse(condition).unwrap());
        OutputTake::Match { tags: TagPatterns::parse(tags).unwrap(), condition, require }
    }

    fn routed(id: &str, take: &OutputTake) -> Routed {
        Routed { id: id.to_owned(), pipeline: 0, take: take.clone() }
    }

    /// The outputs, by their index, that take a record.
    fn takers(takes: &[OutputTake], tag: &str, record: &[u8]) -> Vec<usize> {
        let outputs =
            takes.iter().enumerate().map(|(index, take)| routed(&index.to_string(), take)).collect();
        let routes = Routes { outputs };
        let time = EventTime::from_unix_nanoseconds(0);
        let source = Source::of_engine(tag.as_bytes(), time);
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(record);
        let event =
            Event { source: &source, server: "", time, metadata: None, record: editor.fields(), index: 0 };
        (0..takes.len()).filter(|index| routes.takes(&routes.decide(*index, 0, tag), &event)).collect()
    }

    /// `{"a": "x"}`, and records in which `a` is not known.
    const KNOWN: &[u8] = b"\x81\xa1a\xa1x";
    const UNKNOWN: [&[u8]; 4] = [b"\x80", b"\x81\xa1a\xc0", b"\x81\xa1a\xa0", b"\x81\xa1a\xa7unknown"];

    #[test]
    fn invalid_events_go_to_the_invalid_output_and_unmatched_ones_to_the_fallback() {
        let takes = [matching("nginx.**", &["a"]), OutputTake::Invalid, OutputTake::Fallback];
        assert_eq!(takers(&takes, "nginx.access", KNOWN), [0]);
        for record in UNKNOWN {
            assert_eq!(takers(&takes, "nginx.access", record), [1]);
        }
        assert_eq!(takers(&takes, "other", KNOWN), [2]);
    }

    #[test]
    fn an_output_that_takes_everything_does_not_hide_invalid_events() {
        let takes =
            [matching("nginx.**", &["a"]), matching("**", &[]), OutputTake::Invalid, OutputTake::Fallback];
        assert_eq!(takers(&takes, "nginx.access", KNOWN), [0, 1]);
        assert_eq!(takers(&takes, "nginx.access", b"\x80"), [1, 2]);
        assert_eq!(takers(&takes, "other", b"\x80"), [1]);
    }

    #[test]
    fn without_an_invalid_output_the_fallback_takes_what_all_refused() {
        let takes = [matching("a.**", &["a"]), matching("**", &["b"]), OutputTake::Fallback];
        assert_eq!(takers(&takes, "a.b", b"\x80"), [2]);
        assert_eq!(takers(&takes, "a.b", KNOWN), [0]);
        assert_eq!(takers(&takes, "a.b", b"\x81\xa1b\x01"), [1]);
    }

    #[test]
    fn what_a_condition_leaves_out_does_not_match() {
        let errors = || matching_where("**", Some("a = 'x'"), &["b"]);
        let takes = [errors(), OutputTake::Invalid, OutputTake::Fallback];
        assert_eq!(takers(&takes, "t", b"\x81\xa1a\xa1y"), [2], "left out, so nobody asks for `b`");
        assert_eq!(takers(&takes, "t", KNOWN), [1], "matches, and `b` is missing");
        assert_eq!(takers(&takes, "t", b"\x82\xa1a\xa1x\xa1b\x01"), [0]);
        let takes = [errors(), OutputTake::Fallback];
        assert_eq!(takers(&takes, "t", KNOWN), [1]);
        let takes = [errors(), matching("**", &[]), OutputTake::Fallback];
        assert_eq!(takers(&takes, "t", b"\x80"), [1]);
    }

    #[test]
    fn what_a_filter_found_invalid_has_one_place() {
        let takes_invalid = |takes: &[OutputTake]| {
            let outputs = takes.iter().map(|take| routed("", take)).collect();
            let routes = Routes { outputs };
            (0..takes.len()).filter(|index| routes.takes_invalid(*index)).collect::<Vec<_>>()
        };
        let output = || matching("**", &[]);
        assert_eq!(takes_invalid(&[output(), OutputTake::Invalid, OutputTake::Fallback]), [1]);
        assert_eq!(takes_invalid(&[output(), OutputTake::Fallback]), [1]);
    }

    fn any_take() -> impl Strategy<Value = OutputTake> {
        let tags = prop_oneof![Just("**"), Just("a.**"), Just("{a,b}.c"), Just("*"), Just("a.b")];
        let require = prop_oneof![Just(vec![]), Just(vec!["a"]), Just(vec!["a", "b.c"])];
        let condition = prop_oneof![
            Just(None),
            Just(Some("a = 'x'")),
            Just(Some("exists(b)")),
            Just(Some("not (a = 'x' or tag = 'a.b')")),
            Just(Some("a != 'x'")),
        ];
        prop_oneof![
            4 => (tags, condition, require)
                .prop_map(|(tags, condition, require)| matching_where(tags, condition, &require)),
            1 => Just(OutputTake::Invalid),
            1 => Just(OutputTake::Fallback),
        ]
    }

    proptest! {
        #[test]
        fn with_a_fallback_every_event_has_an_output(
            mut takes in proptest::collection::vec(any_take(), 0..6),
            with_invalid: bool,
            tag in prop_oneof![Just("a"), Just("a.b"), Just("a.c"), Just("b.c"), Just("x.y"), Just("")],
            record in prop_oneof![
                Just(KNOWN), Just(UNKNOWN[0]), Just(UNKNOWN[3]), Just(&b"\x82\xa1a\x01\xa1b\x81\xa1c\x01"[..])
            ],
        ) {
            takes.push(OutputTake::Fallback);
            if with_invalid {
                takes.push(OutputTake::Invalid);
            }
            let takers = takers(&takes, tag, record);
            prop_assert!(!takers.is_empty());
            // The fallback takes nothing that another output takes.
            let is_fallback = |index: &usize| matches!(takes[*index], OutputTake::Fallback);
            prop_assert!(takers.iter().all(is_fallback) || !takers.iter().any(is_fallback));
            // Whoever's `where` and `require` are satisfied takes it, and nobody else with a `match`.
            for (index, take) in takes.iter().enumerate() {
                if let OutputTake::Match { tags, condition, require } = take {
                    let alone = OutputTake::Match {
                        tags: tags.clone(), condition: condition.clone(), require: require.clone()
                    };
                    prop_assert_eq!(takers.contains(&index), super::tests::takers(&[alone], tag, record) == [0]);
                }
            }
        }
    }
}
