//! Messages that go through files.

use hikyaku::chunk::Encoding;
use hikyaku::config::InputConfig;
use hikyaku::input::ChunkSink;
use hikyaku::journal::AppendError;
use hikyaku::wire::client::{Packed, encode_packed};
use tokio::io::AsyncWriteExt;

use crate::support::client::{ENTRY, all_send, message, plain, sized_message};
use crate::support::journal::{ScriptedJournal, Taken};
use crate::support::server::{Server, config};

const SPOOL_ABOVE: usize = 100 << 10;

/// Entries in a message that goes through a file.
const LARGE: usize = 200_000;

fn spooling() -> InputConfig {
    InputConfig {
        max_message_size: 2 << 20,
        max_spool_size: 4 << 20,
        max_inflated_size: 4 << 20,
        spool_above: SPOOL_ABOVE,
        max_entry_size: 1 << 20,
        ..config(None)
    }
}

fn spool_files(journal: &ScriptedJournal) -> usize {
    std::fs::read_dir(journal.spools().path()).unwrap().count()
}

/// What is in the file of a large chunk.
fn entries_of(taken: &Taken) -> Vec<u8> {
    assert!(taken.chunk.entries.is_empty());
    std::fs::read(taken.large.as_ref().expect("it went through a file").path()).unwrap()
}

fn compress(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    if encoding == Encoding::Zstd {
        return zstd::stream::encode_all(bytes, 1).unwrap();
    }
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    member.write_all(bytes).unwrap();
    member.finish().unwrap()
}

