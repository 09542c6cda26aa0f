//! The keys of [`crate::config::ServerConfig`] and its neighbours.

use std::time::Duration;

use super::{Default, Key, Kind, Section};
use crate::config::units::{GIB, MIB, TIB};

pub(in crate::config) const FILE: Section = Section {
    title: "hikyaku.toml",
    extends: None,
    keys: &[
        section("server", "`[server]`", "The process itself"),
        section("log", "`[log]`", "The server's own log on standard output"),
        section("journal", "`[journal]`", "The chunks on disk"),
        section("dead_letters", "`[dead_letters]`", "What could not be delivered"),
        section("input", "`[[input]]`", "What listens; at least one"),
        section("filter", "`[[filter]]`", "What changes records, in the order of the file"),
        section("output", "`[[output]]`", "Where events go; at least one"),
        section("health", "`[health]`", "`/health` and `/ready`"),
        section("monitor_agent", "`[monitor_agent]`", "Fluentd's `/api/plugins.json`"),
        section("metrics", "`[metrics]`", "Prometheus' `/metrics`"),
        section("test", "`[[test]]`", "What `hikyaku test` runs; a server passes over it"),
    ],
};

const fn section(name: &'static str, title: &'static str, meaning: &'static str) -> Key {
    Key { name, kind: Kind::Section(title), default: Default::Absent("see there"), meaning }
}

pub(in crate::config) const SERVER: Section = Section {
    title: "[server]",
    extends: None,
    keys: &[
        Key {
            name: "name",
            kind: Kind::Text { max_length: 255 },
            default: Default::Absent("the host name"),
            meaning: "What `{@server}` and the metrics' `hostname` label say",
        },
        Key {
            name: "data_dir",
            kind: Kind::Path,
            default: Default::Value("\"/var/lib/hikyaku\""),
            meaning: "Where the journal, cursors, undo records and dead letters live",
        },
        Key {
            name: "shutdown_timeout",
            kind: Kind::Time { min: Duration::ZERO, max: Duration::from_secs(3600) },
            default: Default::Value("\"30s\""),
            meaning: "How long TERM waits for senders and outputs before the process ends anyway",
        },
    ],
};

pub(in crate::config) const LOG: Section = Section {
    title: "[log]",
    extends: None,
    keys: &[
        Key {
            name: "format",
            kind: Kind::Choice(&["auto", "json", "text"]),
            default: Default::Value("\"auto\""),
            meaning: "`auto` is text on a terminal, else one JSON object a line",
        },
        Key {
            name: "level",
            kind: Kind::Choice(LEVELS),
            default: Default::Value("\"info\""),
            meaning: "The least important lines that are written",
        },
        Key {
            name: "fold",
            kind: Kind::Time { min: Duration::ZERO, max: Duration::from_secs(3600) },
            default: Default::Value("\"10s\""),
            meaning: "How long a warning or an error that repeats one is not written but counted, and then told as one line; \
                      `\"0s\"`: every one is written",
        },
        Key {
            name: "modules",
            kind: Kind::Map("table of levels by module"),
            default: Default::Value("{}"),
            meaning: "Levels of single modules: `modules = { journal = \"debug\" }`",
        },
    ],
};

/// The levels of the log, loudest last.
pub(in crate::config) const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// Bytes of the smallest segment.
const MIN_SEGMENT_SIZE: u64 = MIB;

