//! The keys of [`crate::config::FileOutputConfig`].

use std::time::Duration;

use super::OUTPUT;
use crate::config::reference::{Default, Key, Kind, Section};
use crate::config::units::{GIB, KIB, TIB};

pub(in crate::config) const FILE_OUTPUT: Section = Section {
    title: "[[output]] of type file",
    extends: Some(&OUTPUT),
    keys: &[
        Key {
            name: "path",
            kind: Kind::Syntax("path template"),
            default: Default::Required,
            meaning: "The files; `.gz` at the end means compressed",
        },
        Key {
            name: "path_characters",
            kind: Kind::Map("table of character sets by placeholder"),
            default: Default::Value("{}"),
            meaning: "The characters that a placeholder keeps in the path, every other becomes `_`; \
                      `a-zA-Z0-9._-` where not named here",
        },
        Key {
            name: "timezone",
            kind: Kind::Syntax("IANA name"),
            default: Default::Value("\"UTC\""),
            meaning: "The zone of `%Y %m %d %H %M %S` in the path",
        },
        Key {
            name: "format",
            kind: Kind::Choice(&["json", "msgpack", "ltsv", "csv"]),
            default: Default::Value("\"json\""),
            meaning: "How an event is written: a JSON object a line, `[time, record]` in msgpack, `key:value` \
                      separated by tabs, or the columns `csv_fields`",
        },
        Key {
            name: "csv_fields",
            kind: Kind::Syntax("list of fields"),
            default: Default::Absent("required with `csv`"),
            meaning: "The columns, in this order",
        },
        Key {
            name: "inject",
            kind: Kind::Section("`inject = { … }`"),
            default: Default::Absent("nothing"),
            meaning: "What is added to each record as it is written",
        },
        Key {
            name: "flush_interval",
            kind: Kind::Time { min: Duration::from_millis(10), max: Duration::from_secs(3600) },
            default: Default::Value("\"10s\""),
            meaning: "How long an event may stay in memory before it is in its file",
        },
        Key {
            name: "checkpoint_interval",
            kind: Kind::Time { min: Duration::from_millis(100), max: Duration::from_secs(3600) },
            default: Default::Value("\"30s\""),
            meaning: "How often files are synced, the cursor is saved and the journal released",
        },
        Key {
            name: "buffer_memory",
            kind: Kind::Size { min: 64 * KIB, max: 64 * GIB },
            default: Default::Value("\"48MiB\""),
            meaning: "Bytes of formatted events held in memory; at the limit they are flushed early, and before it \
                      where there are 320 KiB for each file, and 2 MiB in all where some of it is plain text",
        },
        Key {
            name: "max_open_files",
            kind: Kind::Integer { min: 1, max: 100_000 },
            default: Default::Value("256"),
            meaning: "Files held open at one time",
        },
        Key {
            name: "compression_level",
            kind: Kind::IntegerOrAuto { min: 1, max: 12 },
            default: Default::Value("\"auto\""),
            meaning: "gzip level of libdeflate, from fast to small; `\"auto\"` tries a piece of each file now and then, and \
                      takes the fastest that comes out at no more than 1.15 times what Fluentd makes of it, ISA-L's \
                      among them where hikyaku was built with it",
        },
        Key {
            name: "compression_threads",
            kind: Kind::Integer { min: 1, max: 64 },
            default: Default::Value("2"),
            meaning: "Files that are compressed at one time, each on a thread of its own",
        },
        Key {
            name: "undone_max_size",
            kind: Kind::Size { min: 0, max: 64 * TIB },
            default: Default::Value("\"256MiB\""),
            meaning: "Bytes kept of file tails that a recovery cut off; the oldest go first",
        },
        Key {
            name: "retry_timeout",
            kind: Kind::Time { min: Duration::from_millis(10), max: Duration::from_secs(365 * 86_400) },
            default: Default::Absent("never"),
            meaning: "A file that could not be written for so long is given up: what is for it goes to `secondary`, else to \
                      the dead letters, until it can be written again",
        },
        Key {
            name: "retry_forever",
            kind: Kind::Boolean,
            default: Default::Absent("`true` without `retry_timeout`"),
            meaning: "`true` never gives up, which is so without `retry_timeout`",
        },
        Key {
            name: "secondary",
            kind: Kind::Id,
            default: Default::Absent("the dead letters"),
            meaning: "With `retry_timeout`: the output that gets what is given up, one of `type = \"file\"` without `match`, \
                      `invalid` and `fallback`",
        },
    ],
};

pub(in crate::config) const INJECT: Section = Section {
    title: "inject = { … }",
    extends: None,
    keys: &[
        Key {
            name: "tag",
            kind: Kind::Text { max_length: 255 },
            default: Default::Absent("not added"),
            meaning: "The field that gets the tag",
        },
        Key {
            name: "time",
            kind: Kind::Text { max_length: 255 },
            default: Default::Absent("not added"),
            meaning: "The field that gets the event time",
        },
        Key {
            name: "time_format",
            kind: Kind::Syntax("time format"),
            default: Default::Value("\"%Y-%m-%dT%H:%M:%S.%LZ\""),
            meaning: "How the event time is written; required where `timezone` is not UTC",
        },
        Key {
            name: "timezone",
            kind: Kind::Syntax("IANA name"),
            default: Default::Value("\"UTC\""),
            meaning: "The zone that the event time is written in",
        },
    ],
};
