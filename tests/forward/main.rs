//! The forward input over real sockets, before a scripted journal.

#![allow(clippy::unwrap_used)]

mod ack_proofs;
mod acknowledgements;
mod group_marks;
mod handshake;
mod host_names;
mod identity;
mod json_streams;
mod large;
mod limits;
mod openssl;
#[path = "../server/support/ports.rs"]
mod ports;
mod refusals;
mod refused_again;
mod reload;
mod resumption;
mod revocation;
mod server_names;
mod shutdown;
mod signals;
mod splits;
mod support;
mod tags;
mod tls_files;
mod udp_heartbeats;
mod unix_sockets;
mod zstandard;
