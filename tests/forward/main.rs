//! The forward input over real sockets, before a scripted journal.

#![allow(clippy::unwrap_used)]

mod acknowledgements;
mod identity;
mod large;
mod limits;
mod refusals;
mod resumption;
mod shutdown;
mod support;
mod tls_files;
