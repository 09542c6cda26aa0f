//! The whole server as a process: what operators and engines see of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ack_proxy;
mod archive;
mod backup;
mod backup_command;
mod dead_letter_commands;
mod dead_letters;
mod dev;
mod equal_content;
mod first_steps;
mod forget;
mod full;
mod giving_up_files;
mod interrupted_send;
mod kill;
mod large;
mod left_behind;
mod lost_acks;
mod message_forms;
mod operator;
mod ownership;
mod refusals;
mod reload;
mod replay;
mod secrets;
mod small_disk;
mod stop;
mod support;
mod throttle;
mod verify;
