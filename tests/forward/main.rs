//! The forward input over real sockets, before a scripted journal.

#![allow(clippy::unwrap_used)]

mod acknowledgements;
mod handshake;
mod identity;
mod limits;
mod refusals;
mod refused_again;
mod resumption;
mod shutdown;
mod support;
mod tls_files;
