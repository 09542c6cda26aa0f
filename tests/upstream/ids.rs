//! Ids of messages.

use std::collections::HashSet;

use crate::support::ENTRY;
use crate::support::relay::Relay;
use crate::support::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_keeps_its_id_over_connections_and_restarts() {
    let upstream = Upstream::start().await;
    let mut relay = Relay::start(&[upstream.server()], "").await;
    relay.take_one("t").await;
    let mut ids = HashSet::new();
    for _ in 0..2 {
        for _ in 0..2 {
            let mut peer = upstream.accept().await;
            ids.insert(peer.expect("t").await.id().clone());
        }
        let folder = relay.stop().await;
        relay = Relay::restart(folder, &[upstream.server()], "").await;
    }
    assert_eq!(ids.len(), 1);
    let id = ids.into_iter().next().unwrap();
    assert_eq!(id.len(), 24);
    assert!(id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte)), "{id:?}");
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_chunk_has_another_id_from_another_output_and_another_engine() {
    let (left, right) = (Upstream::start().await, Upstream::start().await);
    let second = format!(
        "[[output]]\nid = \"second\"\ntype = \"forward\"\nmatch = \"**\"\nstart = \"oldest\"\nservers = [{}]\n\
         heartbeat = \"none\"",
        right.server()
    );
    let mut ids = HashSet::new();
    for _engine in 0..2 {
        let relay = Relay::with_sections(&[left.server()], "", &second).await;
        relay.take_one("t").await;
        for upstream in [&left, &right] {
            let mut peer = upstream.accept().await;
            let received = peer.expect("t").await;
            ids.insert(received.id().clone());
            peer.acknowledge(&received).await;
        }
        relay.stop().await;
    }
    assert_eq!(ids.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_chunk_goes_out_in_the_same_pieces_each_time_and_resumes_behind_those_acknowledged() {
    let upstream = Upstream::start().await;
    // Fifteen bytes an entry when it is encoded anew: 68 in a piece.
    let keys = "connections = 1\nchunk_size = \"1KiB\"";
    let relay = Relay::start(&[upstream.server()], keys).await;
    relay.take("t", &ENTRY.repeat(250), 250).await;
    let mut peer = upstream.accept().await;
    let mut before = Vec::new();
    for number in 0..3 {
        let piece = peer.expect("t").await;
        assert!(piece.entries().len() <= 1024);
        before.push((piece.id().clone(), piece.size()));
        if number < 2 {
            peer.acknowledge(&piece).await;
        }
    }
    let folder = relay.stop().await;

    let relay = Relay::restart(folder, &[upstream.server()], keys).await;
    let mut peer = upstream.accept().await;
    let mut after = Vec::new();
    for _ in 2..4 {
        let piece = peer.expect("t").await;
        after.push((piece.id().clone(), piece.size()));
        peer.acknowledge(&piece).await;
    }
    assert_eq!(after[0], before[2]);
    let sizes = before[..2].iter().chain(&after).map(|(_, size)| size);
    assert_eq!(sizes.sum::<u64>(), 250);
    peer.nothing_comes().await;
    relay.stop().await;
}
