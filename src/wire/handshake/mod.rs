//! The handshake with a shared key, and users where they are asked for, before the first message of a connection.
//!
//! ```text
//! server  ["HELO", {"nonce": n, "auth": a, "keepalive": true}]
//! client  ["PING", host, salt, H(salt + host + n + key), user, H(a + user + password)]
//! server  ["PONG", true, "", name, H(salt + name + n + key)]
//!     or  ["PONG", false, reason, "", ""], and closes
//! ```
//!
//! H is SHA-512 in lowercase hexadecimal; `+` puts bytes one after the other. An empty `auth` says that no user is asked
//! for. Fluent Bit sends nonce, auth and salt as `str` that are no UTF-8, so every text here is bytes. Salts and nonces
//! come in as arguments: nothing here asks for random numbers.

mod client;
mod digest;
mod server;

pub use client::{ClientHandshake, ClientHandshakeError, Credentials};
pub use server::{Accepted, Access, Denial, Denied, ServerHandshake};

/// Bytes of one message of a handshake at most; real ones have about 300.
pub const MAX_HANDSHAKE_MESSAGE: usize = 8 * 1024;

/// Bytes of a peer's host name at most, as DNS has it; also of a user's name.
pub const MAX_NAME_LENGTH: usize = 255;

/// Bytes of nonces and salts. Those of Fluentd and Fluent Bit have as many.
pub const SALT_LENGTH: usize = 16;

/// Random bytes for one handshake.
pub type Salt = [u8; SALT_LENGTH];
