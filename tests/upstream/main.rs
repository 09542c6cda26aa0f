//! The forward output over real sockets: a whole server in this process, before a scripted upstream.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod delivery;
mod doubt;
mod failover;
mod handshake;
mod ids;
mod limits;
mod pass_through;
mod reencoding;
mod startup;
mod support;
mod three_hops;
mod tls;
