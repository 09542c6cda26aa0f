//! What is acknowledged, when, and how.

use std::io::Write as _;

use hikyaku::chunk::Encoding;
use hikyaku::journal::{AppendError, Appended};
use hikyaku::wire::client::{Packed, encode_packed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::client::{ENTRY, message, plain, sized_message};
use crate::support::journal::ScriptedJournal;
use crate::support::server::Server;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Each form with one entry and the id `an id` + newline.
fn forms() -> Vec<(&'static str, Encoding, Vec<u8>)> {
    const OPTION: &[u8] = b"\x81\xa5chunk\xa6an id\n";
    let compressed = gzip(ENTRY);
    let packed_gzip = [
        b"\x93\xa8test.tag\xc4",
        &[compressed.len() as u8][..],
        &compressed,
        b"\x82\xa5chunk\xa6an id\n\xaacompressed\xa4gzip",
    ];
    vec![
        ("Message", Encoding::Plain, [b"\x94\xa8test.tag", &ENTRY[1..], OPTION].concat()),
        ("Forward", Encoding::Plain, [b"\x93\xa8test.tag\x91", ENTRY, OPTION].concat()),
        ("PackedForward", Encoding::Plain, [b"\x93\xa8test.tag\xa6", ENTRY, OPTION].concat()),
        ("CompressedPackedForward", Encoding::Gzip, packed_gzip.concat()),
    ]
}

#[tokio::test]
async fn every_form_is_acknowledged_byte_for_byte_and_not_before_it_is_durable() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    for (form, encoding, bytes) in forms() {
        let mut client = plain(server.address).await;
        client.send(&bytes).await;
        let taken = journal.next().await;
        client.no_ack().await;
        let chunk = taken.durable();
        assert_eq!(
            (&chunk.tag[..], chunk.id.as_deref()),
            (&b"test.tag"[..], Some(&b"an id\n"[..])),
            "{form}"
        );
        assert_eq!((chunk.encoding, chunk.entry_count), (encoding, 1), "{form}");
        assert_eq!((&*chunk.input, chunk.sender.identity.as_str()), ("edge", "127.0.0.1"), "{form}");
        if encoding == Encoding::Plain {
            assert_eq!(chunk.entries, ENTRY, "{form}");
        }
        let mut answer = [0; 12];
        client.stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"\x81\xa3ack\xa6an id\n", "{form}");
    }
    let samples = server.stop().await;
    assert_eq!((samples.input("chunks_total"), samples.input("records_total"), samples.of_tag()), (4, 4, 4));
    assert_eq!(samples.input("in_flight_bytes"), 0);
    assert_eq!(samples.get("hikyaku_input_connections{input=\"edge\",sender=\"127.0.0.1\"}"), 0);
    assert_eq!(samples.get("hikyaku_input_ack_latency_seconds_count{input=\"edge\"}"), 4);
}

#[tokio::test]
async fn acknowledgements_keep_the_order_of_the_messages() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&[message("first"), message("second")].concat()).await;
    let (first, second) = (journal.next().await, journal.next().await);
    second.durable();
    client.no_ack().await;
    first.durable();
    assert_eq!(client.ack().await.unwrap(), b"first");
    assert_eq!(client.ack().await.unwrap(), b"second");
}

#[tokio::test]
async fn a_sender_may_write_one_byte_at_a_time() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.stream.set_nodelay(true).unwrap();
    for byte in [&b"\xc0"[..], &message("slow"), b"\xc0"].concat() {
        client.send(&[byte]).await;
    }
    assert_eq!(journal.next().await.durable().entries, ENTRY);
    assert_eq!(client.ack().await.unwrap(), b"slow");
}

#[tokio::test]
async fn large_messages_arrive_whole() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    let entries = 150_000;
    client.send(&[sized_message("large", entries), message("next")].concat()).await;
    let chunk = journal.next().await.durable();
    assert!(chunk.entries == ENTRY.repeat(entries));
    assert_eq!(chunk.entry_count as usize, entries);
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"large");
    assert_eq!(client.ack().await.unwrap(), b"next");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_compressed_messages_arrive_in_their_turn() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    // Stored, not compressed, so that the message stays large.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(&ENTRY.repeat(100_000)).unwrap();
    let entries = encoder.finish().unwrap();
    let large = encode_packed(&Packed {
        tag: b"test.tag",
        entries: &entries,
        count: 0,
        chunk: Some(b"large"),
        gzip: true,
    });
    client.send(&[large, message("next")].concat()).await;
    let chunk = journal.next().await.durable();
    assert!((chunk.entry_count, chunk.encoding) == (100_000, Encoding::Gzip) && chunk.entries == entries);
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"large");
    assert_eq!(client.ack().await.unwrap(), b"next");
}

