//! The whole server as a process: what operators and engines see of it.

mod archive;
mod dev;
mod kill;
mod operator;
mod refusals;
mod stop;
mod support;
