//! The keys of filters that look at what values mean.

use super::{Default, FILTER, Key, Kind, Section};
use crate::pipeline::level::LEVEL_NAMES;

pub(in crate::config) const LEVEL_FILTER: Section = Section {
    title: "[[filter]] of type level",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "field",
            kind: Kind::Syntax("field"),
            default: Default::Value("\"level\""),
            meaning: "The field that says how important the event is",
        },
        Key {
            name: "to",
            kind: Kind::Syntax("field"),
            default: Default::Absent("`field`"),
            meaning: "The field that gets the level",
        },
        Key {
            name: "numbers",
            kind: Kind::Choice(&["syslog", "pino", "python"]),
            default: Default::Value("\"syslog\""),
            meaning: "Who counts: 0 to 7 as syslog, 10 (trace) to 60 (fatal), 10 (debug) to 50 (critical)",
        },
        Key {
            name: "words",
            kind: Kind::Map("table of levels by word"),
            default: Default::Value("{}"),
            meaning: "Words of your own; case does not matter",
        },
        Key {
            name: "default",
            kind: Kind::Choice(&LEVEL_NAMES),
            default: Default::Absent("it stays as it is"),
            meaning: "The level of an event whose field is missing or says none",
        },
    ],
};

pub(in crate::config) const TIME_FILTER: Section = Section {
    title: "[[filter]] of type time",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "field",
            kind: Kind::Syntax("field"),
            default: Default::Required,
            meaning: "The field that holds the time",
        },
        Key {
            name: "formats",
            kind: Kind::Syntax("time formats"),
            default: Default::Value("\"rfc3339\""),
            meaning: "Tried in this order: `rfc3339`, `unix`, `unix_ms`, `unix_us`, `unix_ns`, or as strptime reads it",
        },
        Key {
            name: "timezone",
            kind: Kind::Syntax("IANA name"),
            default: Default::Value("\"UTC\""),
            meaning: "The zone of times that name none",
        },
        Key {
            name: "keep_field",
            kind: Kind::Boolean,
            default: Default::Value("true"),
            meaning: "`false` removes the field once its time is taken",
        },
    ],
};

pub(in crate::config) const VALIDATE_FILTER: Section = Section {
    title: "[[filter]] of type validate",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "required",
            kind: Kind::Syntax("list of fields"),
            default: Default::Value("[]"),
            meaning: "Must be there, and neither nil nor empty",
        },
        Key {
            name: "types",
            kind: Kind::Map("table of types by field"),
            default: Default::Value("{}"),
            meaning: "`string`, `integer`, `float`, `boolean`, `array` or `map`, where the field is there",
        },
        Key {
            name: "times",
            kind: Kind::Syntax("list of fields"),
            default: Default::Value("[]"),
            meaning: "Must be times as ISO 8601 writes them, where they are there",
        },
        Key {
            name: "levels",
            kind: Kind::Syntax("list of fields"),
            default: Default::Value("[]"),
            meaning: "Must be FATAL, ERROR, WARN, INFO, DEBUG or TRACE, where they are there",
        },
        Key {
            name: "reason_field",
            kind: Kind::Syntax("field"),
            default: Default::Value("\"invalid_reason\""),
            meaning: "The field that gets the reason",
        },
    ],
};
