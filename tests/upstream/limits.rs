//! What an output holds in memory at most.

use crate::support::ENTRY;
use crate::support::relay::Relay;
use crate::support::upstream::Upstream;

/// Chunks that the reader of the dead letters has read.
const DEAD_LETTERS: &str =
    "fluentd_output_status_emit_count{plugin_id=\"@dead-letters\",type=\"dead_letters\"}";

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_upstream_leaves_no_more_than_its_connections_messages_in_memory() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "connections = 2").await;
    for _ in 0..10 {
        relay.take("t", &ENTRY.repeat(1000), 1000).await;
    }
    let (mut left, mut right) = (upstream.accept().await, upstream.accept().await);
    let first = left.expect("t").await;
    right.expect("t").await;
    relay.until("hikyaku_output_awaited_acks", 2.0).await;
    let staged = relay.metric("fluentd_output_status_buffer_stage_byte_size").await;
    assert!((12_000.0..13_000.0).contains(&staged), "{staged}");
    // Who reads all of them for dead letters counts under the same name, whenever it comes to it.
    relay.until(DEAD_LETTERS, 10.0).await;
    assert_eq!(relay.metric("fluentd_output_status_emit_count").await, 3.0 + 10.0);
    left.acknowledge(&first).await;
    left.expect("t").await;
    relay.stop().await;
}
