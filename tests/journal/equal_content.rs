//! The same content twice, from a sender whose chunk ids are a hash of the content.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hikyaku::chunk::{AckProof, Chunk};
use hikyaku::config::StartAt;
use hikyaku::journal::Appended::{Duplicate, Written};
use hikyaku::journal::format::footer::chunk_key;
use hikyaku::journal::{Appended, Journal};
use tokio::time::timeout;

use crate::{Bench, SEGMENT_SIZE, append, chunk, chunk_with_id, contents, start};

/// A chunk as Fluent Bit sends it.
fn hashed(content: &[u8]) -> Chunk {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, content);
    chunk_with_id(STANDARD.encode(&hash.as_ref()[..16]).as_bytes(), content)
}

/// A connection whose sender waits for each acknowledgement.
struct Waiting {
    proof: AckProof,
}

impl Waiting {
    /// One that begins now, and whose handshake shows it.
    fn begin(journal: &Journal) -> Self {
        Self { proof: AckProof { acknowledged: None, sent_after: journal.taken() } }
    }

    async fn send(&mut self, journal: &Journal, chunk: Chunk) -> Appended {
        let key = chunk.id.as_ref().map(|id| chunk_key(&chunk.tag, id));
        let appended = append(journal, Chunk { proof: self.proof, ..chunk }).await;
        self.proof = AckProof { acknowledged: key, sent_after: journal.taken() };
        appended
    }
}

/// How often it was kept as new, and how often it was taken for a resend with this reason.
fn counted(bench: &Bench, reason: &str) -> (u64, u64) {
    let text = bench.metrics.render().unwrap();
    let sample = format!("hikyaku_journal_doubtful_resends_total{{reason=\"{reason}\"}} ");
    let doubtful =
        text.lines().find_map(|line| line.strip_prefix(&*sample)).map_or(0, |n| n.parse().unwrap());
    (bench.metrics.journal.equal_chunks.get(), doubtful)
}

#[tokio::test]
async fn an_honest_sender_keeps_each_of_its_equal_chunks_and_loses_no_event_to_dedup() {
    let bench = Bench::new();
    let journal = bench.open();
    let mut connection = Waiting::begin(&journal);
    for _ in 0..3 {
        assert_eq!(connection.send(&journal, hashed(b"same")).await, Written);
    }
    assert_eq!(contents(&mut journal.reader(start())).len(), 3);
    assert_eq!(counted(&bench, "ack_not_proven"), (2, 0));
    // The acknowledgement of the third is lost.
    assert_eq!(Waiting::begin(&journal).send(&journal, hashed(b"same")).await, Duplicate);
    assert_eq!(counted(&bench, "ack_not_proven"), (2, 1));
    assert_eq!(bench.metrics.journal.duplicates.get(), 1);
    journal.close().await;
}

#[tokio::test]
async fn equal_content_under_two_tags_is_two_chunks() {
    let bench = Bench::new();
    let journal = bench.open();
    for tag in [&b"nginx.access"[..], b"nginx.error"] {
        let chunk = Chunk { tag: Bytes::from_static(tag), ..hashed(b"same") };
        assert_eq!(append(&journal, chunk.clone()).await, Written);
        assert_eq!(append(&journal, chunk).await, Duplicate);
    }
    assert_eq!(counted(&bench, "ack_not_proven"), (0, 2));
    journal.close().await;
}

#[tokio::test]
async fn in_one_group_commit_equal_content_is_told_from_a_resend_as_well() {
    let bench = Bench::new();
    let journal = bench.open();
    let chunk = hashed(b"same");
    let key = chunk_key(&chunk.tag, chunk.id.as_ref().unwrap());
    // Nobody can have the acknowledgement of what is not synced yet.
    let claim = AckProof { acknowledged: Some(key), sent_after: journal.taken() };
    let receipts = [
        journal.append(chunk.clone()).await.unwrap(),
        journal.append(Chunk { proof: claim, ..chunk }).await.unwrap(),
    ];
    let [first, second] = receipts;
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Written, Duplicate));
    journal.close().await;
}

/// What happens to the journal between a chunk and one of equal content.
#[derive(Debug, Clone, Copy)]
enum Meanwhile {
    Nothing,
    Restart,
    /// Its segment is removed.
    Removal,
    RemovalAndRestart,
    /// The segment of what shows the acknowledgement is another one.
    NextSegment,
}

