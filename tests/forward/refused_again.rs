//! Messages that nobody can take, and that their senders repeat: two refusals, then a dead letter.

use std::io::Write;

use hikyaku::chunk::{Chunk, Encoding};
use hikyaku::config::InputConfig;
use hikyaku::journal::Appended;

use crate::support::client::{message, plain};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

/// A run of entries with the reserved byte in it.
const BAD: &[u8] = b"\x93\xa1t\xa3\x92\x01\xc1\x81\xa5chunk\xa2id";

/// Sends it on a connection of its own, which must be closed without an acknowledgement.
async fn is_refused(server: &Server, message: &[u8]) {
    let mut client = plain(server.address).await;
    client.send(message).await;
    assert_eq!(client.ack().await, None, "{message:x?}");
}

#[tokio::test]
async fn the_third_time_the_same_bytes_are_taken_as_they_are_and_the_connection_goes_on() {
    for (bytes, tag, rejected, reason) in [
        (BAD, "t", "malformed", "msgpack"),
        (b"\x93\xa1t\xa2\x92\x01\x81\xa5chunk\xa2id", "t", "malformed", "ends inside"),
        (b"\x94\xa1t\xa0\x81\xa5chunk\xa2id\xc0", "t", "malformed", "behind the option"),
        (b"\x93\x07\xa0\x81\xa5chunk\xa2id", "", "malformed", "the tag is no string"),
        (b"\x93\xa1t\xa3abc\x82\xa5chunk\xa2id\xaacompressed\xa4gzip", "t", "corrupt_compression", "damaged"),
        (b"\x93\xa1t\xa3abc\x82\xa5chunk\xa2id\xaacompressed\xa3lz4", "t", "unsupported_compression", "lz4"),
    ] {
        let journal = ScriptedJournal::new();
        let server = Server::plain(&journal);
        for _ in 0..2 {
            is_refused(&server, bytes).await;
        }
        let mut client = plain(server.address).await;
        client.send(&[bytes, &message("next")].concat()).await;
        let taken = journal.next().await;
        client.no_ack().await;
        let Chunk { tag: taken_tag, id, entry_count, has_bad_entries, refusal, encoding, entries, .. } =
            taken.durable();
        assert_eq!((&taken_tag[..], &id.unwrap()[..]), (tag.as_bytes(), &b"id"[..]));
        assert_eq!((entry_count, has_bad_entries, encoding), (1, true, Encoding::Plain));
        assert_eq!(entries, bytes);
        assert!(refusal.as_ref().unwrap().contains(reason), "{refusal:?}");
        assert_eq!(client.ack().await.unwrap(), b"id");
        assert!(journal.next().await.durable().refusal.is_none());
        assert_eq!(client.ack().await.unwrap(), b"next");
        drop(client);
        let samples = server.stop().await;
        assert_eq!(samples.rejected(rejected), 2);
        assert_eq!(samples.input("dead_messages_total"), 1);
        assert_eq!(samples.input("bad_entries_total"), 1);
        assert_eq!(samples.input("remembered_refusals"), 1);
    }
}

#[tokio::test]
async fn a_message_that_inflates_too_far_is_taken_compressed() {
    let journal = ScriptedJournal::new();
    let limits = InputConfig { max_inflated_size: 1000, ..config(None) };
    let server = Server::start(&limits, &journal);
    let entries = zstd::encode_all(&b"\x92\x01\x80".repeat(1000)[..], 3).unwrap();
    let mut bomb = vec![0x93, 0xa1, b't', 0xc4, u8::try_from(entries.len()).unwrap()];
    bomb.extend_from_slice(&entries);
    bomb.extend_from_slice(b"\x82\xaacompressed\xa4zstd\xa5chunk\xa2id");
    for _ in 0..2 {
        is_refused(&server, &bomb).await;
    }
    let mut client = plain(server.address).await;
    client.send(&bomb).await;
    assert_eq!(journal.next().await.durable().entries, bomb);
    assert_eq!(client.ack().await.unwrap(), b"id");
    drop(client);
    assert_eq!(server.stop().await.rejected("too_large"), 2);
}

