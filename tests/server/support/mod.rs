//! A server process with a folder, certificates and ports of its own.

#![allow(unused_imports, reason = "several crates of tests share it, and each needs a part")]

mod endpoints;
mod files;
mod kills;
mod ports;
mod scene;
mod server;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) use endpoints::{ALL_ENDPOINTS, metrics_alone};
pub(crate) use files::{files_below, lines_below, whole_lines_below};
pub(crate) use kills::{kill_under_load, planned_kills};
pub(crate) use ports::reserved_address;
pub(crate) use scene::Scene;
pub(crate) use server::{Server, get, sum_of};

pub(crate) const HIKYAKU: &str = env!("CARGO_BIN_EXE_hikyaku");

/// Far longer than anything here takes; a hang becomes a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a command to its end with this as its standard input.
pub(crate) fn run_with_input(mut command: Command, input: &str) -> std::process::Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}
