//! The keys of [`crate::config::FilterConfig`]. One file a family of types.

mod events;
mod fields;
mod judge;
mod parse;
mod remap;
mod secrets;
mod text;

use super::{Default, Key, Kind, Section};
use events::{MULTILINE_FILTER, RELABEL_FILTER, RETAG_FILTER, SAMPLE_FILTER, THROTTLE_FILTER};
use fields::{DEFAULT_FILTER, KEEP_FILTER, REMOVE_FILTER, RENAME_FILTER, SET_FILTER};
use judge::{LEVEL_FILTER, TIME_FILTER, VALIDATE_FILTER};
use parse::PARSE_FILTER;
use remap::REMAP_FILTER;
use secrets::{ENCRYPT_FILTER, HASH_FILTER};
use text::{MASK_FILTER, SANITIZE_FILTER};

pub(in crate::config) const FILTER: Section = Section {
    title: "[[filter]]",
    extends: None,
    keys: &[
        Key {
            name: "match",
            kind: Kind::Syntax("tag patterns"),
            default: Default::Value("\"**\""),
            meaning: "The events that it sees",
        },
        Key {
            name: "where",
            kind: Kind::Syntax("condition"),
            default: Default::Absent("all of them; required with `keep_if`"),
            meaning: "Those of them that it works on",
        },
        Key {
            name: "pipeline",
            kind: Kind::Id,
            default: Default::Absent("the default pipeline"),
            meaning: "The pipeline that it is in",
        },
        Key {
            name: "type",
            kind: Kind::Choice(&[
                "set",
                "default",
                "remove",
                "keep",
                "rename",
                "sanitize",
                "mask",
                "level",
                "time",
                "validate",
                "hash",
                "encrypt",
                "parse",
                "drop",
                "keep_if",
                "sample",
                "throttle",
                "retag",
                "relabel",
                "multiline",
                "remap",
            ]),
            default: Default::Required,
            meaning: "What it does: each that has keys of its own has a section below",
        },
    ],
};

/// The sections of the types that have keys of their own, in the order of the reference.
pub(in crate::config) const FILTER_TYPES: &[(&str, &Section)] = &[
    ("set", &SET_FILTER),
    ("default", &DEFAULT_FILTER),
    ("remove", &REMOVE_FILTER),
    ("keep", &KEEP_FILTER),
    ("rename", &RENAME_FILTER),
    ("sanitize", &SANITIZE_FILTER),
    ("mask", &MASK_FILTER),
    ("level", &LEVEL_FILTER),
    ("time", &TIME_FILTER),
    ("validate", &VALIDATE_FILTER),
    ("hash", &HASH_FILTER),
    ("encrypt", &ENCRYPT_FILTER),
    ("parse", &PARSE_FILTER),
    ("sample", &SAMPLE_FILTER),
    ("throttle", &THROTTLE_FILTER),
    ("retag", &RETAG_FILTER),
    ("relabel", &RELABEL_FILTER),
    ("multiline", &MULTILINE_FILTER),
    ("remap", &REMAP_FILTER),
];