#[tokio::test]
async fn without_an_id_nothing_is_answered() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&[b"\x92\xa8test.tag\xa6", ENTRY].concat()).await;
    assert_eq!(journal.next().await.durable().id, None);
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.ack().await, None);
    assert_eq!(server.stop().await.input("records_total"), 1);
}

#[tokio::test]
async fn acknowledgements_come_also_after_the_sender_has_closed_its_side() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&message("last")).await;
    client.stream.shutdown().await.unwrap();
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"last");
    assert_eq!(client.ack().await, None);
}

#[tokio::test]
async fn a_duplicate_is_acknowledged_and_not_counted_again() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&message("again")).await;
    journal.next().await.resolve(Ok(Appended::Duplicate));
    assert_eq!(client.ack().await.unwrap(), b"again");
    drop(client);
    let samples = server.stop().await;
    assert_eq!((samples.input("chunks_total"), samples.of_tag()), (0, 0));
}

#[tokio::test]
async fn bad_entries_are_taken_with_the_good_ones_and_counted() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&[b"\x93\xa8test.tag\x93", ENTRY, b"\xa3bad", ENTRY, b"\x81\xa5chunk\xa1i"].concat()).await;
    let chunk = journal.next().await.durable();
    assert_eq!((chunk.entry_count, chunk.has_bad_entries), (3, true));
    assert_eq!(client.ack().await.unwrap(), b"i");
    drop(client);
    assert_eq!(server.stop().await.input("bad_entries_total"), 1);
}

#[tokio::test]
async fn an_empty_run_is_acknowledged_in_its_turn_and_not_stored() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&[&message("first")[..], b"\x93\xa1t\x90\x81\xa5chunk\xa5empty"].concat()).await;
    let first = journal.next().await;
    client.no_ack().await;
    first.durable();
    assert_eq!(client.ack().await.unwrap(), b"first");
    assert_eq!(client.ack().await.unwrap(), b"empty");
    drop(client);
    assert_eq!(server.stop().await.input("chunks_total"), 1);
}

#[tokio::test]
async fn metrics_are_dropped_loudly_and_do_not_hold_back_the_logs_behind_them() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    let metrics = b"\x93\xa1t\xc4\x03\x81\xa1a\x82\xa5chunk\xa1m\xadfluent_signal\x01";
    client.send(&[&metrics[..], &message("logs")].concat()).await;
    assert_eq!(journal.next().await.durable().id.unwrap(), "logs");
    assert_eq!(client.ack().await.unwrap(), b"m");
    assert_eq!(client.ack().await.unwrap(), b"logs");
    drop(client);
    assert_eq!(server.stop().await.rejected("signal_metrics"), 1);
}

#[tokio::test]
async fn a_journal_that_fails_acknowledges_nothing_more() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&[message("written"), message("lost"), message("after")].concat()).await;
    journal.next().await.durable();
    journal.next().await.resolve(Err(AppendError::Failed("disk".into())));
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"written");
    assert_eq!(client.ack().await, None);
    drop(client);
    let samples = server.stop().await;
    assert_eq!((samples.input("chunks_total"), samples.input("in_flight_bytes")), (1, 0));
}

#[tokio::test]
async fn what_the_journal_refuses_is_not_acknowledged() {
    for (error, too_large) in [(AppendError::Stopped, 0), (AppendError::TooLarge, 1)] {
        let journal = ScriptedJournal::refusing(error);
        let server = Server::plain(&journal);
        let mut client = plain(server.address).await;
        client.send(&message("id")).await;
        assert_eq!(client.ack().await, None);
        drop(client);
        assert_eq!(server.stop().await.rejected("too_large"), too_large);
    }
}