/// Entries that hardly compress.
fn random_entries(count: u32) -> Vec<u8> {
    (0..count)
        .flat_map(|number| {
            let mut entry = b"\x92\x01\x81\xa1a\xc4\x20".to_vec();
            let random =
                (0..4u64).map(|word| (u64::from(number) * 4 + word + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            entry.extend(
                random.flat_map(|word| (word ^ word >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_le_bytes()),
            );
            entry
        })
        .collect()
}

#[tokio::test]
async fn a_large_message_is_acknowledged_once_it_is_durable_and_others_around_it_as_well() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&spooling(), &journal);
    let mut client = plain(server.address).await;
    client.send(&[message("before"), sized_message("large", LARGE), message("after")].concat()).await;
    journal.next().await.durable();
    let mut taken = journal.next().await;
    assert_eq!(entries_of(&taken), ENTRY.repeat(LARGE));
    let chunk = &taken.chunk;
    assert_eq!(
        (&chunk.tag[..], taken.id(), chunk.entry_count),
        (&b"test.tag"[..], &b"large"[..], LARGE as u32)
    );
    assert_eq!((chunk.encoding, chunk.has_bad_entries, chunk.has_metadata), (Encoding::Plain, false, false));
    assert_eq!(client.ack().await.unwrap(), b"before");
    client.no_ack().await;
    assert!(server.samples().input("spool_bytes") >= (LARGE * ENTRY.len()) as i64);
    let kept = taken.large.take();
    taken.durable();
    assert_eq!(client.ack().await.unwrap(), b"large");
    journal.next().await.durable();
    assert_eq!(client.ack().await.unwrap(), b"after");
    drop((client, kept));
    let samples = server.stop().await;
    assert_eq!((samples.input("large_messages_total"), samples.input("spool_bytes")), (1, 0));
    assert_eq!(samples.input("in_flight_bytes"), 0);
    assert_eq!(spool_files(&journal), 0);
}

#[tokio::test]
async fn compressed_messages_and_all_forms_arrive_as_they_were_sent() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&spooling(), &journal);
    let mut client = plain(server.address).await;
    let run = random_entries(20_000);
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        let entries = compress(encoding, &run);
        assert!(entries.len() > 2 * SPOOL_ABOVE);
        let packed = Packed { tag: b"t", entries: &entries, count: 20_000, chunk: Some(b"id"), gzip: true };
        let mut bytes = encode_packed(&packed);
        if encoding == Encoding::Zstd {
            bytes.truncate(bytes.len() - 4);
            bytes.extend_from_slice(b"zstd");
        }
        client.send(&bytes).await;
        let taken = journal.next().await;
        assert!(entries_of(&taken) == entries);
        assert_eq!((taken.chunk.encoding, taken.chunk.entry_count), (encoding, 20_000));
        taken.durable();
        assert_eq!(client.ack().await.unwrap(), b"id");
    }
    let forward = [&b"\x93\xa1t\xdd\x00\x00\x4e\x20"[..], &run, b"\x81\xa5chunk\xa2id"].concat();
    client.send(&forward).await;
    let taken = journal.next().await;
    assert!(entries_of(&taken) == run);
    assert_eq!((taken.chunk.encoding, taken.chunk.entry_count), (Encoding::Plain, 20_000));
    taken.durable();
    assert_eq!(client.ack().await.unwrap(), b"id");

    let record = [&b"\x81\xa1a\xc6\x00\x0f\x00\x00"[..], &vec![7; 0xf_0000]].concat();
    client.send(&[&b"\x94\xa1t\x01"[..], &record, b"\x81\xa5chunk\xa2id"].concat()).await;
    let taken = journal.next().await;
    assert!(entries_of(&taken) == [&b"\x92\x01"[..], &record].concat());
    taken.durable();
    assert_eq!(client.ack().await.unwrap(), b"id");
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn a_message_of_the_limit_stays_in_memory_and_a_byte_more_does_not() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&spooling(), &journal);
    let mut client = plain(server.address).await;
    let message_of = |length: usize| {
        let missing = length - sized_message("id", 17_055).len();
        let tag = vec![b't'; "test.tag".len() + missing];
        assert!(tag.len() < 32, "its head stays a byte");
        let entries = ENTRY.repeat(17_055);
        encode_packed(&Packed {
            tag: &tag,
            entries: &entries,
            count: 17_055,
            chunk: Some(b"id"),
            gzip: false,
        })
    };
    for (length, in_file) in [(SPOOL_ABOVE, false), (SPOOL_ABOVE + 1, true)] {
        let bytes = message_of(length);
        assert_eq!(bytes.len(), length);
        client.stream.write_all(&bytes).await.unwrap();
        let taken = journal.next().await;
        assert_eq!(taken.large.is_some(), in_file, "{length}");
        taken.durable();
        client.ack().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_and_says_why() {
    let run = random_entries(20_000);
    let gzip = compress(Encoding::Gzip, &run);
    let mut damaged = gzip.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 0xff;
    let packed = |entries: &[u8], gzip| {
        encode_packed(&Packed { tag: b"t", entries, count: 1, chunk: Some(b"id"), gzip })
    };
    let fill = |head: &[u8], length: usize| [head, &vec![7; length]].concat();
    for (bytes, reason) in [
        (packed(&damaged, true), "corrupt_compression"),
        (packed(&gzip[..gzip.len() - 9], true), "corrupt_compression"),
        (packed(&[&run[..], b"\xc1"].concat(), false), "malformed"),
        (packed(&run[..run.len() - 1], false), "malformed"),
        (packed(&run, true), "corrupt_compression"),
        // One byte more than the largest message, by its head, and entry by entry.
        (fill(b"\x92\xa1t\xc6\x00\x1f\xff\xf9", 0), "too_large"),
        (fill(b"\x92\xa1t\xdd\x00\x1f\xff\xf9", 0), "too_large"),
        ([b"\x92\xa1t\xdd\x00\x0f\xff\xff", &ENTRY.repeat(400_000)[..]].concat(), "too_large"),
        (packed(&fill(b"\x92\x01\x81\xa1a\xc6\x00\x0f\xff\xf7", 0x0f_fff7), false), "entry_too_large"),
        (packed(&[b"\x92\x01\x81\x01", &vec![0x91; 128][..], b"\x01", &run].concat(), false), "too_deep"),
        (packed(&compress(Encoding::Gzip, &random_entries(200_000)), true), "too_large"),
    ] {
        let journal = ScriptedJournal::new();
        let server = Server::start(&spooling(), &journal);
        let mut client = plain(server.address).await;
        // The server may close before it has read all of it.
        let _ = client.stream.write_all(&bytes).await;
        server.until(|samples| samples.rejected(reason) == 1).await;
        journal.nothing_comes().await;
        drop(client);
        assert_eq!(server.stop().await.input("spool_bytes"), 0);
        assert_eq!(spool_files(&journal), 0, "{reason}");
    }
}

#[tokio::test]
async fn entries_and_nesting_at_the_limit_are_taken() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&spooling(), &journal);
    let mut client = plain(server.address).await;
    let entry = [&b"\x92\x01\x81\xa1a\xc6\x00\x0f\xff\xf6"[..], &vec![7; 0x0f_fff6]].concat();
    assert_eq!(entry.len(), spooling().max_entry_size);
    let nested = [b"\x92\x01\x81\x01", &vec![0x91; 127][..], b"\x01"].concat();
    let run = [entry, nested].concat();
    client
        .send(&encode_packed(&Packed { tag: b"t", entries: &run, count: 2, chunk: Some(b"id"), gzip: false }))
        .await;
    let taken = journal.next().await;
    assert_eq!((taken.chunk.entry_count, taken.chunk.has_bad_entries), (2, false));
    assert!(entries_of(&taken) == run);
}

