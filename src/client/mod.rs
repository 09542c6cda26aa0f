//! A forward client that loses nothing: what is not acknowledged is sent again, under the same id.
//!
//! [`connection`] reaches a server over TCP or TLS; [`handshake`] proves to it that a shared key is known;
//! [`chunks`] says what is sent; [`delivery`] keeps it until it is acknowledged.

pub mod chunks;
pub mod connection;
pub mod delivery;
pub mod handshake;