/// Appends until a segment of this number exists.
async fn until_segment(bench: &Bench, journal: &Journal, number: u64) {
    let mut id = 0u64;
    while !bench.segment(number).exists() {
        let id_bytes = [&number.to_le_bytes()[..], &id.to_le_bytes()].concat();
        append(journal, chunk_with_id(&id_bytes, &[7; 10_000])).await;
        id += 1;
    }
}

#[tokio::test]
async fn what_a_connection_has_shown_holds_over_restarts_and_the_removal_of_segments() {
    use Meanwhile::{NextSegment, Nothing, Removal, RemovalAndRestart, Restart};
    for meanwhile in [Nothing, Restart, Removal, RemovalAndRestart, NextSegment] {
        for was_shown in [true, false] {
            let mut bench = Bench::new();
            bench.config.max_size = 100 * SEGMENT_SIZE;
            let mut journal = bench.try_open().unwrap();
            let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
            let mut connection = Waiting::begin(&journal);
            connection.send(&journal, hashed(b"same")).await;
            if matches!(meanwhile, NextSegment) {
                until_segment(&bench, &journal, 3).await;
            }
            if was_shown {
                connection.send(&journal, hashed(b"other")).await;
            }
            if matches!(meanwhile, Removal | RemovalAndRestart | NextSegment) {
                until_segment(&bench, &journal, 5).await;
                cursor.save(journal.newest(), 1).unwrap();
                append(&journal, chunk_with_id(b"poke", b"")).await;
                append(&journal, chunk_with_id(b"poke again", b"")).await;
                assert!(!bench.segment(1).exists());
            }
            if matches!(meanwhile, Restart | RemovalAndRestart | NextSegment) {
                journal.close().await;
                drop(journal);
                journal = bench.try_open().unwrap();
            }
            let again = Waiting::begin(&journal).send(&journal, hashed(b"same")).await;
            let expected = if was_shown { Written } else { Duplicate };
            assert_eq!(again, expected, "{meanwhile:?}, shown: {was_shown}");
            let counts = if was_shown { (1, 0) } else { (0, 1) };
            assert_eq!(counted(&bench, "ack_not_proven"), counts, "{meanwhile:?}");
            // The resend of that one is known after another restart.
            journal.close().await;
            drop(journal);
            let journal = bench.try_open().unwrap();
            assert_eq!(append(&journal, hashed(b"same")).await, Duplicate, "{meanwhile:?}");
            journal.close().await;
        }
    }
}

#[tokio::test]
async fn what_may_have_been_sent_before_the_acknowledgement_is_a_resend() {
    let bench = Bench::new();
    let journal = bench.open();
    let mut stuck = Waiting::begin(&journal);
    let mut connection = Waiting::begin(&journal);
    connection.send(&journal, hashed(b"same")).await;
    connection.send(&journal, hashed(b"other")).await;
    // Sent first, and overtaken by its own resend.
    assert_eq!(stuck.send(&journal, hashed(b"same")).await, Duplicate);
    assert_eq!(counted(&bench, "order_not_proven"), (0, 1));
    journal.close().await;
}

#[tokio::test]
async fn what_was_said_again_and_again_takes_no_more_of_the_kept_ids_than_what_was_said_once() {
    let mut bench = Bench::new();
    bench.config.dedup_max_ids_by_sender = 20;
    bench.config.dedup_max_size = 4096;
    let journal = bench.try_open().unwrap();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    let mut connection = Waiting::begin(&journal);
    for _ in 0..150 {
        assert_eq!(connection.send(&journal, hashed(b"same")).await, Written);
    }
    // Others fill the segment, and it goes.
    while !bench.segment(2).exists() {
        append(&journal, chunk(&[7; 4000])).await;
    }
    cursor.save(journal.newest(), 1).unwrap();
    let tidied = async {
        while bench.segment(1).exists() {
            append(&journal, chunk(b"next")).await;
        }
        append(&journal, chunk(b"behind it")).await;
    };
    timeout(Duration::from_secs(20), tidied).await.expect("the journal goes on");
    assert_eq!(bench.metrics.journal.dedup_bytes.get(), 4096);
    assert_eq!(append(&journal, hashed(b"same")).await, Duplicate);
    journal.close().await;
    drop((journal, cursor));

    let journal = bench.try_open().unwrap();
    assert_eq!(append(&journal, hashed(b"same")).await, Duplicate, "after a start as well");
    journal.close().await;
}
