//! Several servers, of which some are down.

use crate::process::reserved_address;
use crate::support::relay::Relay;
use crate::support::upstream::Upstream;

/// An address at which nobody listens.
fn nobody() -> String {
    format!("{{ address = \"{}\", name = \"down\" }}", reserved_address())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_server_takes_over_at_once_where_the_first_refuses() {
    let upstream = Upstream::start().await;
    // So long that a test that waits for it fails.
    let keys = "retry_min_interval = \"1h\"\nretry_max_interval = \"1h\"";
    let folder = tempfile::tempdir().unwrap();
    let text = crate::support::relay::config(folder.path(), &[nobody(), upstream.server()], "", "")
        .replace("retry_min_interval = \"10ms\"\n        retry_max_interval = \"50ms\"", keys);
    assert!(text.contains("1h"));
    let relay = Relay::run(folder, &text).await;
    relay.take_one("t").await;
    let mut peer = upstream.accept().await;
    let received = peer.expect("t").await;
    peer.acknowledge(&received).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    assert_eq!(relay.metric("hikyaku_output_in_doubt").await, 0.0);
    assert_eq!(relay.metric("fluentd_output_status_num_errors").await, 1.0);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_server_is_there_everything_waits_in_the_journal() {
    let upstream = Upstream::start().await;
    let (address, servers) = (upstream.address, [upstream.server()]);
    drop(upstream);
    let relay = Relay::start(&servers, "connections = 1").await;
    for tag in ["first", "second"] {
        relay.take_one(tag).await;
    }
    let mut errors = 0.0;
    while errors < 3.0 {
        errors = relay.metric("fluentd_output_status_num_errors").await;
    }
    assert!(relay.metric("fluentd_output_status_buffer_total_bytes").await > 0.0);
    let upstream = Upstream::at(address).await;
    let mut peer = upstream.accept().await;
    for tag in ["first", "second"] {
        let received = peer.expect(tag).await;
        peer.acknowledge(&received).await;
    }
    relay.until("fluentd_output_status_num_records_total", 2.0).await;
    relay.until("fluentd_output_status_buffer_total_bytes", 0.0).await;
    relay.stop().await;
}
