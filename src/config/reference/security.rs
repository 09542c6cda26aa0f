//! The keys of [`crate::config::SecurityConfig`].

use super::{Default, Key, Kind, Section};

/// Bytes of the longest key or password.
const MAX_SECRET_LENGTH: usize = 1024;

const SHARED_KEY: Kind = Kind::Text { max_length: MAX_SECRET_LENGTH };

pub(in crate::config) const SECURITY: Section = Section {
    title: "security = { … }",
    extends: None,
    keys: &[
        Key {
            name: "shared_key",
            kind: SHARED_KEY,
            default: Default::Required,
            meaning: "What both sides must know; best from the environment: `\"${SHARED_KEY}\"`",
        },
        Key {
            name: "self_hostname",
            kind: Kind::Text { max_length: 255 },
            default: Default::Absent("`name` of `[server]`"),
            meaning: "What the server calls itself; Fluentd refuses a server of its own name",
        },
        Key {
            name: "users",
            kind: Kind::Map("table of passwords by user"),
            default: Default::Value("{}"),
            meaning: "Who may send; where it is not empty, a peer must also know a user and its password",
        },
        Key {
            name: "allow_anonymous_source",
            kind: Kind::Boolean,
            default: Default::Value("true"),
            meaning: "`false` turns away peers whose address is in none of `clients`",
        },
        Key {
            name: "keepalive",
            kind: Kind::Boolean,
            default: Default::Value("true"),
            meaning: "`false` asks peers for a new connection with every chunk, as Fluentd's `deny_keepalive` does",
        },
        Key {
            name: "clients",
            kind: Kind::Section("`clients = [{ … }]`"),
            default: Default::Value("[]"),
            meaning: "Peers with a key or users of their own, by address; the first one that fits counts",
        },
    ],
};

pub(in crate::config) const SECURITY_CLIENTS: Section = Section {
    title: "clients = [{ … }]",
    extends: None,
    keys: &[
        Key {
            name: "network",
            kind: Kind::Syntax("IP address or network"),
            default: Default::Required,
            meaning: "Where they are: `\"10.1.0.0/16\"`, `\"192.0.2.7\"`",
        },
        Key {
            name: "shared_key",
            kind: SHARED_KEY,
            default: Default::Absent("that of `security`"),
            meaning: "What they must know instead",
        },
        Key {
            name: "users",
            kind: Kind::Syntax("list of users"),
            default: Default::Absent("all `users`"),
            meaning: "Which of `users` may come from there",
        },
    ],
};
