//! The forward protocol and msgpack: bytes in, values out. No socket, no clock.

pub mod entry;
pub mod msgpack;
pub mod time;