pub(in crate::config) const JOURNAL: Section = Section {
    title: "[journal]",
    extends: None,
    keys: &[
        Key {
            name: "max_size",
            kind: Kind::Size { min: 3 * MIN_SEGMENT_SIZE, max: 64 * TIB },
            default: Default::Value("\"2GiB\""),
            meaning: "Bytes on disk at which the journal is full; at least 3 × `segment_size`",
        },
        Key {
            name: "when_full",
            kind: Kind::Choice(&["block", "reject", "drop_oldest"]),
            default: Default::Value("\"block\""),
            meaning: "What happens then: senders wait; they are refused, so that they go elsewhere; or the oldest \
                      segments go, though outputs still need them, counted by output",
        },
        Key {
            name: "segment_size",
            kind: Kind::Size { min: MIN_SEGMENT_SIZE, max: 2 * GIB },
            default: Default::Value("\"64MiB\""),
            meaning: "Bytes of one segment file, allocated before use; at least 2 × every `max_message_size`",
        },
        Key {
            name: "memory",
            kind: Kind::Size { min: 0, max: 64 * GIB },
            default: Default::Value("\"32MiB\""),
            meaning: "Bytes of recent chunks kept in memory, so that outputs that keep up never read the disk",
        },
        Key {
            name: "pace",
            kind: Kind::Time { min: Duration::ZERO, max: Duration::from_secs(1) },
            default: Default::Value("\"100ms\""),
            meaning: "How long the next commit waits at most for an output that is behind by half of `memory` and goes on: then \
                      senders slow down, rather than that it has to read the disk. An output that does not move is waited for \
                      once until it does, and one that reads less than 64 MiB a second for twice that time until it is \
                      faster or has caught up. `\"0s\"`: never",
        },
        Key {
            name: "compression",
            kind: Kind::Choice(&["none", "lz4", "zstd"]),
            default: Default::Value("\"none\""),
            meaning: "How chunks are compressed that came uncompressed: `max_size` then holds several times as many \
                      events, and a slow disk takes as many times more a second, for processor time; see \
                      [performance.md](performance.md#a-compressed-journal)",
        },
        Key {
            name: "retain",
            kind: Kind::Time { min: Duration::ZERO, max: Duration::from_secs(365 * 86_400) },
            default: Default::Value("\"0s\""),
            meaning: "How long delivered segments are kept for replays, counted from the receipt of their last chunk; within `max_size`",
        },
        Key {
            name: "dedup_window",
            kind: Kind::Time { min: Duration::ZERO, max: Duration::from_secs(7 * 86_400) },
            default: Default::Value("\"10m\""),
            meaning: "How long a chunk id is remembered, counted while its sender goes on sending",
        },
        Key {
            name: "dedup_max_ids",
            kind: Kind::Integer { min: 1, max: 100_000_000 },
            default: Default::Value("1000000"),
            meaning: "Chunk ids remembered in all; past it the oldest go early, counted",
        },
        Key {
            name: "dedup_max_ids_by_sender",
            kind: Kind::Integer { min: 1, max: 100_000_000 },
            default: Default::Value("100000"),
            meaning: "Chunk ids that one sender may occupy; at most `dedup_max_ids`",
        },
        Key {
            name: "dedup_max_size",
            kind: Kind::Size { min: MIB, max: 64 * TIB },
            default: Default::Value("\"256MiB\""),
            meaning: "Bytes on the disk, beside `max_size`, of chunk ids whose segments were removed, some sixty an id; past it \
                      the oldest go early, counted",
        },
    ],
};

pub(in crate::config) const DEAD_LETTERS: Section = Section {
    title: "[dead_letters]",
    extends: None,
    keys: &[Key {
        name: "max_size",
        kind: Kind::Size { min: MIB, max: 64 * TIB },
        default: Default::Value("\"1GiB\""),
        meaning: "Bytes of dead letters, half of them for what outputs gave up; past it the oldest files are removed, \
                  counted",
    }],
};

const ENABLED: Key = Key {
    name: "enabled",
    kind: Kind::Boolean,
    default: Default::Value("true"),
    meaning: "`false` switches the listener off",
};

const fn listen(default: &'static str) -> Key {
    Key {
        name: "listen",
        kind: Kind::Address,
        default: Default::Value(default),
        meaning: "Where it listens; port 0 takes a free one",
    }
}

pub(in crate::config) const HEALTH: Section =
    Section { title: "[health]", extends: None, keys: &[ENABLED, listen("\"127.0.0.1:8889\"")] };

pub(in crate::config) const MONITOR_AGENT: Section =
    Section { title: "[monitor_agent]", extends: None, keys: &[ENABLED, listen("\"127.0.0.1:24220\"")] };

pub(in crate::config) const METRICS: Section = Section {
    title: "[metrics]",
    extends: None,
    keys: &[
        ENABLED,
        listen("\"127.0.0.1:24231\""),
        Key {
            name: "max_label_values",
            kind: Kind::Integer { min: 1, max: 100_000 },
            default: Default::Value("1000"),
            meaning: "Different tags, and different senders, with samples of their own; the rest counts as `other`",
        },
    ],
};
