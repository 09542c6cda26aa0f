//! What filters, compression and metadata make of a chunk.

use hikyaku::chunk::Encoding;

use crate::support::relay::Relay;
use crate::support::upstream::{Received, Upstream};
use crate::support::{ENTRY, REENCODED, gzip};

/// What arrives when these entries are taken, with more keys of the output and more sections.
async fn forwarded(keys: &str, sections: &str, entries: &[u8], encoding: Encoding) -> Received {
    let upstream = Upstream::start().await;
    let relay = Relay::with_sections(&[upstream.server()], keys, sections).await;
    relay.take_encoded("t", entries, 1, encoding).await;
    let mut peer = upstream.accept().await;
    let received = peer.expect("t").await;
    peer.acknowledge(&received).await;
    relay.stop().await;
    received
}

const FILTER: &str = "[[filter]]\ntype = \"set\"\nfields = { b = 2 }";

#[tokio::test(flavor = "multi_thread")]
async fn filters_apply_and_times_stay() {
    let received = forwarded("", FILTER, &gzip(&ENTRY.repeat(2)), Encoding::Gzip).await;
    let entry = b"\x92\xd7\x00\0\0\0\x01\0\0\0\0\x82\xa1a\x01\xa1b\x02";
    assert_eq!((received.entries(), received.size()), (entry.repeat(2), 2));
    assert_eq!(received.encoding(), Encoding::Plain);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_encoded_anew_is_compressed_as_configured() {
    for (name, encoding) in [("gzip", Encoding::Gzip), ("zstd", Encoding::Zstd)] {
        let received = forwarded(&format!("compress = \"{name}\""), "", ENTRY, Encoding::Plain).await;
        assert_eq!((received.entries(), received.encoding()), (REENCODED.to_vec(), encoding));
    }
}

/// `[[EventTime 1.2, {"m": 1}], {"a": 1}]`
const WITH_METADATA: &[u8] = b"\x92\x92\xd7\x00\0\0\0\x01\0\0\0\x02\x81\xa1m\x01\x81\xa1a\x01";

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_dropped_or_kept() {
    let dropped = forwarded("", "", WITH_METADATA, Encoding::Plain).await;
    assert_eq!(dropped.entries(), b"\x92\xd7\x00\0\0\0\x01\0\0\0\x02\x81\xa1a\x01");
    let kept = forwarded("metadata = \"keep\"", "", WITH_METADATA, Encoding::Plain).await;
    assert_eq!(kept.entries(), WITH_METADATA);
    let filtered = forwarded("metadata = \"keep\"", FILTER, WITH_METADATA, Encoding::Plain).await;
    assert_eq!(
        filtered.entries(),
        b"\x92\x92\xd7\x00\0\0\0\x01\0\0\0\x02\x81\xa1m\x01\x82\xa1a\x01\xa1b\x02"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_are_no_events_stay_behind() {
    let entries = [ENTRY, b"\x92\x01\xc0", ENTRY].concat();
    let received = forwarded("", "", &entries, Encoding::Plain).await;
    assert_eq!((received.entries(), received.size()), (REENCODED.repeat(2), 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_of_which_nothing_is_left_is_not_sent() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "connections = 1").await;
    relay.take("bad", b"\x92\x01\xc0", 1).await;
    relay.take_one("good").await;
    let mut peer = upstream.accept().await;
    let received = peer.expect("good").await;
    peer.acknowledge(&received).await;
    relay.until("fluentd_output_status_num_records_total", 1.0).await;
    let folder = relay.stop().await;
    let relay = Relay::restart(folder, &[upstream.server()], "").await;
    upstream.nobody_connects().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_with_new_tags_go_under_them() {
    let upstream = Upstream::start().await;
    let retag = "[[filter]]\ntype = \"retag\"\ntag = \"t.{a}\"\n[[filter]]\ntype = \"drop\"\nwhere = \"a = 3\"\n\
         [[filter]]\ntype = \"parse\"\nfield = \"a\"\nformat = \"json\"";
    let relay = Relay::with_sections(&[upstream.server()], "connections = 1", retag).await;
    let other = |a: u8| [&ENTRY[..ENTRY.len() - 1], &[a]].concat();
    let entries = [other(1), other(2), other(3), other(2), other(1)].concat();
    relay.take_encoded("old", &entries, 5, Encoding::Plain).await;
    let mut peer = upstream.accept().await;
    let mut ids = Vec::new();
    for (tag, count) in [("t.1", 1), ("t.2", 2), ("t.1", 1)] {
        let received = peer.expect(tag).await;
        assert_eq!(received.size(), count);
        ids.push(received.id().clone());
        peer.acknowledge(&received).await;
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
    relay.until("hikyaku_output_filtered_records_total", 1.0).await;
    relay.until("hikyaku_filter_failures_total", 4.0).await;
    relay.stop().await;
}
