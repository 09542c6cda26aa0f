//! The forward output over real sockets: a whole server in this process, before a scripted upstream.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backlog;
mod delivery;
mod doubt;
mod failover;
mod giving_up;
mod handshake;
mod ids;
mod killed_giving_up;
mod left_behind;
mod limits;
mod pass_through;
#[path = "../server/support/mod.rs"]
#[allow(dead_code, reason = "the tests of the whole process need more of it")]
mod process;
mod reencoding;
mod replay;
mod restarts;
mod startup;
mod support;
mod three_hops;
mod throttle;
mod tls;
