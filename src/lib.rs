//! hikyaku takes logs from edge engines in the Fluentd forward protocol, seals them in a journal on disk,
//! acknowledges them once they are durable, and delivers each event exactly once to where it belongs.
//!
//! Data flows one way, and the modules are listed in the order in which an event meets them:
//!
//! ```text
//! input ──▶ wire ──▶ journal ──▶ pipeline ──▶ output
//! ```
//!
//! * [`input`] owns sockets and sessions, [`tls`] says who is speaking.
//! * [`wire`] is the forward protocol and msgpack: no socket, no clock.
//! * [`journal`] is the only truth about what was received; readers and acks see only what is synced.
//! * [`pipeline`] filters, routes and renders: a pure function of a journalled chunk.
//! * [`output`] delivers, and keeps its own cursor.
//! * [`backup`] copies a data folder and archive files as they were at one moment.
//! * [`storage`] is the disk under journal, cursors and archive: the real one, or one that crashes.
//! * [`dead_letters`] is what could not be delivered, for operators to look at, retry and drop.
//! * [`admin`] answers health checks, Prometheus and Fluentd's monitor agent; [`metrics`] is what it tells.
//! * [`config`] and [`cli`] are the operator's side; [`server`] wires all of it together.
//!
//! What it is not: a search engine, a stream processor with state over many senders, or a cluster.

pub mod admin;
pub mod backup;
pub mod chunk;
pub mod cli;
pub mod client;
pub mod config;
pub mod dead_letters;
pub mod event_time;
pub mod input;
pub mod journal;
#[cfg(test)]
mod limits_tests;
pub mod logging;
pub mod metrics;
pub mod output;
pub mod pipeline;
pub mod planted;
#[cfg(test)]
#[path = "../tests/server/support/ports.rs"]
mod ports;
pub mod sender;
pub mod server;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod storage;
pub mod tls;
pub mod wire;
