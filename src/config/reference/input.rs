//! The keys of [`crate::config::InputConfig`].

use std::time::Duration;

use super::{Default, Key, Kind, Section};
use crate::config::units::{GIB, KIB, MIB, TIB};
use crate::wire::msgpack::MAX_DEPTH;

/// Bytes of the smallest `max_message_size`: what a sender may put into one message without being asked.
const MIN_MESSAGE_SIZE: u64 = 64 * KIB;

/// Bytes of the longest tag, or prefix of tags, that an input gives.
const MAX_OWN_TAG: usize = 1024;

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
            name: "security",
            kind: Kind::Section("`security = { … }`"),
            default: Default::Absent("no handshake"),
            meaning: "The handshake with a shared key, and users",
        },
        Key {
            name: "max_connections",
            kind: Kind::Integer { min: 1, max: 1_000_000 },
            default: Default::Value("10000"),
            meaning: "Connections at one time; past it new ones are closed at once, counted",
        },
        Key {
            name: "max_connections_by_sender",
            kind: Kind::Integer { min: 1, max: 1_000_000 },
            default: Default::Value("1000"),
            meaning: "Connections that one sender may have at one time; past it new ones are closed, counted",
        },
        Key {
            name: "max_handshakes_by_address",
            kind: Kind::Integer { min: 1, max: 1_000_000 },
            default: Default::Value("1000"),
            meaning: "Connections from one address (IPv6: one /64 network) that may be in their handshake at one \
                      time; past it new ones are closed at once, counted",
        },
        Key {
            name: "handshake_timeout",
            kind: Kind::Time { min: Duration::from_millis(1), max: Duration::from_secs(600) },
            default: Default::Value("\"10s\""),
            meaning: "How long a TLS handshake may take",
        },
        Key {
            name: "idle_timeout",
            kind: Kind::Time { min: Duration::ZERO, max: Duration::from_secs(30 * 86_400) },
            default: Default::Value("\"0s\""),
            meaning: "How long a connection may be without a byte before it is closed; `0s` is for ever",
        },
        Key {
            name: "stall_timeout",
            kind: Kind::Time { min: Duration::from_millis(1), max: Duration::from_secs(3600) },
            default: Default::Value("\"60s\""),
            meaning: "How long the next byte of a message that has begun may take to come, an acknowledgement \
                      to be taken, and the disk to have space for a large message, before the connection is closed",
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
            name: "max_in_flight_by_sender",
            kind: Kind::Size { min: MIN_MESSAGE_SIZE, max: 64 * GIB },
            default: Default::Value("\"64MiB\""),
            meaning: "Bytes of `max_in_flight` that the connections of one sender may hold; at the limit this sender \
                      waits. One message of it always fits",
        },
        Key {
            name: "max_pending_acks",
            kind: Kind::Integer { min: 1, max: 100_000 },
            default: Default::Value("64"),
            meaning: "Chunks of one connection that may wait for their sync at one time; at the limit its sender waits",
        },
        Key {
            name: "max_events_per_second",
            kind: Kind::Integer { min: 1, max: 1_000_000_000 },
            default: Default::Absent("no limit"),
            meaning: "Events a second of one sender, over all its connections; past it this sender waits",
        },
        Key {
            name: "max_bytes_per_second",
            kind: Kind::Size { min: KIB, max: 64 * GIB },
            default: Default::Absent("no limit"),
            meaning: "Bytes of messages a second of one sender, over all its connections; past it this sender waits",
        },
        Key {
            name: "refusal_window",
            kind: Kind::Time { min: Duration::from_secs(1), max: Duration::from_secs(30 * 86_400) },
            default: Default::Value("\"1h\""),
            meaning: "How long a refused message is remembered; refused for the third time, it becomes a dead letter",
        },
        Key {
            name: "max_remembered_refusals",
            kind: Kind::Integer { min: 1, max: 1_000_000 },
            default: Default::Value("10000"),
            meaning: "Refused messages that are remembered; past it whoever sent most of them is forgotten his oldest",
        },
        Key {
            name: "pipeline",
            kind: Kind::Id,
            default: Default::Absent("the default pipeline"),
            meaning: "Where its events begin",
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
            name: "allow",
            kind: Kind::Map("table of fields to values"),
            default: Default::Absent("anything"),
            meaning: "What every sender may write into these fields: texts with placeholders of what it proved, such as \
                      `{ customer_name = [\"{@san_dns[0]}\"] }`; see below",
        },
        Key {
            name: "owners",
            kind: Kind::Map("table of senders to fields to values"),
            default: Default::Absent("anything"),
            meaning: "What some senders may write: `{ \"DNS:*.acme.example\" = { customer_name = [\"acme\"] } }`; who is not \
                      in there may write what `allow` says, and nothing without it; see below",
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
            name: "certificates",
            kind: Kind::Section("list of `{ cert, key }`"),
            default: Default::Absent("none"),
            meaning: "More server certificates, chosen by the name that a client asks for (SNI); `cert` is for every \
                      other name, and for none",
        },
        Key {
            name: "client_ca",
            kind: Kind::Syntax("path or list of paths"),
            default: Default::Absent("clients need no certificate"),
            meaning: "PEM with the authorities that client certificates must come from",
        },
        Key {
            name: "crl",
            kind: Kind::Syntax("path or list of paths"),
            default: Default::Absent("nothing is revoked"),
            meaning: "Revocation lists of these authorities, PEM or DER; clients of one without a list are taken",
        },
        Key {
            name: "crl_expired",
            kind: Kind::Choice(&["accept", "refuse"]),
            default: Default::Value("\"accept\""),
            meaning: "What a list past its next update means: it goes on to count, with a warning each day, or all \
                      clients of its authority are refused until there is a newer one",
        },
        Key {
            name: "reload_interval",
            kind: Kind::Time { min: Duration::ZERO, max: Duration::from_secs(24 * 60 * 60) },
            default: Default::Value("\"10s\""),
            meaning: "How often it looks whether one of these files has changed; `\"0s\"`: only on HUP",
        },
    ],
};

pub(in crate::config) const CERTIFICATE: Section = Section {
    title: "certificates = [{ … }]",
    extends: None,
    keys: &[
        Key {
            name: "cert",
            kind: Kind::Path,
            default: Default::Required,
            meaning: "PEM with a server certificate and its chain",
        },
        Key {
            name: "key",
            kind: Kind::Path,
            default: Default::Required,
            meaning: "PEM with the private key of this certificate",
        },
    ],
};
