//! The forward protocol and msgpack: bytes in, values out. No socket, no clock.
//!
//! ```text
//! bytes ──▶ framing ──▶ message ──▶ contents ──▶ a chunk for the journal
//!                          │
//!                          └──────▶ ack ──▶ bytes
//! ```

pub mod ack;
pub mod client;
pub mod compression;
pub mod content_id;
pub mod contents;
pub mod entry;
pub mod framing;
pub mod handshake;
pub mod inflating;
pub mod json;
pub mod large;
pub mod limits;
pub mod message;
pub mod msgpack;
pub mod options;
pub mod refusal;
mod run_checker;
pub mod salvage;
pub mod time;
mod zstd_frames;
