//! The sections about the process itself: `[server]`, `[log]`, `[journal]` and the operator's listeners.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::journal::format::packed_entries::Packing;

/// `[server]`
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// What `{@server}` and the `hostname` label say. Default: the host name.
    pub name: String,
    /// Where the journal, cursors, undo records and dead letters live. Default: `/var/lib/hikyaku`.
    pub data_dir: PathBuf,
    /// How long TERM waits for senders and outputs before the process ends anyway. Default: 30 s.
    pub shutdown_timeout: Duration,
}

/// `[log]`: the server's own log on standard output.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// Default: readable text on a terminal, else JSON lines.
    pub format: LogFormat,
    /// `trace`, `debug`, `info`, `warn` or `error`. Default: `info`.
    pub level: tracing::level_filters::LevelFilter,
    /// How long a line is folded into the first one like it; zero: each line is written. Default: 10 s.
    pub fold: Duration,
    /// Levels by module: `modules = { "journal" = "debug" }`.
    pub modules: BTreeMap<String, tracing::level_filters::LevelFilter>,
}

/// How the server's own log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    Json,
    Text,
}

/// `[journal]`
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// Bytes on disk at which senders wait. At least three segments. Default: 2 GiB.
    pub max_size: u64,
    /// What happens at `max_size`. Default: senders wait.
    pub when_full: WhenFull,
    /// Bytes of one segment file, allocated before use. Default: 64 MiB.
    pub segment_size: u64,
    /// Bytes of recent chunks kept in memory, so that readers that keep up never touch the disk. Default: 32 MiB.
    pub memory: u64,
    /// How long each commit waits at most for readers that would fall out of `memory`. Default: 100 ms.
    pub pace: Duration,
    /// How chunks are compressed that came uncompressed. Default: not at all.
    pub compression: Option<Packing>,
    /// How long segments are kept after their last chunk was received, once they are delivered, for replays. Default: 0.
    pub retain: Duration,
    /// How long a chunk id is remembered, counted while its sender goes on sending. Default: 10 min.
    pub dedup_window: Duration,
    /// How many chunk ids are remembered in all; past it the oldest go early, counted. Default: 1,000,000.
    pub dedup_max_ids: usize,
    /// How many chunk ids one sender may occupy. Default: 100,000.
    pub dedup_max_ids_by_sender: usize,
    /// Bytes on the disk of the chunk ids of removed segments; past it the oldest go early, counted. Default: 256 MiB.
    pub dedup_max_size: u64,
}

/// `[dead_letters]`
#[derive(Debug, Clone, Copy)]
pub struct DeadLettersConfig {
    /// Bytes of letters; past it the oldest files are removed, counted. Default: 1 GiB.
    pub max_size: u64,
}

/// `journal.when_full`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// Senders wait, on connections that stay open.
    Block,
    /// What senders send is refused and their connections are closed, so that they go elsewhere or try again.
    Reject,
    /// The oldest segments go, though outputs still need them; what those lose is counted.
    DropOldest,
}

/// A listener for operators: `[health]`, `[monitor_agent]`.
#[derive(Debug, Clone)]
pub struct AdminConfig {
    pub listen: SocketAddr,
}

/// `[metrics]`
#[derive(Debug, Clone)]
pub struct MetricsConfig {
    pub listen: SocketAddr,
    /// How many different tags, and how many different senders, get samples of their own; the rest is counted as
    /// `other`. Default: 1,000.
    pub max_label_values: usize,
}
