//! Upstreams that go wrong while a message is under way: it stays with its server under the same id, and nothing is lost.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::ENTRY;
use crate::support::relay::Relay;
use crate::support::upstream::{Peer, Upstream};

/// The message arrives, and its server is put wrong by `go_wrong`; then it arrives again under the same id, and once.
async fn sent_again(keys: &str, entries: usize, go_wrong: impl AsyncFnOnce(Peer)) {
    let (upstream, other) = (Upstream::start().await, Upstream::start().await);
    let relay = Relay::start(&[upstream.server(), other.server()], &format!("connections = 1\n{keys}")).await;
    relay.take("t", &ENTRY.repeat(entries), entries as u64).await;

    go_wrong(upstream.accept().await).await;
    relay.until("hikyaku_output_in_doubt", 1.0).await;
    let mut peer = upstream.accept().await;
    let again = peer.expect("t").await;
    assert_eq!(again.entries(), ENTRY.repeat(entries));
    peer.acknowledge(&again).await;
    relay.until("fluentd_output_status_num_records_total", entries as f64).await;
    relay.until("hikyaku_output_in_doubt", 0.0).await;
    assert_eq!(relay.metric("fluentd_output_status_num_errors").await, 1.0);
    assert_eq!(relay.metric("fluentd_output_status_retry_count").await, 1.0);
    assert_eq!(relay.metric("hikyaku_output_moved_in_doubt_total").await, 0.0);
    other.nobody_connects().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_it_had_the_message() {
    sent_again("", 1, async |mut peer| {
        peer.expect("t").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_after_half_a_message() {
    sent_again("", 100, async |peer| peer.close_after(100).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_before_the_acknowledgement() {
    sent_again("ack_timeout = \"50ms\"", 1, async |mut peer| {
        peer.expect("t").await;
        peer.given_up().await;
    })
    .await;
}

/// More than the buffers of a connection hold.
const LARGE: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn frozen_in_the_middle_of_a_message() {
    // Time enough for the next try, also on a busy machine.
    sent_again("send_timeout = \"400ms\"", LARGE, async |mut peer| {
        // Nothing is read until the relay has given up; then what is in the buffers, which is not all.
        let mut start = [0; 1];
        peer.stream.read_exact(&mut start).await.unwrap();
        tokio::time::timeout(crate::support::NOTHING * 6, std::future::pending::<()>()).await.unwrap_err();
        let mut read = 0;
        while let Ok(count @ 1..) = peer.stream.read(&mut vec![0; 65536]).await {
            read += count;
        }
        assert!(read < LARGE * ENTRY.len(), "the whole message arrived");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_of_another_message() {
    sent_again("", 1, async |mut peer| {
        peer.expect("t").await;
        peer.say(b"\x81\xa3ack\xa5wrong").await;
        peer.given_up().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_acknowledgement() {
    sent_again("", 1, async |mut peer| {
        peer.expect("t").await;
        peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.given_up().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_a_byte_at_a_time_that_takes_too_long() {
    sent_again("ack_timeout = \"100ms\"", 1, async |mut peer| {
        let received = peer.expect("t").await;
        let chunk = received.message.options.chunk.clone().unwrap();
        let ack = hikyaku::wire::ack::encode_ack(&chunk);
        // One byte less than all of it, each well within the timeout.
        for byte in &ack[..ack.len() - 1] {
            peer.stream.write_all(&[*byte]).await.unwrap();
            if tokio::time::timeout(std::time::Duration::from_millis(10), peer.next()).await.is_ok() {
                return;
            }
        }
        peer.given_up().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_a_byte_at_a_time_is_good_in_time() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "").await;
    relay.take_one("t").await;
    let mut peer = upstream.accept().await;
    let received = peer.expect("t").await;
    for byte in hikyaku::wire::ack::encode_ack(received.message.options.chunk.as_ref().unwrap()) {
        peer.say(&[byte]).await;
    }
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    assert_eq!(relay.metric("fluentd_output_status_num_errors").await, 0.0);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_go_on_while_one_is_in_doubt() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let relay = Relay::start(&[first.server(), second.server()], "connections = 1\nmax_in_doubt = 1").await;
    relay.take_one("doubtful").await;
    let mut peer = first.accept().await;
    let received = peer.expect("doubtful").await;
    let (id, address) = (received.id().clone(), first.address);
    // Killed.
    drop((peer, first));
    relay.until("hikyaku_output_in_doubt", 1.0).await;
    relay.take_one("next").await;
    let mut peer = second.accept().await;
    for tag in ["next", "after that"] {
        if tag != "next" {
            relay.take_one(tag).await;
        }
        let received = peer.expect(tag).await;
        peer.acknowledge(&received).await;
    }
    relay.until("fluentd_output_status_num_records_total", 2.0).await;

    let first = Upstream::at(address).await;
    let mut peer = first.accept().await;
    let again = peer.expect("doubtful").await;
    assert_eq!(again.id(), &id);
    peer.acknowledge(&again).await;
    relay.until("fluentd_output_status_num_records_total", 3.0).await;
    assert_eq!(relay.metric("hikyaku_output_moved_in_doubt_total").await, 0.0);
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_new_is_sent_once_too_many_are_in_doubt() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let relay = Relay::start(&[first.server(), second.server()], "connections = 1\nmax_in_doubt = 0").await;
    relay.take_one("doubtful").await;
    let mut peer = first.accept().await;
    peer.expect("doubtful").await;
    let address = first.address;
    drop((peer, first));
    relay.until("hikyaku_output_in_doubt", 1.0).await;
    relay.take_one("next").await;
    second.nobody_connects().await;

    let first = Upstream::at(address).await;
    let mut peer = first.accept().await;
    let again = peer.expect("doubtful").await;
    peer.acknowledge(&again).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_gets_it_after_in_doubt_timeout() {
    let (first, second) = (Upstream::start().await, Upstream::start().await);
    let keys = "connections = 1\nin_doubt_timeout = \"200ms\"";
    let relay = Relay::start(&[first.server(), second.server()], keys).await;
    relay.take_one("t").await;
    let mut peer = first.accept().await;
    let id = peer.expect("t").await.id().clone();
    drop((peer, first));
    let mut peer = second.accept().await;
    let moved = peer.expect("t").await;
    assert_eq!(moved.id(), &id);
    peer.acknowledge(&moved).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    assert_eq!(relay.metric("hikyaku_output_moved_in_doubt_total").await, 1.0);
    assert_eq!(relay.metric("hikyaku_output_in_doubt").await, 0.0);
    relay.stop().await;
}
