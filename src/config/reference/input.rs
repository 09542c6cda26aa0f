//! The keys of [`crate::config::InputConfig`].

use std::time::Duration;

use super::{Default, Key, Kind, Section};
use crate::config::units::{GIB, KIB, MIB, TIB};
use crate::wire::msgpack::MAX_DEPTH;

/// Bytes of the smallest `max_message_size`: what a sender may put into one message without being asked.
const MIN_MESSAGE_SIZE: u64 = 64 * KIB;

/// Bytes of the largest message: what msgpack can say, less what stands around the entries.
const MAX_MESSAGE_SIZE: u64 = 4 * GIB - MIB;

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
            kind: Kind::Address,
            default: Default::Required,
            meaning: "Where it listens; port 0 takes a free one",
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
            default: Default::Value("\"320MiB\""),
            meaning: "Bytes of one message; a larger one is refused, counted. The default takes Fluentd's largest chunks \
                      (256 MiB)",
        },
        Key {
            name: "spool_above",
            kind: Kind::Size { min: MIN_MESSAGE_SIZE, max: GIB },
            default: Default::Value("\"8MiB\""),
            meaning: "A message of more bytes goes through a file instead of through memory. What stays in memory must \
                      fit into half of `segment_size`",
        },
        Key {
            name: "max_spool_size",
            kind: Kind::Size { min: MIN_MESSAGE_SIZE, max: TIB },
            default: Default::Value("\"1GiB\""),
            meaning: "Bytes of all messages of this input that are on their way through files; at the limit their \
                      senders wait. At least `max_message_size`",
        },
        Key {
            name: "min_rate",
            kind: Kind::Size { min: 0, max: GIB },
            default: Default::Value("\"64KiB\""),
            meaning: "Bytes a second that must come of a message above `spool_above`, over 30 s; a slower sender is cut \
                      off, counted. 0 lets it be as slow as it likes",
        },
        Key {
            name: "max_entry_size",
            kind: Kind::Size { min: KIB, max: GIB },
            default: Default::Value("\"16MiB\""),
            meaning: "Bytes of one entry; a message with a larger one is refused, counted",
        },
        Key {
            name: "max_depth",
            kind: Kind::Integer { min: 1, max: MAX_DEPTH as i64 },
            default: Default::Value("128"),
            meaning: "How deep arrays and maps may be nested in a record; a message with a deeper one is refused, counted",
        },
        Key {
            name: "max_inflated_size",
            kind: Kind::Size { min: MIN_MESSAGE_SIZE, max: TIB },
            default: Default::Value("\"1GiB\""),
            meaning: "Bytes of one message after inflating; at least `max_message_size`",
        },
        Key {
            name: "max_inflate_ratio",
            kind: Kind::Integer { min: 1, max: 1_000_000 },
            default: Default::Value("1000"),
            meaning: "How many times its size a compressed message may inflate to; the first MiB is always allowed",
        },
        Key {
            name: "max_in_flight",
            kind: Kind::Size { min: MIN_MESSAGE_SIZE, max: 64 * GIB },
            default: Default::Value("\"256MiB\""),
            meaning: "Bytes that all its connections together may hold between reading and sync; at the limit \
                      the senders wait. At least what one message can take: `spool_above`, or `max_entry_size` and 1 MiB",
        },
        Key {
            name: "max_pending_acks",
            kind: Kind::Integer { min: 1, max: 100_000 },
            default: Default::Value("64"),
            meaning: "Chunks of one connection that may wait for their sync at one time; at the limit its sender waits",
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
