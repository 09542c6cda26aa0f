//! The whole server as a process: what operators and engines see of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archive;
mod backup;
mod dead_letters;
mod dev;
mod full;
mod kill;
mod large;
mod message_forms;
mod operator;
mod refusals;
mod reload;
mod replay;
mod stop;
mod support;
mod verify;
