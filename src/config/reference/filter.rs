//! The keys of [`crate::config::FilterConfig`].

use super::{Default, Key, Kind, Section};

pub(in crate::config) const FILTER: Section = Section {
    title: "[[filter]]",
    extends: None,
    keys: &[
        Key {
            name: "match",
            kind: Kind::Syntax("tag patterns"),
            default: Default::Value("\"**\""),
            meaning: "The events that it changes",
        },
        Key {
            name: "type",
            kind: Kind::Choice(&["set", "default", "remove"]),
            default: Default::Required,
            meaning: "`set` writes fields, `default` only those that are missing, nil or empty, `remove` removes them",
        },
        Key {
            name: "fields",
            kind: Kind::Map("table of values by field, for `remove` a list of fields"),
            default: Default::Required,
            meaning: "Values are text with placeholders, integers, floats or booleans",
        },
    ],
};
