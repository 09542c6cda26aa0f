//! The keys of [`crate::config::ForwardOutputConfig`].

use std::time::Duration;

use super::FORWARD_POOL;
use crate::config::reference::{Default, Key, Kind, Section};
use crate::config::units::{GIB, KIB};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

pub(in crate::config) const FORWARD_OUTPUT: Section = Section {
    title: "[[output]] of type forward",
    extends: Some(&FORWARD_POOL),
    keys: &[
        Key {
            name: "tls",
            kind: Kind::Section("`tls = { ca = … }`"),
            default: Default::Absent("plain TCP"),
            meaning: "Whom to trust, and how hikyaku proves itself to the servers",
        },
        Key {
            name: "shared_key",
            kind: Kind::Text { max_length: 1024 },
            default: Default::Absent("no handshake"),
            meaning: "The secret that both sides of Fluentd's handshake must know; for all servers that have none of \
                      their own",
        },
        Key {
            name: "self_hostname",
            kind: Kind::Text { max_length: 255 },
            default: Default::Absent("`name` in `[server]`"),
            meaning: "What hikyaku calls itself in the handshake; a server of the same name is refused",
        },
        Key {
            name: "compress",
            kind: Kind::Choice(&["text", "gzip", "zstd"]),
            default: Default::Value("\"text\""),
            meaning: "How entries go out that arrived uncompressed or are encoded anew; `text` is not at all. Chunks \
                      that nothing changes stay gzip where they are, and Zstandard only with `zstd`",
        },
        Key {
            name: "metadata",
            kind: Kind::Choice(&["drop", "keep"]),
            default: Default::Value("\"drop\""),
            meaning: "What becomes of Fluent Bit's metadata; Fluentd cannot read it and never acknowledges it",
        },
        Key {
            name: "acks",
            kind: Kind::Boolean,
            default: Default::Value("true"),
            meaning: "`false` counts a chunk as delivered once it is written to the connection, which a crash or a \
                      lost connection can undo unseen",
        },
        Key {
            name: "ack_timeout",
            kind: Kind::Time { min: Duration::from_millis(10), max: DAY },
            default: Default::Value("\"190s\""),
            meaning: "How long a server may take to acknowledge a message",
        },
        Key {
            name: "send_timeout",
            kind: Kind::Time { min: Duration::from_millis(10), max: HOUR },
            default: Default::Value("\"60s\""),
            meaning: "How long writing one message may take",
        },
        Key {
            name: "connect_timeout",
            kind: Kind::Time { min: Duration::from_millis(10), max: HOUR },
            default: Default::Value("\"10s\""),
            meaning: "How long a connection may take until it can be used, TLS and the handshake included",
        },
        Key {
            name: "keepalive_timeout",
            kind: Kind::Time { min: Duration::ZERO, max: DAY },
            default: Default::Value("\"10m\""),
            meaning: "Age at which a connection is made anew, between two messages; `\"0s\"` makes one for each message",
        },
        Key {
            name: "chunk_size",
            kind: Kind::Size { min: KIB, max: GIB },
            default: Default::Value("\"8MiB\""),
            meaning: "Bytes of entries in one message, before compression; a larger chunk goes out in pieces, a \
                      larger event alone",
        },
        Key {
            name: "connections",
            kind: Kind::Integer { min: 1, max: 1_000 },
            default: Default::Value("4"),
            meaning: "Messages under way at one time, each over a connection of its own; at the limit reading waits",
        },
        Key {
            name: "max_in_doubt",
            kind: Kind::Integer { min: 0, max: 10_000 },
            default: Default::Value("8"),
            meaning: "Messages in doubt that may wait for their server while others go on; past it they count as \
                      under way",
        },
        Key {
            name: "in_doubt_timeout",
            kind: Kind::Time { min: Duration::ZERO, max: DAY },
            default: Default::Value("\"10m\""),
            meaning: "How long a message of which nobody knows whether it arrived waits for its own server, before \
                      another one gets it, counted",
        },
        Key {
            name: "checkpoint_interval",
            kind: Kind::Time { min: Duration::from_millis(10), max: HOUR },
            default: Default::Value("\"1s\""),
            meaning: "How often the cursor is saved and the journal released",
        },
        Key {
            name: "retry_timeout",
            kind: Kind::Time { min: Duration::from_millis(10), max: Duration::from_secs(365 * 86_400) },
            default: Default::Value("\"72h\""),
            meaning: "A message that is older than this, and that could not be delivered for so long, is given up: to \
                      `secondary`, else to the dead letters",
        },
        Key {
            name: "retry_forever",
            kind: Kind::Boolean,
            default: Default::Value("false"),
            meaning: "`true` never gives up",
        },
        Key {
            name: "secondary",
            kind: Kind::Id,
            default: Default::Absent("the dead letters"),
            meaning: "The output that gets what is given up: one of `type = \"file\"` without `match`, `invalid` and \
                      `fallback`",
        },
        Key {
            name: "verify_connection_at_startup",
            kind: Kind::Boolean,
            default: Default::Value("false"),
            meaning: "`true` refuses to start while no server can be reached, or each one refuses",
        },
    ],
};

pub(in crate::config) const CLIENT_TLS: Section = Section {
    title: "tls = { ca = … }",
    extends: None,
    keys: &[
        Key {
            name: "ca",
            kind: Kind::Path,
            default: Default::Required,
            meaning: "PEM with the authorities that the servers' certificates must come from",
        },
        Key {
            name: "cert",
            kind: Kind::Path,
            default: Default::Absent("no client certificate"),
            meaning: "PEM with the client certificate and its chain; needs `key`",
        },
        Key {
            name: "key",
            kind: Kind::Path,
            default: Default::Absent("no client certificate"),
            meaning: "PEM with its private key; needs `cert`",
        },
        Key {
            name: "server_name",
            kind: Kind::Text { max_length: 253 },
            default: Default::Absent("the host of each server's address"),
            meaning: "The name that the servers' certificates must carry",
        },
        Key {
            name: "reload_interval",
            kind: Kind::Time { min: Duration::ZERO, max: DAY },
            default: Default::Value("\"10s\""),
            meaning: "How often it looks whether one of these files has changed; `\"0s\"`: only on HUP",
        },
    ],
};
