//! A server that is killed again and again while it works.

use std::process::Child;

use super::{Server, get};

/// How often: as many times as `HIKYAKU_KILLS` says, or as a test does in each run.
pub(crate) fn planned_kills(otherwise: usize) -> usize {
    std::env::var("HIKYAKU_KILLS")
        .map_or(otherwise, |kills| kills.parse().expect("HIKYAKU_KILLS is a number"))
}

/// Kills a server whenever `is_time` says so of the number of kills and the metrics of this life, and starts the next one,
/// until it was killed so often or the sender is done, with success. Returns how often it was killed.
pub(crate) fn kill_while_sending(
    server: &mut Server,
    sender: &mut Child,
    planned: usize,
    is_time: impl Fn(usize, &str) -> bool,
    start: impl Fn() -> Server,
) -> usize {
    let metrics_port = server.port("metrics");
    let mut kills = 0;
    while kills < planned {
        let is_time = || get(metrics_port, "/metrics").is_some_and(|(_, metrics)| is_time(kills, &metrics));
        while !is_time() && sender.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        if sender.try_wait().unwrap().is_some() {
            break;
        }
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        kills += 1;
        *server = start();
    }
    assert!(sender.wait().unwrap().success(), "the sender got every acknowledgement");
    assert!(kills >= planned / 2, "only {kills} kills: the load was over too soon to show anything");
    kills
}
