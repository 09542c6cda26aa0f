//! Which way events take, as operators ask for it on the command line.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod documentation;
mod explain;
mod pipelines;
mod support;
mod test_command;
mod test_update;
