//! The forward input: Fluentd's protocol over TCP, TLS or a Unix socket.
//!
//! ```text
//! listener ── accepts, limits ──▶ connection ── TLS, who is it ──▶ session
//!                                                                    ├─ reader ── intake ──▶ journal
//!                                                                    └─ acker ◀── receipts ────┘
//! ```
//!
//! Reading and acknowledging go on at the same time and in the order of the messages. What bounds them: the number of
//! connections, the budget of bytes over all of them, and the chunks of one connection that wait for their sync.
//! At each limit the sender waits, and nobody else does.

mod acker;
mod backoff;
mod budget;
mod connection;
mod heartbeat;
mod host_names;
mod intake;
mod linger;
mod listener;
mod peer;
mod reader;
mod session;
mod socket;
mod tagging;
mod unix_socket;
mod warnings;

pub use listener::{BindError, ForwardInput};
