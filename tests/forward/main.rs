//! The forward input over real sockets, before a scripted journal.

#![allow(clippy::unwrap_used)]

mod acknowledgements;
mod group_marks;
mod host_names;
mod identity;
mod json_streams;
mod limits;
mod refusals;
mod resumption;
mod shutdown;
mod signals;
mod splits;
mod support;
mod tags;
mod tls_files;
mod udp_heartbeats;
mod unix_sockets;
mod zstandard;
