//! Chunks that nothing touches go out as they came.

use hikyaku::chunk::Encoding;

use crate::support::relay::{self, Relay};
use crate::support::upstream::Upstream;
use crate::support::{ENTRY, REENCODED, gzip};

/// What arrives when these entries are taken.
async fn passed(keys: &str, entries: &[u8], encoding: Encoding) -> (Vec<u8>, Encoding) {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], keys).await;
    relay.take_encoded("t", entries, 2, encoding).await;
    let mut peer = upstream.accept().await;
    let received = peer.expect("t").await;
    peer.acknowledge(&received).await;
    assert_eq!(received.size(), 2);
    relay.stop().await;
    (received.message.entries.to_vec(), received.encoding())
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_and_gzip_chunks_are_the_same_to_the_byte() {
    let plain = ENTRY.repeat(2);
    // Two members, as some senders make them.
    let compressed = [gzip(ENTRY), gzip(ENTRY)].concat();
    for keys in ["", "compress = \"zstd\""] {
        assert_eq!(passed(keys, &compressed, Encoding::Gzip).await, (compressed.clone(), Encoding::Gzip));
    }
    assert_eq!(passed("", &plain, Encoding::Plain).await, (plain, Encoding::Plain));
}

#[tokio::test(flavor = "multi_thread")]
async fn zstandard_passes_only_where_the_upstream_may_get_it() {
    let compressed = zstd::bulk::compress(&ENTRY.repeat(2), 3).unwrap();
    assert_eq!(
        passed("compress = \"zstd\"", &compressed, Encoding::Zstd).await,
        (compressed.clone(), Encoding::Zstd)
    );
    let (_, encoding) = passed("", &compressed, Encoding::Zstd).await;
    assert_eq!(encoding, Encoding::Plain);
    let (_, encoding) = passed("compress = \"gzip\"", &compressed, Encoding::Zstd).await;
    assert_eq!(encoding, Encoding::Gzip);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_of_exactly_chunk_size_passes_and_a_larger_one_goes_out_in_pieces() {
    let upstream = Upstream::start().await;
    let relay = Relay::start(&[upstream.server()], "connections = 1\nchunk_size = \"1KiB\"").await;
    // 1024 bytes: 170 entries of six, and one of four.
    let exact = [ENTRY.repeat(170), b"\x92\x01\x80".to_vec()].concat();
    let exact = [&exact[..], b"\x92\xc0\x80"][..].concat();
    let mut peer = None;
    for (entries, count, passes) in [(exact[..1023].to_vec(), 171, true), (ENTRY.repeat(171), 171, false)] {
        relay.take("t", &entries, count).await;
        let peer = match &mut peer {
            Some(peer) => peer,
            none => none.insert(upstream.accept().await),
        };
        let first = peer.expect("t").await;
        assert_eq!(first.message.entries == entries, passes);
        peer.acknowledge(&first).await;
        let mut seen = first.size();
        while seen < count {
            let piece = peer.expect("t").await;
            assert!(piece.message.entries.len() <= 1024);
            seen += piece.size();
            peer.acknowledge(&piece).await;
        }
        assert_eq!(seen, count);
    }
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_that_are_held_to_what_they_may_write_get_nothing_else_through() {
    let upstream = Upstream::start().await;
    let folder = tempfile::tempdir().unwrap();
    let invalid = folder.path().join("invalid");
    let text = relay::config(
        folder.path(),
        &[upstream.server()],
        "",
        &format!(
            "[[output]]\nid = \"invalid\"\ntype = \"file\"\ninvalid = true\npath = \"{}/x\"",
            invalid.display()
        ),
    )
    .replace("id = \"edge\"", "id = \"edge\"\nowners = { \"address:127.0.0.0/8\" = { a = \"1\" } }");
    let relay = Relay::run(folder, &text).await;
    let foreign = [&ENTRY[..ENTRY.len() - 1], b"\x02"].concat();
    let twice = b"\x92\x01\x82\xa1a\x01\xa1a\x02";
    relay.take("t", &[ENTRY, &foreign, twice].concat(), 3).await;
    relay.take_encoded("t", &gzip(&foreign), 1, Encoding::Gzip).await;
    let mut peer = upstream.accept().await;
    let received = peer.expect("t").await;
    peer.acknowledge(&received).await;
    assert_eq!((received.size(), received.entries()), (1, REENCODED.to_vec()));
    peer.nothing_comes().await;
    relay.until("hikyaku_disowned_records_total", 3.0).await;
    let _folder = relay.stop().await;
    let lines = std::fs::read_to_string(invalid.join("x")).unwrap();
    assert_eq!(
        lines.lines().filter(|line| line.contains("\"a\":2") && line.contains("127.0.0.1")).count(),
        3
    );
}