#[tokio::test]
async fn a_sender_that_goes_away_half_way_leaves_nothing() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&spooling(), &journal);
    let bytes = sized_message("id", LARGE);
    let mut client = plain(server.address).await;
    client.send(&bytes[..bytes.len() / 2]).await;
    server.until(|samples| samples.input("spool_bytes") > 0).await;
    drop(client);
    server.until(|samples| samples.input("spool_bytes") == 0).await;
    journal.nothing_comes().await;
    assert_eq!(spool_files(&journal), 0);
}

#[tokio::test]
async fn at_the_limit_of_all_files_senders_wait_and_everything_arrives() {
    const SENDERS: usize = 8;
    let journal = ScriptedJournal::new();
    let config = InputConfig { max_spool_size: 3 << 20, ..spooling() };
    let server = Server::start(&config, &journal);
    let bytes = sized_message("id", LARGE);
    let senders = all_send(SENDERS, server.address, &bytes).await;
    for _ in 0..SENDERS {
        let taken = journal.next().await;
        let held = server.samples().input("spool_bytes");
        assert!(held <= 3 << 20, "{held} bytes are on their way");
        taken.durable();
    }
    for sender in senders {
        assert_eq!(sender.await.unwrap().unwrap(), b"id");
    }
    assert_eq!(spool_files(&journal), 0);
}

#[tokio::test]
async fn a_journal_that_does_not_take_it_ends_the_connection_and_the_file() {
    let journal = ScriptedJournal::refusing(AppendError::Stopped);
    let server = Server::start(&spooling(), &journal);
    let mut client = plain(server.address).await;
    client.send(&sized_message("id", LARGE)).await;
    assert_eq!(client.ack().await, None);
    server.stop().await;
    assert_eq!(spool_files(&journal), 0);
}

#[tokio::test]
async fn a_large_message_of_no_entries_is_acknowledged_and_kept_nowhere() {
    let journal = ScriptedJournal::new();
    let server = Server::start(&spooling(), &journal);
    let mut client = plain(server.address).await;
    let empty_members = compress(Encoding::Gzip, b"").repeat(10_000);
    let packed = Packed { tag: b"t", entries: &empty_members, count: 0, chunk: Some(b"id"), gzip: true };
    client.send(&encode_packed(&packed)).await;
    assert_eq!(client.ack().await.unwrap(), b"id");
    journal.nothing_comes().await;
    assert_eq!(spool_files(&journal), 0);
}

#[tokio::test]
async fn a_small_message_that_inflates_to_much_is_kept_in_a_file_as_well() {
    let journal = ScriptedJournal::new();
    let config = InputConfig { max_inflated_size: 128 << 20, max_inflate_ratio: 100_000, ..spooling() };
    let server = Server::start(&config, &journal);
    let mut client = plain(server.address).await;
    let entry = [&b"\x92\x01\x81\xa1a\xc6\x00\x07\xff\xf6"[..], &vec![7; 0x07_fff6]].concat();
    for (count, in_file) in [(128, false), (129, true)] {
        let entries = compress(Encoding::Zstd, &entry.repeat(count));
        assert!(entries.len() < SPOOL_ABOVE);
        let packed = Packed { tag: b"t", entries: &entries, count: 1, chunk: Some(b"id"), gzip: true };
        let mut bytes = encode_packed(&packed);
        bytes.truncate(bytes.len() - 4);
        client.send(&[&bytes[..], b"zstd"].concat()).await;
        let taken = journal.next().await;
        assert_eq!((taken.large.is_some(), taken.chunk.entry_count), (in_file, count as u32));
        if in_file {
            assert_eq!(entries_of(&taken), entries);
        }
        taken.durable();
        assert_eq!(client.ack().await.unwrap(), b"id");
    }
}
