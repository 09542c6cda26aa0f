//! The keys of [`crate::config::InputConfig`].

use std::time::Duration;

use super::{Default, Key, Kind, Section};
use crate::config::units::{GIB, KIB};

/// Bytes of the smallest `max_message_size`: what a sender may put into one message without being asked.
const MIN_MESSAGE_SIZE: u64 = 64 * KIB;

/// Bytes of the longest tag, or prefix of tags, that an input gives.
const MAX_OWN_TAG: usize = 1024;

/// Bytes of the largest message: half of the largest segment.
const MAX_MESSAGE_SIZE: u64 = GIB;

pub(in crate::config) const INPUT: Section = Section {
    title: "[[input]]",
    extends: None,
    keys: &[
        Key {
            name: "id",
            kind: Kind::Id,
            default: Default::Required,
            meaning: "Names the input in metrics, in log lines and as `{@input}`; unique among inputs and outputs",
        },
        Key {
            name: "type",
            kind: Kind::Choice(&["forward"]),
            default: Default::Required,
            meaning: "Fluentd's forward protocol",
        },
        Key {
            name: "listen",
            kind: Kind::Syntax("address and port, or `unix:` and a path"),
            default: Default::Required,
            meaning: "Where it listens; port 0 takes a free one",
        },
        Key {
            name: "socket_mode",
            kind: Kind::Syntax("octal digits"),
            default: Default::Value("\"0660\""),
            meaning: "Permissions of a Unix socket: who may write to it may connect",
        },
        Key {
            name: "udp_heartbeat",
            kind: Kind::Boolean,
            default: Default::Value("true"),
            meaning: "Answers datagrams to the same address and port with a zero byte, as `heartbeat_type udp` of \
                      Fluentd's senders wants it; not with a Unix socket",
        },
        Key {
            name: "tls",
            kind: Kind::Section("`tls = { … }`"),
            default: Default::Absent("plain TCP"),
            meaning: "Who may connect, and how the server proves itself",
        },
        Key {
            name: "max_connections",
            kind: Kind::Integer { min: 1, max: 1_000_000 },
            default: Default::Value("10000"),
            meaning: "Connections at one time; past it new ones are closed at once, counted",
        },
        Key {
            name: "handshake_timeout",
            kind: Kind::Time { min: Duration::from_millis(1), max: Duration::from_secs(600) },
            default: Default::Value("\"10s\""),
            meaning: "How long a TLS handshake may take",
        },
        Key {
            name: "max_message_size",
            kind: Kind::Size { min: MIN_MESSAGE_SIZE, max: MAX_MESSAGE_SIZE },
            default: Default::Value("\"16MiB\""),
            meaning: "Bytes of one message; a larger one is refused, counted. At most half of `segment_size`",
        },
        Key {
            name: "max_inflated_size",
            kind: Kind::Size { min: MIN_MESSAGE_SIZE, max: 64 * GIB },
            default: Default::Value("\"256MiB\""),
            meaning: "Bytes of one message after inflating; at least `max_message_size`",
        },
        Key {
            name: "max_in_flight",
            kind: Kind::Size { min: MIN_MESSAGE_SIZE, max: 64 * GIB },
            default: Default::Value("\"256MiB\""),
            meaning: "Bytes that all its connections together may hold between reading and sync; at the limit \
                      the senders wait. At least `max_message_size`",
        },
        Key {
            name: "max_pending_acks",
            kind: Kind::Integer { min: 1, max: 100_000 },
            default: Default::Value("64"),
            meaning: "Chunks of one connection that may wait for their sync at one time; at the limit its sender waits",
        },
        Key {
            name: "tag",
            kind: Kind::Text { max_length: MAX_OWN_TAG },
            default: Default::Absent("the sender's"),
            meaning: "Takes the place of the tags that the senders give",
        },
        Key {
            name: "add_tag_prefix",
            kind: Kind::Text { max_length: MAX_OWN_TAG },
            default: Default::Absent("no prefix"),
            meaning: "Stands before every tag, with a dot between them; a tag that gets longer than 4096 bytes is refused",
        },
        Key {
            name: "metadata_field",
            kind: Kind::Syntax("field"),
            default: Default::Absent("dropped"),
            meaning: "The field of each record that gets Fluent Bit's metadata, in place of what is there; see below",
        },
        Key {
            name: "resolve_hostname",
            kind: Kind::Boolean,
            default: Default::Value("false"),
            meaning: "Looks the name of a sender's host up by its address, for `{@source_hostname}`",
        },
    ],
};

pub(in crate::config) const TLS: Section = Section {
    title: "tls = { … }",
    extends: None,
    keys: &[
        Key {
            name: "cert",
            kind: Kind::Path,
            default: Default::Required,
            meaning: "PEM with the server certificate and its chain",
        },
        Key {
            name: "key",
            kind: Kind::Path,
            default: Default::Required,
            meaning: "PEM with its private key",
        },
        Key {
            name: "client_ca",
            kind: Kind::Path,
            default: Default::Absent("clients need no certificate"),
            meaning: "PEM with the authorities that client certificates must come from",
        },
    ],
};
