//! The forward input over real sockets, before a scripted journal.

#![allow(clippy::unwrap_used)]

mod acknowledgements;
mod handshake;
mod identity;
mod limits;
mod refusals;
mod refused_again;
mod reload;
mod resumption;
mod revocation;
mod server_names;
mod shutdown;
mod support;
mod tls_files;
