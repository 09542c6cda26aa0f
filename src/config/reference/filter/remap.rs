//! The keys of `type = "remap"`.

use super::{Default, FILTER, Key, Kind, Section};

pub(in crate::config) const REMAP_FILTER: Section = Section {
    title: "[[filter]] of type remap",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "source",
            kind: Kind::Syntax("program in VRL"),
            default: Default::Absent("`source` or `file` is required"),
            meaning: "The program itself; nothing in it is replaced from the environment",
        },
        Key {
            name: "file",
            kind: Kind::Path,
            default: Default::Absent("`source` or `file` is required"),
            meaning: "A file with the program, read when the configuration is",
        },
        Key {
            name: "on_error",
            kind: Kind::Choice(&["keep", "field", "drop", "invalid"]),
            default: Default::Value("\"field\""),
            meaning: "An event whose program fails goes on as it was, with the reason in a field, nowhere, or to the output with `invalid = true`",
        },
        Key {
            name: "on_abort",
            kind: Kind::Choice(&["keep", "field", "drop", "invalid"]),
            default: Default::Value("\"drop\""),
            meaning: "The same for an event whose program ends with `abort`",
        },
        Key {
            name: "error_field",
            kind: Kind::Syntax("field"),
            default: Default::Value("\"remap_error\""),
            meaning: "The field that gets the reason",
        },
    ],
};
