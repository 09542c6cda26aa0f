//! Messages in doubt while the relay is restarted.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::support::relay::Relay;
use crate::support::upstream::Upstream;

/// A message is in doubt at the first of two servers, which is gone, and the relay is restarted with these keys.
async fn restarted(keys: &str) -> (SocketAddr, Upstream, Relay, Bytes) {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let servers = [first.server(), second.server()];
    let relay = Relay::start(&servers, "connections = 1").await;
    relay.take_one("t").await;
    let mut peer = first.accept().await;
    let id = peer.expect("t").await.id().clone();
    let address = first.address;
    drop((peer, first));
    relay.until("hikyaku_output_in_doubt", 1.0).await;
    let folder = relay.stop().await;
    (address, second, Relay::restart(folder, &servers, &format!("connections = 1\n{keys}")).await, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_leaves_a_message_in_doubt_with_its_server() {
    let (address, second, relay, id) = restarted("max_in_doubt = 1").await;
    relay.until("hikyaku_output_in_doubt", 1.0).await;
    // Others go on meanwhile.
    relay.take_one("next").await;
    let mut peer = second.accept().await;
    let received = peer.expect("next").await;
    peer.acknowledge(&received).await;
    peer.nothing_comes().await;
    let first = Upstream::at(address).await;
    let mut peer = first.accept().await;
    let again = peer.expect("t").await;
    assert_eq!(again.id(), &id);
    peer.acknowledge(&again).await;
    relay.until("fluentd_output_status_num_records_total", 2.0).await;
    relay.until("hikyaku_output_in_doubt", 0.0).await;
    assert_eq!(relay.metric("hikyaku_output_moved_in_doubt_total").await, 0.0);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_another_server_gets_it_after_in_doubt_timeout() {
    let (_, second, relay, id) = restarted("in_doubt_timeout = \"200ms\"").await;
    let mut peer = second.accept().await;
    let moved = peer.expect("t").await;
    assert_eq!(moved.id(), &id);
    peer.acknowledge(&moved).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    assert_eq!(relay.metric("hikyaku_output_moved_in_doubt_total").await, 1.0);
    assert_eq!(relay.metric("hikyaku_output_in_doubt").await, 0.0);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_left_the_list_over_a_restart_keeps_nothing_to_itself() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let relay = Relay::start(&[first.server(), second.server()], "connections = 1").await;
    relay.take_one("t").await;
    let mut peer = first.accept().await;
    let id = peer.expect("t").await.id().clone();
    drop((peer, first));
    relay.until("hikyaku_output_in_doubt", 1.0).await;
    let folder = relay.stop().await;
    let third = Upstream::start().await;
    let relay = Relay::restart(folder, &[second.server(), third.server()], "connections = 1").await;
    let mut peer = second.accept().await;
    let moved = peer.expect("t").await;
    assert_eq!(moved.id(), &id);
    peer.acknowledge(&moved).await;
    relay.until("hikyaku_output_moved_in_doubt_total", 1.0).await;
    relay.stop().await;
}
