//! What is delivered again is new to an upstream, and what is delivered for the first time keeps its id.

use std::path::Path;
use std::process::Command;

use crate::process::HIKYAKU;
use crate::support::relay::Relay;
use crate::support::upstream::{Peer, Upstream};

/// Asks for everything once more; gives what the command printed.
async fn replay(data_dir: &Path) -> std::process::Output {
    let mut command = Command::new(HIKYAKU);
    command
        .args(["journal", "replay", "--output", "up", "--from", "1h", "--json", "--data-dir"])
        .arg(data_dir);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Asks until what was delivered is saved, so that there is something to replay.
async fn replay_saved(data_dir: &Path, chunks: u64) -> serde_json::Value {
    loop {
        let output = replay(data_dir).await;
        if output.status.success() {
            let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(answer["chunks"], chunks);
            return answer;
        }
    }
}

/// The ids of so many messages, which are acknowledged.
async fn take(peer: &mut Peer, count: usize) -> Vec<bytes::Bytes> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let received = peer.expect("t").await;
        peer.acknowledge(&received).await;
        ids.push(received.id().clone());
    }
    ids
}

const KEYS: &str = "connections = 1\ncheckpoint_interval = \"10ms\"";

#[tokio::test(flavor = "multi_thread")]
async fn each_replay_has_ids_of_its_own() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], KEYS).await;
    relay.take_one("t").await;
    let mut peer = upstream.accept().await;
    let mut ids = take(&mut peer, 1).await;
    for number in 1..=2 {
        let answer = replay_saved(&relay.data_dir(), 1).await;
        assert_eq!((&answer["state"], &answer["number"]), (&"started".into(), &number.into()));
        ids.extend(take(&mut peer, 1).await);
    }
    relay.take_one("t").await;
    ids.extend(take(&mut peer, 1).await);
    peer.nothing_comes().await;
    let different: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(different.len(), 4);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_goes_on_after_a_restart_with_the_same_ids() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], KEYS).await;
    for _ in 0..3 {
        relay.take_one("t").await;
    }
    let mut peer = upstream.accept().await;
    let first = take(&mut peer, 3).await;
    replay_saved(&relay.data_dir(), 3).await;
    // One of the replay is acknowledged, the next is in doubt.
    let again = take(&mut peer, 1).await;
    let doubtful = peer.expect("t").await.id().clone();
    let folder = relay.stop().await;
    let relay = Relay::restart(folder, &[upstream.server()], KEYS).await;
    let mut peer = upstream.accept().await;
    let rest = take(&mut peer, 2).await;
    assert_eq!(rest[0], doubtful, "it goes on where it was");
    peer.nothing_comes().await;
    let all: std::collections::HashSet<_> = first.iter().chain(&again).chain(&rest).collect();
    assert_eq!(all.len(), 6);
    // What comes then is delivered for the first time.
    relay.take_one("t").await;
    assert!(!all.contains(&take(&mut peer, 1).await[0]));
    relay.stop().await;
}
