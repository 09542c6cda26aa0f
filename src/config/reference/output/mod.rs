//! The keys of [`crate::config::OutputConfig`].

mod backlog;
mod file;
mod forward;
mod forward_servers;

use std::time::Duration;

pub(in crate::config) use file::{FILE_OUTPUT, INJECT};
pub(in crate::config) use forward::{CLIENT_TLS, FORWARD_OUTPUT};
pub(in crate::config) use forward_servers::{FORWARD_POOL, FORWARD_SERVER, SRV};

use super::{Default, Key, Kind, Section};

pub(in crate::config) const OUTPUT: Section = Section {
    title: "[[output]]",
    extends: None,
    keys: &[
        Key {
            name: "id",
            kind: Kind::Id,
            default: Default::Required,
            meaning: "Names the cursor, so it must stay the same over restarts; unique among inputs and outputs",
        },
        Key {
            name: "type",
            kind: Kind::Choice(&["file", "forward"]),
            default: Default::Required,
            meaning: "What kind of output: each has a section of its own below",
        },
        Key {
            name: "pipeline",
            kind: Kind::Id,
            default: Default::Absent("the default pipeline"),
            meaning: "With `match`: the pipeline whose events it sees",
        },
        Key {
            name: "match",
            kind: Kind::Syntax("tag patterns"),
            default: Default::Absent("one of these three is required"),
            meaning: "Takes the events whose tag matches",
        },
        Key {
            name: "invalid",
            kind: Kind::Boolean,
            default: Default::Absent("one of these three is required"),
            meaning: "`true` takes what another output's `match` took and its `require` refused, and what a filter found invalid; one output at most",
        },
        Key {
            name: "fallback",
            kind: Kind::Boolean,
            default: Default::Absent("one of these three is required"),
            meaning: "`true` takes what no other output took, in any pipeline; one output at most",
        },
        Key {
            name: "where",
            kind: Kind::Syntax("condition"),
            default: Default::Absent("all of them"),
            meaning: "With `match`: takes only the events for which this holds; the others do not match",
        },
        Key {
            name: "require",
            kind: Kind::Syntax("list of fields"),
            default: Default::Value("[]"),
            meaning: "With `match`: events in which one of these is missing, empty or `unknown` are left to the \
                      output with `invalid = true`, which must exist",
        },
        Key {
            name: "start",
            kind: Kind::Choice(&["newest", "oldest"]),
            default: Default::Value("\"newest\""),
            meaning: "Where an output that has no cursor yet starts to read the journal",
        },
        Key {
            name: "retry_min_interval",
            kind: Kind::Time { min: Duration::from_millis(10), max: Duration::from_secs(86_400) },
            default: Default::Value("\"1s\""),
            meaning: "First wait after a failed write; doubled with every further failure",
        },
        Key {
            name: "retry_max_interval",
            kind: Kind::Time { min: Duration::from_millis(10), max: Duration::from_secs(86_400) },
            default: Default::Value("\"30s\""),
            meaning: "Longest wait after a failed write; at least `retry_min_interval`",
        },
        backlog::MAX_BACKLOG,
        backlog::WHEN_BACKLOGGED,
        backlog::MAX_SET_ASIDE,
    ],
};
