//! The keys of [`crate::config::TestCase`].

use super::{Default, Key, Kind, Section};

/// A file of tests beside a configuration.
pub(in crate::config) const TEST_FILE: Section = Section {
    title: "hikyaku.tests.toml",
    extends: None,
    keys: &[Key {
        name: "test",
        kind: Kind::Section("`[[test]]`"),
        default: Default::Absent("no tests"),
        meaning: "What `hikyaku test` runs",
    }],
};

pub(in crate::config) const TEST: Section = Section {
    title: "[[test]]",
    extends: None,
    keys: &[
        Key {
            name: "name",
            kind: Kind::Text { max_length: 255 },
            default: Default::Required,
            meaning: "What is true if it succeeds; unique in its file",
        },
        Key {
            name: "tag",
            kind: Kind::Text { max_length: 4096 },
            default: Default::Absent("required, unless each chunk has one"),
            meaning: "The tag that the sender gives",
        },
        Key {
            name: "events",
            kind: Kind::Section("`events = [{ … }]`"),
            default: Default::Absent("required without `chunks`"),
            meaning: "What comes in, in one chunk",
        },
        Key {
            name: "chunks",
            kind: Kind::Section("`chunks = [{ … }]`"),
            default: Default::Absent("one chunk, of `events`"),
            meaning: "What comes in, in several chunks, in the order in which they are received",
        },
        Key {
            name: "expect",
            kind: Kind::Section("`expect.ID = [{ … }]`"),
            default: Default::Value("{}"),
            meaning: "What the output of this `id` writes, in this order; `[]` or `\"nothing\"` is no event",
        },
        Key {
            name: "others",
            kind: Kind::Choice(&["nothing", "anything"]),
            default: Default::Value("\"nothing\""),
            meaning: "What the outputs write that `expect` does not name",
        },
        Key {
            name: "input",
            kind: Kind::Id,
            default: Default::Absent("the first one of the file"),
            meaning: "The input that the chunk comes from",
        },
        Key {
            name: "sender",
            kind: Kind::Section("`sender = { … }`"),
            default: Default::Absent("somebody at 192.0.2.1"),
            meaning: "Who sends it",
        },
        Key {
            name: "received_at",
            kind: Kind::Syntax("time as in ISO 8601"),
            default: Default::Absent("`\"2026-01-01T00:00:00Z\"`"),
            meaning: "When it is received",
        },
        Key {
            name: "server",
            kind: Kind::Text { max_length: 255 },
            default: Default::Value("\"logserver\""),
            meaning: "What `{@server}` says, in place of `name` in `[server]`",
        },
    ],
};

pub(in crate::config) const TEST_CHUNK: Section = Section {
    title: "chunks = [{ … }]",
    extends: None,
    keys: &[
        Key {
            name: "events",
            kind: Kind::Section("`events = [{ … }]`"),
            default: Default::Required,
            meaning: "What it holds",
        },
        Key {
            name: "tag",
            kind: Kind::Text { max_length: 4096 },
            default: Default::Absent("that of the test"),
            meaning: "The tag that the sender gives",
        },
        Key {
            name: "input",
            kind: Kind::Id,
            default: Default::Absent("that of the test"),
            meaning: "The input that it comes from",
        },
        Key {
            name: "sender",
            kind: Kind::Section("`sender = { … }`"),
            default: Default::Absent("that of the test"),
            meaning: "Who sends it",
        },
        Key {
            name: "received_at",
            kind: Kind::Syntax("time as in ISO 8601"),
            default: Default::Absent("that of the test"),
            meaning: "When it is received",
        },
    ],
};

pub(in crate::config) const TEST_EVENT: Section = Section {
    title: "events = [{ … }]",
    extends: None,
    keys: &[
        Key {
            name: "record",
            kind: Kind::Syntax("table, or JSON as text"),
            default: Default::Required,
            meaning: "Its fields; JSON also knows `null`",
        },
        Key {
            name: "time",
            kind: Kind::Syntax("time as in ISO 8601"),
            default: Default::Absent("`received_at`"),
            meaning: "Its own time",
        },
    ],
};

pub(in crate::config) const TEST_EXPECTED: Section = Section {
    title: "expect.ID = [{ … }]",
    extends: None,
    keys: &[
        Key {
            name: "record",
            kind: Kind::Syntax("table, or JSON as text"),
            default: Default::Absent("not looked at"),
            meaning: "The whole record, with what `inject` adds to a line of JSON",
        },
        Key {
            name: "fields",
            kind: Kind::Syntax("table, or JSON as text"),
            default: Default::Absent("not looked at"),
            meaning: "Some fields of the record",
        },
        Key {
            name: "path",
            kind: Kind::Syntax("text"),
            default: Default::Absent("not looked at"),
            meaning: "The file that it is written into; only of an output of type file",
        },
        Key {
            name: "tag",
            kind: Kind::Syntax("text"),
            default: Default::Absent("not looked at"),
            meaning: "Its tag behind the filters",
        },
        Key {
            name: "time",
            kind: Kind::Syntax("time as in ISO 8601"),
            default: Default::Absent("not looked at"),
            meaning: "Its time behind the filters",
        },
        Key {
            name: "line",
            kind: Kind::Syntax("text"),
            default: Default::Absent("not looked at"),
            meaning: "The very line that is written; only of an output of type file, and not of msgpack",
        },
    ],
};

pub(in crate::config) const TEST_SENDER: Section = Section {
    title: "sender = { … }",
    extends: None,
    keys: &[
        Key {
            name: "address",
            kind: Kind::Syntax("IP address"),
            default: Default::Value("\"192.0.2.1\""),
            meaning: "What `{@source_address}` says",
        },
        Key {
            name: "subject",
            kind: Kind::Text { max_length: 4096 },
            default: Default::Absent("no certificate"),
            meaning: "The subject of its certificate",
        },
        Key {
            name: "san",
            kind: Kind::Syntax("list of names such as `DNS:engine-1.example.com`"),
            default: Default::Value("[]"),
            meaning: "The alternative names of its certificate, with their kinds `DNS`, `URI`, `IP` and `email`",
        },
        Key {
            name: "host_name",
            kind: Kind::Text { max_length: 255 },
            default: Default::Absent("no handshake"),
            meaning: "What it calls its host in the shared key handshake",
        },
        Key {
            name: "user",
            kind: Kind::Text { max_length: 255 },
            default: Default::Absent("no user"),
            meaning: "Its user in the shared key handshake; needs `host_name`",
        },
        Key {
            name: "identity",
            kind: Kind::Text { max_length: 4096 },
            default: Default::Absent("what follows from the other keys"),
            meaning: "What `{@sender}` says",
        },
    ],
};
