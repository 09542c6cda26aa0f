//! A forward client that loses nothing: what is not acknowledged is sent again, under the same id.
//!
//! [`connection`] reaches a server over TCP or TLS; [`delivery`] keeps chunks until they are acknowledged.

pub mod connection;
pub mod delivery;
