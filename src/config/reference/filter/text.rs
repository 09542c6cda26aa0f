//! The keys of filters that rewrite text.

use super::{Default, FILTER, Key, Kind, Section};

pub(in crate::config) const SANITIZE_FILTER: Section = Section {
    title: "[[filter]] of type sanitize",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "fields",
            kind: Kind::Syntax("list of fields"),
            default: Default::Absent("all text of the record"),
            meaning: "The fields that are made safe",
        },
        Key {
            name: "keys",
            kind: Kind::Boolean,
            default: Default::Value("false"),
            meaning: "Whether keys are made safe as well; only without `fields`",
        },
        Key {
            name: "characters",
            kind: Kind::Syntax("character set"),
            default: Default::Absent("all but control characters"),
            meaning: "The characters that stay, such as `a-zA-Z0-9._-`",
        },
        Key {
            name: "replacement",
            kind: Kind::Syntax("text"),
            default: Default::Value("\"_\""),
            meaning: "What stands in place of every other character; may be empty",
        },
        Key {
            name: "max_length",
            kind: Kind::Integer { min: 1, max: 1_000_000 },
            default: Default::Absent("no limit"),
            meaning: "The most bytes of one text; the rest is cut off at a character",
        },
    ],
};

pub(in crate::config) const MASK_FILTER: Section = Section {
    title: "[[filter]] of type mask",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "fields",
            kind: Kind::Syntax("list of fields"),
            default: Default::Absent("all text of the record"),
            meaning: "Where it looks; without `detect` and `patterns` the whole values are hidden",
        },
        Key {
            name: "detect",
            kind: Kind::Syntax("list of `mail`, `card`, `token`, `ipv4`, `ipv6`"),
            default: Default::Value("[]"),
            meaning: "What it knows by itself",
        },
        Key {
            name: "patterns",
            kind: Kind::Syntax("list of regular expressions"),
            default: Default::Value("[]"),
            meaning: "What else is hidden",
        },
        Key {
            name: "keys",
            kind: Kind::Boolean,
            default: Default::Value("false"),
            meaning: "Whether it looks into keys as well; only without `fields`",
        },
        Key {
            name: "replacement",
            kind: Kind::Syntax("text"),
            default: Default::Value("\"***\""),
            meaning: "What stands in place of what is hidden",
        },
    ],
};
