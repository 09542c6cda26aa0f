//! The forward input: Fluentd's protocol over TCP, TLS or a Unix socket.
//!
//! ```text
//! listener ── accepts, limits ──▶ connection ── TLS, handshake ──▶ session
//!                                                                    ├─ reader ── intake, taking ──▶ journal
//!                                                                    │     └─ large, through a file ────┘
//!                                                                    └─ acker ◀── receipts ────┘
//! ```
//!
//! Reading and acknowledging go on at the same time and in the order of the messages. What bounds them: the number of
//! connections, the budget of bytes over all of them, and the chunks of one connection that wait for their sync.
//! At each limit the sender waits, and nobody else does. What one sender may have of all this, and how fast it may come,
//! is kept in `senders`, `budget` and `throttle`; what becomes of messages that nobody can take, in `refused`. The memory
//! of long messages comes back through `message_memory`.

mod ack_trail;
mod acker;
mod backoff;
mod bucket;
mod budget;
mod connection;
mod handshake;
mod heartbeat;
mod host_names;
mod intake;
mod large;
mod large_reader;
mod linger;
mod listener;
mod message_memory;
mod pace;
mod peer;
mod reader;
mod refused;
mod senders;
mod session;
mod socket;
mod space;
mod tagging;
mod taking;
mod throttle;
mod turnstile;
mod unix_socket;
mod warnings;

pub use listener::{BindError, ForwardInput};
pub(crate) use tagging::Tagging;
