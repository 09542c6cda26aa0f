//! The forward input: Fluentd's protocol over TCP or TLS.
//!
//! ```text
//! listener ── accepts, limits ──▶ connection ── TLS, who is it ──▶ session
//!                                                                    ├─ reader ── intake ──▶ journal
//!                                                                    │     └─ large, through a file ─┘
//!                                                                    └─ acker ◀── receipts ────┘
//! ```
//!
//! Reading and acknowledging go on at the same time and in the order of the messages. What bounds them: the number of
//! connections, the budget of bytes over all of them, and the chunks of one connection that wait for their sync.
//! At each limit the sender waits, and nobody else does.

mod acker;
mod budget;
mod connection;
mod intake;
mod large;
mod large_reader;
mod linger;
mod listener;
mod pace;
mod reader;
mod session;
mod warnings;

pub use listener::{BindError, ForwardInput};
