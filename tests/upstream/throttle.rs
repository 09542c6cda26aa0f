//! A throttle in front of a forward output: what is sent again is what was sent.

use crate::support::ENTRY;
use crate::support::relay::{Relay, config};
use crate::support::upstream::Upstream;

const KEYS: &str = "connections = 3";

/// A window that does not end during a test.
const THROTTLE: &str = "[[filter]]\ntype = \"throttle\"\nlimit = 4\ninterval = \"1d\"";

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_counts_are_those_of_the_oldest_message_under_way() {
    let upstream = Upstream::start().await;
    let relay = Relay::with_sections(&[upstream.server()], KEYS, THROTTLE).await;
    let mut first = None;
    for (tag, count) in [("done", 1u64), ("lost", 2), ("late", 2)] {
        relay.take(tag, &ENTRY.repeat(count as usize), count).await;
        let mut peer = upstream.accept().await;
        let received = peer.expect(tag).await;
        match tag {
            "done" => {
                peer.acknowledge(&received).await;
                relay.until("fluentd_output_status_num_records_total", 1.0).await;
                // The others come on connections of their own.
                drop(peer);
            }
            "lost" => first = Some((received, peer)),
            _ => {
                assert_eq!(received.size(), 1, "four in all");
                peer.acknowledge(&received).await;
                relay.until("fluentd_output_status_num_records_total", 2.0).await;
            }
        }
    }
    let (lost, _peer) = first.unwrap();
    let folder = relay.stop().await;

    let text = config(folder.path(), &[upstream.server()], KEYS, THROTTLE);
    let relay = Relay::run(folder, &text).await;
    let mut sent_again = Vec::new();
    for _ in 0..2 {
        let mut peer = upstream.accept().await;
        let received = peer.next().await.unwrap();
        peer.acknowledge(&received).await;
        sent_again.push((received.id().clone(), received.size()));
    }
    assert!(sent_again.contains(&(lost.id().clone(), 2)), "the same message: {sent_again:?}");
    assert!(sent_again.iter().any(|(_, size)| *size == 1), "one of two, as before: {sent_again:?}");
    relay.until("fluentd_output_status_num_records_total", 3.0).await;
    relay.take("over", ENTRY, 1).await;
    relay.until("hikyaku_output_filtered_records_total", 2.0).await;
    upstream.nobody_connects().await;
    relay.stop().await;
}
