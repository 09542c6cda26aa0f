//! The keys of [`crate::config::ForwardPoolConfig`].

use std::time::Duration;

use super::OUTPUT;
use crate::config::reference::{Default, Key, Kind, Section};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// The section of the `forward` output extends this one.
pub(in crate::config) const FORWARD_POOL: Section = Section {
    title: "[[output]] of type forward: which server",
    extends: Some(&OUTPUT),
    keys: &[
        Key {
            name: "servers",
            kind: Kind::Section("`servers = [{ … }]`"),
            default: Default::Absent("required without `srv`"),
            meaning: "The upstream servers, 64 at most",
        },
        Key {
            name: "srv",
            kind: Kind::Section("`srv = { … }`"),
            default: Default::Absent("no discovery"),
            meaning: "More upstream servers, which SRV records in the DNS name",
        },
        Key {
            name: "heartbeat",
            kind: Kind::Choice(&["transport", "udp", "none"]),
            default: Default::Value("\"transport\""),
            meaning: "How servers are asked whether they are there: a TCP connection that is opened and closed, a \
                      byte by UDP that is answered, or not at all",
        },
        Key {
            name: "heartbeat_interval",
            kind: Kind::Time { min: Duration::from_millis(10), max: HOUR },
            default: Default::Value("\"1s\""),
            meaning: "How often each server is asked",
        },
        Key {
            name: "phi_threshold",
            kind: Kind::Integer { min: 1, max: 1_000 },
            default: Default::Value("16"),
            meaning: "How unlikely silence must have become before a server is down, as an exponent of ten: 16 takes \
                      37 s where heartbeats came every second, more where they were irregular",
        },
        Key {
            name: "hard_timeout",
            kind: Kind::Time { min: Duration::from_millis(10), max: DAY },
            default: Default::Value("\"60s\""),
            meaning: "Silence after which a server is down in any case; more than `heartbeat_interval`",
        },
        Key {
            name: "recover_wait",
            kind: Kind::Time { min: Duration::from_millis(10), max: DAY },
            default: Default::Value("\"10s\""),
            meaning: "How long heartbeats must be good before a server that was down gets its share again; without \
                      heartbeats, when it is tried again with one chunk",
        },
        Key {
            name: "expire_dns_cache",
            kind: Kind::Time { min: Duration::ZERO, max: DAY },
            default: Default::Value("\"60s\""),
            meaning: "How long the addresses of a name are used before it is looked up again; `\"0s\"` looks it up \
                      for every connection, heartbeats included",
        },
        Key {
            name: "dns_round_robin",
            kind: Kind::Boolean,
            default: Default::Value("false"),
            meaning: "`true` begins with each address of a name in turn, `false` always with the first; the others \
                      follow where it takes no connection",
        },
    ],
};

pub(in crate::config) const FORWARD_SERVER: Section = Section {
    title: "servers = [{ … }]",
    extends: None,
    keys: &[
        Key {
            name: "address",
            kind: Kind::Text { max_length: 261 },
            default: Default::Required,
            meaning: "`host:port`; no two servers have the same",
        },
        Key {
            name: "name",
            kind: Kind::Text { max_length: 255 },
            default: Default::Absent("the address"),
            meaning: "What log lines and metrics call it; no two servers have the same",
        },
        Key {
            name: "weight",
            kind: Kind::Integer { min: 0, max: 65_535 },
            default: Default::Value("60"),
            meaning: "Its share of the chunks, relative to the others; 0 is none",
        },
        Key {
            name: "standby",
            kind: Kind::Boolean,
            default: Default::Value("false"),
            meaning: "`true` uses it only while others are down",
        },
        SERVER_NAME,
        SHARED_KEY,
        USERNAME,
        PASSWORD,
    ],
};

pub(in crate::config) const SRV: Section = Section {
    title: "srv = { … }",
    extends: None,
    keys: &[
        Key {
            name: "host",
            kind: Kind::Text { max_length: 253 },
            default: Default::Required,
            meaning: "The domain that is asked",
        },
        Key {
            name: "service",
            kind: Kind::Text { max_length: 62 },
            default: Default::Value("\"fluentd\""),
            meaning: "The service that is asked for, without its underscore",
        },
        Key {
            name: "proto",
            kind: Kind::Text { max_length: 62 },
            default: Default::Value("\"tcp\""),
            meaning: "The protocol that is asked for, without its underscore",
        },
        Key {
            name: "refresh",
            kind: Kind::Time { min: Duration::from_secs(1), max: DAY },
            default: Default::Value("\"60s\""),
            meaning: "How often it is asked again",
        },
        SERVER_NAME,
        SHARED_KEY,
        USERNAME,
        PASSWORD,
    ],
};

const SERVER_NAME: Key = Key {
    name: "server_name",
    kind: Kind::Text { max_length: 253 },
    default: Default::Absent("that of `tls`, else the host"),
    meaning: "The name that the certificate must carry",
};

const SHARED_KEY: Key = Key {
    name: "shared_key",
    kind: Kind::Text { max_length: 1024 },
    default: Default::Absent("that of the output"),
    meaning: "The shared key of the handshake",
};

const USERNAME: Key = Key {
    name: "username",
    kind: Kind::Text { max_length: 255 },
    default: Default::Absent("no user"),
    meaning: "The user of the handshake; needs `password` and a shared key",
};

const PASSWORD: Key = Key {
    name: "password",
    kind: Kind::Text { max_length: 1024 },
    default: Default::Absent("no user"),
    meaning: "The password of the user",
};
