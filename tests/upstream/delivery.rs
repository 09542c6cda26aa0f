//! What is delivered, how often, and when the relay believes it.

use crate::support::relay::Relay;
use crate::support::upstream::Upstream;
use crate::support::{ENTRY, NOTHING, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_is_delivered_once_and_counted_when_it_is_acknowledged() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "").await;
    relay.take("nginx.access", &ENTRY.repeat(3), 3).await;

    let mut peer = upstream.accept().await;
    let received = peer.expect("nginx.access").await;
    assert_eq!((received.entries(), received.size()), (ENTRY.repeat(3), 3));
    relay.until("hikyaku_output_awaited_acks", 1.0).await;
    assert_eq!(relay.metric("fluentd_output_status_num_records_total").await, 0.0);
    peer.acknowledge(&received).await;
    relay.until("fluentd_output_status_num_records_total", 3.0).await;
    relay.until("hikyaku_output_checkpoints_total", 1.0).await;

    assert_eq!(relay.metric("hikyaku_output_awaited_acks").await, 0.0);
    assert_eq!(relay.metric("hikyaku_output_ack_latency_seconds_count").await, 1.0);
    assert_eq!(relay.metric("fluentd_output_status_emit_records").await, 3.0);
    assert_eq!(relay.metric("fluentd_output_status_num_errors").await, 0.0);
    peer.nothing_comes().await;
    let folder = relay.stop().await;
    let relay = Relay::restart(folder, &[upstream.server()], "").await;
    upstream.nobody_connects().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_carries_the_next_message_when_the_last_is_acknowledged() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "connections = 1").await;
    for tag in ["first", "second", "third"] {
        relay.take_one(tag).await;
    }
    let mut peer = upstream.accept().await;
    for tag in ["first", "second", "third"] {
        let received = peer.expect(tag).await;
        peer.nothing_comes().await;
        peer.acknowledge(&received).await;
    }
    relay.until("fluentd_output_status_num_records_total", 3.0).await;
    upstream.nobody_connects().await;
    relay.stop().await;
    peer.given_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_connections_carry_a_message_each_and_no_more() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "connections = 2").await;
    for _ in 0..3 {
        relay.take_one("t").await;
    }
    let (mut left, mut right) = (upstream.accept().await, upstream.accept().await);
    let first = left.expect("t").await;
    let second = right.expect("t").await;
    assert_ne!(first.id(), second.id());
    upstream.nobody_connects().await;
    right.acknowledge(&second).await;
    let third = right.expect("t").await;
    left.acknowledge(&first).await;
    right.acknowledge(&third).await;
    relay.until("fluentd_output_status_num_records_total", 3.0).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_acknowledgements_written_is_delivered() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "acks = false\nconnections = 1").await;
    relay.take_one("first").await;
    relay.take_one("second").await;
    let mut peer = upstream.accept().await;
    assert!(peer.expect("first").await.message.options.chunk.is_none());
    peer.expect("second").await;
    relay.until("fluentd_output_status_num_records_total", 2.0).await;
    relay.stop().await;
    peer.given_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_old_is_made_anew_between_two_messages() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "keepalive_timeout = \"0s\"\nconnections = 1").await;
    for tag in ["first", "second"] {
        relay.take_one(tag).await;
        let mut peer = upstream.accept().await;
        let received = peer.expect(tag).await;
        peer.acknowledge(&received).await;
        peer.given_up().await;
    }
    relay.until("fluentd_output_status_num_records_total", 2.0).await;
    assert_eq!(relay.metric("fluentd_output_status_num_errors").await, 0.0);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_server_closed_between_two_messages_costs_nothing() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "connections = 1").await;
    relay.take_one("first").await;
    let mut peer = upstream.accept().await;
    let received = peer.expect("first").await;
    peer.acknowledge(&received).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    drop(peer);
    relay.take_one("second").await;
    let mut peer = upstream.accept().await;
    let received = peer.expect("second").await;
    peer.acknowledge(&received).await;
    relay.until("fluentd_output_status_num_records_total", 2.0).await;
    assert_eq!(relay.metric("fluentd_output_status_num_errors").await, 0.0);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_when_the_relay_stops_is_sent_after_the_next_start() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "").await;
    relay.take_one("t").await;
    let mut peer = upstream.accept().await;
    let before = peer.expect("t").await;
    let folder = soon("a stop that does not wait for ever", relay.stop()).await;

    let relay = Relay::restart(folder, &[upstream.server()], "").await;
    let mut peer = upstream.accept().await;
    let after = peer.expect("t").await;
    assert_eq!(before.id(), after.id());
    peer.acknowledge(&after).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_stops_waits_for_acknowledgements_on_their_way() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "").await;
    relay.take_one("t").await;
    let mut peer = upstream.accept().await;
    let received = peer.expect("t").await;
    let stopping = tokio::spawn(relay.stop());
    tokio::time::timeout(NOTHING, peer.next()).await.unwrap_err();
    peer.acknowledge(&received).await;
    let folder = soon("the stop", stopping).await.unwrap();
    let relay = Relay::restart(folder, &[upstream.server()], "").await;
    upstream.nobody_connects().await;
    relay.stop().await;
}
