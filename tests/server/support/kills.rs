//! A server that is killed again and again while it works.

use std::process::{Command, Stdio};

use super::{Server, get};

/// More events than any load here gets to: it ends when the server was killed as often as it should be, however fast or slow
/// the machine is.
const ENDLESS: &str = "1000000000";

/// How often: as many times as `HIKYAKU_KILLS` says, or as a test does in each run.
pub(crate) fn planned_kills(otherwise: usize) -> usize {
    std::env::var("HIKYAKU_KILLS")
        .map_or(otherwise, |kills| kills.parse().expect("HIKYAKU_KILLS is a number"))
}

/// What a load came to.
pub(crate) struct Load {
    /// Events that were sent, numbered from 0, all of them acknowledged.
    pub(crate) events: u64,
    /// Of these, those that had to be sent again.
    pub(crate) sent_again: u64,
}

/// Runs `hikyaku send` with made-up events, and so often kills the server, whenever `is_time` says so of the number of kills
/// and the metrics of this life, and starts the next one. Then it ends the load, in order.
pub(crate) fn kill_under_load(
    server: &mut Server,
    mut send: Command,
    kills: usize,
    is_time: impl Fn(usize, &str) -> bool,
    start: impl Fn() -> Server,
) -> Load {
    send.args(["--count", ENDLESS, "--json"]).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut sender = send.spawn().unwrap();
    let metrics_port = server.port("metrics");
    for kill in 0..kills {
        while !get(metrics_port, "/metrics").is_some_and(|(_, metrics)| is_time(kill, &metrics)) {
            assert!(sender.try_wait().unwrap().is_none(), "the sender gave up before kill {kill}");
            std::thread::yield_now();
        }
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        *server = start();
    }
    assert!(Command::new("kill").arg(sender.id().to_string()).status().unwrap().success());
    let sent = sender.wait_with_output().unwrap();
    assert!(sent.status.success(), "the sender got every acknowledgement");
    let report: serde_json::Value = serde_json::from_slice(&sent.stdout).unwrap();
    let events_of = |key: &str| report[key].as_u64().unwrap();
    Load { events: events_of("delivered_events"), sent_again: events_of("sent_again_events") }
}
