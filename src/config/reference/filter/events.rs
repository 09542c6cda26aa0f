//! The keys of filters that drop, join and send events elsewhere.

use std::time::Duration;

use super::{Default, FILTER, Key, Kind, Section};
use crate::config::units::{KIB, MIB};

pub(in crate::config) const SAMPLE_FILTER: Section = Section {
    title: "[[filter]] of type sample",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "one_in",
            kind: Kind::Integer { min: 1, max: 1_000_000_000 },
            default: Default::Required,
            meaning: "One event in so many stays",
        },
        Key {
            name: "by",
            kind: Kind::Syntax("text with placeholders"),
            default: Default::Absent("each event for itself"),
            meaning: "Events for which this is the same stay or go together",
        },
    ],
};

pub(in crate::config) const THROTTLE_FILTER: Section = Section {
    title: "[[filter]] of type throttle",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "key",
            kind: Kind::Syntax("text with placeholders"),
            default: Default::Absent("all events count together"),
            meaning: "Events for which this is the same count together",
        },
        Key {
            name: "limit",
            kind: Kind::Integer { min: 1, max: 1_000_000_000 },
            default: Default::Required,
            meaning: "Events of one key that pass in one window; the others are dropped",
        },
        Key {
            name: "interval",
            kind: Kind::Time { min: Duration::from_secs(1), max: Duration::from_secs(24 * 60 * 60) },
            default: Default::Value("\"1m\""),
            meaning: "The length of a window of receipt time; windows follow one another from 1970 on",
        },
        Key {
            name: "max_keys",
            kind: Kind::Integer { min: 1, max: 100_000 },
            default: Default::Value("10000"),
            meaning: "Keys of one window that have a count of their own; those that come later share one",
        },
    ],
};

pub(in crate::config) const RETAG_FILTER: Section = Section {
    title: "[[filter]] of type retag",
    extends: Some(&FILTER),
    keys: &[Key {
        name: "tag",
        kind: Kind::Syntax("text with placeholders"),
        default: Default::Required,
        meaning: "The new tag; an event for which it is empty keeps its own",
    }],
};

pub(in crate::config) const RELABEL_FILTER: Section = Section {
    title: "[[filter]] of type relabel",
    extends: Some(&FILTER),
    keys: &[Key {
        name: "to",
        kind: Kind::Syntax("pipeline or list of pipelines"),
        default: Default::Required,
        meaning: "Where the event goes on; with a list, in each of them",
    }],
};

pub(in crate::config) const MULTILINE_FILTER: Section = Section {
    title: "[[filter]] of type multiline",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "field",
            kind: Kind::Syntax("field"),
            default: Default::Value("\"message\""),
            meaning: "The field with the line",
        },
        Key {
            name: "start",
            kind: Kind::Syntax("regular expression"),
            default: Default::Absent("every line that does not continue"),
            meaning: "What the first line of a message looks like",
        },
        Key {
            name: "continue",
            kind: Kind::Syntax("regular expression"),
            default: Default::Absent("every line that does not start"),
            meaning: "What the further lines look like; `start` or this is required",
        },
        Key {
            name: "separator",
            kind: Kind::Syntax("text"),
            default: Default::Value("\"\\n\""),
            meaning: "What stands between the lines",
        },
        Key {
            name: "group_by",
            kind: Kind::Syntax("list of fields"),
            default: Default::Value("[]"),
            meaning: "Lines belong together only where these fields are the same",
        },
        Key {
            name: "max_lines",
            kind: Kind::Integer { min: 2, max: 100_000 },
            default: Default::Value("1000"),
            meaning: "Lines of one event; the next one begins another",
        },
        Key {
            name: "max_size",
            kind: Kind::Size { min: KIB, max: 16 * MIB },
            default: Default::Value("\"256KiB\""),
            meaning: "Bytes of the joined text; a line that goes beyond begins another event",
        },
    ],
};
