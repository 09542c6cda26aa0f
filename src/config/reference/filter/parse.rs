//! The keys of `type = "parse"`.

use super::{Default, FILTER, Key, Kind, Section};

pub(in crate::config) const PARSE_FILTER: Section = Section {
    title: "[[filter]] of type parse",
    extends: Some(&FILTER),
    keys: &[
        Key {
            name: "field",
            kind: Kind::Syntax("field"),
            default: Default::Value("\"message\""),
            meaning: "The field with the text",
        },
        Key {
            name: "format",
            kind: Kind::Choice(&[
                "json",
                "ltsv",
                "csv",
                "key_value",
                "regex",
                "nginx_access",
                "nginx_error",
                "apache_access",
                "apache_error",
                "syslog_rfc3164",
                "syslog_rfc5424",
            ]),
            default: Default::Required,
            meaning: "What the text is",
        },
        Key {
            name: "regex",
            kind: Kind::Syntax("regular expression"),
            default: Default::Absent("required with `regex`"),
            meaning: "Its named groups become fields: `(?<name>…)`",
        },
        Key {
            name: "columns",
            kind: Kind::Syntax("list of names"),
            default: Default::Absent("required with `csv`"),
            meaning: "The fields that the columns become",
        },
        Key {
            name: "delimiter",
            kind: Kind::Syntax("one ASCII character"),
            default: Default::Absent("`,` for `csv`, a space for `key_value`"),
            meaning: "What stands between columns, or between pairs",
        },
        Key {
            name: "into",
            kind: Kind::Syntax("field"),
            default: Default::Absent("the record itself"),
            meaning: "The field that gets what was found, as a map",
        },
        Key {
            name: "keep_field",
            kind: Kind::Boolean,
            default: Default::Value("false"),
            meaning: "`true` leaves the text beside what was found in it",
        },
        Key {
            name: "types",
            kind: Kind::Map("table of types by name"),
            default: Default::Value("{}"),
            meaning: "What was found becomes `integer`, `float` or `boolean` where it reads as one",
        },
        Key {
            name: "on_error",
            kind: Kind::Choice(&["keep", "field", "invalid"]),
            default: Default::Value("\"keep\""),
            meaning: "An event whose text is not in the format goes on as it is, with the reason in a field, or to the output with `invalid = true`",
        },
        Key {
            name: "error_field",
            kind: Kind::Syntax("field"),
            default: Default::Value("\"parse_error\""),
            meaning: "The field that gets the reason",
        },
    ],
};