#[tokio::test]
async fn after_a_lost_acknowledgement_it_is_acknowledged_again_and_counted_once() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    for _ in 0..2 {
        is_refused(&server, BAD).await;
    }
    for appended in [Appended::Written, Appended::Duplicate] {
        let mut client = plain(server.address).await;
        client.send(BAD).await;
        journal.next().await.resolve(Ok(appended));
        assert_eq!(client.ack().await.unwrap(), b"id");
    }
    assert_eq!(server.stop().await.input("dead_messages_total"), 1);
}

#[tokio::test]
async fn what_is_never_repeated_or_has_no_known_end_is_refused_every_time() {
    for bytes in [
        // No acknowledgement asked for.
        &b"\x93\xa1t\xa3\x92\x01\xc1\x80"[..],
        // No msgpack: nobody knows where the message ends.
        b"\x93\xa1t\xc1\x81\xa5chunk\xa2id",
        // Larger than max_message_size.
        b"\x93\xa1t\xc6\xff\xff\xff\xff",
        // A client that wants another handshake.
        b"\x96\xa4PING\xa1h\xa1s\xa1d\xa0\xa0",
    ] {
        let journal = ScriptedJournal::new();
        let server = Server::plain(&journal);
        for _ in 0..4 {
            is_refused(&server, bytes).await;
        }
        journal.nothing_comes().await;
    }
}

#[tokio::test]
async fn at_the_limit_of_what_is_remembered_the_oldest_is_forgotten() {
    for (limit, is_remembered) in [(2, true), (1, false)] {
        let journal = ScriptedJournal::new();
        let server = Server::start(&InputConfig { max_remembered_refusals: limit, ..config(None) }, &journal);
        let other = b"\x93\xa1t\xa3\x92\x02\xc1\x81\xa5chunk\xa2id";
        for bytes in [BAD, BAD, other] {
            is_refused(&server, bytes).await;
        }
        let mut client = plain(server.address).await;
        client.send(BAD).await;
        if is_remembered {
            journal.next().await.durable();
            assert_eq!(client.ack().await.unwrap(), b"id");
        } else {
            assert_eq!(client.ack().await, None);
        }
        assert_eq!(server.samples().input("remembered_refusals"), limit as i64);
    }
}

#[tokio::test]
async fn the_third_time_the_entries_of_a_message_that_went_through_a_file_are_taken_as_they_are() {
    let run = b"\x92\x01\x81\xa1a\xa5hello".repeat(2000);
    let mut cut_gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    cut_gzip.write_all(&run).unwrap();
    let mut cut_gzip = cut_gzip.finish().unwrap();
    cut_gzip.truncate(20_000);
    for (entries, compressed, rejected) in [
        ([&run[..], b"\xc1"].concat(), "text", "malformed"),
        (run[..run.len() - 1].to_vec(), "text", "malformed"),
        (run.clone(), "gzip", "corrupt_compression"),
        (cut_gzip, "gzip", "corrupt_compression"),
    ] {
        let journal = ScriptedJournal::new();
        let server = Server::start(&InputConfig { spool_above: 10_000, ..config(None) }, &journal);
        let mut bytes = b"\x93\xa1t\xc5".to_vec();
        bytes.extend_from_slice(&u16::try_from(entries.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(&entries);
        bytes.extend_from_slice(b"\x82\xa5chunk\xa2id\xaacompressed\xa4");
        bytes.extend_from_slice(compressed.as_bytes());
        for _ in 0..2 {
            is_refused(&server, &bytes).await;
        }
        let mut client = plain(server.address).await;
        client.send(&[&bytes[..], &message("next")].concat()).await;
        let taken = journal.next().await;
        let file = taken.large.as_ref().unwrap().path();
        assert!(std::fs::read(file).unwrap() == entries, "they are as they were sent");
        let Chunk { tag, id, entry_count, has_bad_entries, refusal, encoding, .. } = taken.durable();
        assert_eq!(
            (&tag[..], &id.unwrap()[..], entry_count, has_bad_entries),
            (&b"t"[..], &b"id"[..], 1, true)
        );
        assert_eq!(encoding, Encoding::Plain);
        assert!(refusal.is_some());
        assert_eq!(client.ack().await.unwrap(), b"id");
        assert!(journal.next().await.durable().refusal.is_none());
        assert_eq!(client.ack().await.unwrap(), b"next");
        drop(client);
        let samples = server.stop().await;
        assert_eq!(samples.rejected(rejected), 2);
        assert_eq!(samples.input("dead_messages_total"), 1);
    }
}
