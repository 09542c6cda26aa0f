//! An upstream that is down for long hurts nobody but itself.

use hikyaku::journal::{CursorFolder, SetAside};

use crate::support::relay::{Relay, config};
use crate::support::upstream::Upstream;

/// `[1, {"a": "xxx…"}]`, seven MiB of them.
fn seven_mebibytes() -> Vec<u8> {
    let mut entry = b"\x92\x01\x81\xa1a\xdb\0\x10\0\0".to_vec();
    entry.resize(entry.len() + (1 << 20), b'x');
    entry.repeat(7)
}

const ROUNDS: u64 = 8;

/// A second output that is well.
fn archive(folder: &str) -> String {
    format!(
        "[[output]]\nid = \"archive\"\ntype = \"file\"\nmatch = \"**\"\nstart = \"oldest\"\n\
         path = \"{folder}/archive.log\"\nflush_interval = \"10ms\"\ncheckpoint_interval = \"100ms\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_upstream_that_is_down_does_not_take_is_set_aside_and_the_others_go_on() {
    let upstream = Upstream::start().await;
    let server = upstream.server();
    drop(upstream);
    let files = tempfile::tempdir().unwrap();
    let keys = "max_backlog = \"32MiB\"";
    let relay = Relay::with_sections(&[server], keys, &archive(files.path().to_str().unwrap())).await;
    let entries = seven_mebibytes();
    for _ in 0..ROUNDS {
        relay.take("t", &entries, 7).await;
    }
    relay.until("hikyaku_output_skipped_records_total{output=\"up\",what=\"set_aside\"}", 28.0).await;
    relay.until("fluentd_output_status_num_records_total{hostname=\"relay-1\",tag=\"t\"}", 56.0).await;
    assert_eq!(relay.metric("hikyaku_journal_accepting").await, 1.0);
    let folder = relay.stop().await;
    let lines = std::fs::read_to_string(files.path().join("archive.log")).unwrap().lines().count();
    assert_eq!(lines as u64, 7 * ROUNDS);
    let set_aside = SetAside::new(&folder.path().join("data"));
    assert_eq!(set_aside.outputs().unwrap(), ["up"]);
    let segments = set_aside.segments("up").unwrap();
    assert_eq!(segments.iter().map(|segment| segment.segment).collect::<Vec<_>>(), [1]);

    // There it goes on when the upstream is back.
    let cursor = CursorFolder::new(&folder.path().join("data")).load("up").unwrap().unwrap();
    assert_eq!(cursor.position.segment, 2);
}

/// `[1, {"a": "xxx…"}]`, of about so many bytes.
fn entry_of(bytes: u32) -> Vec<u8> {
    let mut entry = b"\x92\x01\x81\xa1a\xdb".to_vec();
    entry.extend_from_slice(&bytes.to_be_bytes());
    entry.resize(entry.len() + bytes as usize, b'x');
    entry
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_was_delivered_makes_room_though_nothing_comes_behind_it() {
    let upstream = Upstream::start().await;
    let folder = tempfile::tempdir().unwrap();
    let text = config(folder.path(), &[upstream.server()], "", "")
        .replace("96MiB", "3MiB")
        .replace("32MiB", "1MiB")
        .replace("\"16MiB\"", "\"1MiB\"\nspool_above = \"256KiB\"");
    let relay = Relay::run(folder, &text).await;
    let large = entry_of((1 << 20) - (4 << 10));
    let mut peer = None;
    for entries in [&entry_of(100 << 10), &large] {
        relay.take("t", entries, 1).await;
        let peer = match &mut peer {
            Some(peer) => peer,
            none => none.insert(upstream.accept().await),
        };
        let received = peer.expect("t").await;
        peer.acknowledge(&received).await;
    }
    // Beside the first segment and its file there is no room for it.
    relay.take("t", &large, 1).await;
}
