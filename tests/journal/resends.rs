use std::sync::Arc;

use bytes::Bytes;
use hikyaku::chunk::Chunk;
use hikyaku::event_time::EventTime;
use hikyaku::journal::Appended::{Duplicate, Written};
use hikyaku::sender::{Sender, SenderCertificate};

use crate::{Bench, append, chunk, chunk_with_id, contents, start};

#[tokio::test]
async fn a_chunk_sent_again_is_kept_once() {
    let bench = Bench::new();
    let journal = bench.open();
    assert_eq!(append(&journal, chunk_with_id(b"id", b"content")).await, Written);
    assert_eq!(append(&journal, chunk_with_id(b"id", b"content")).await, Duplicate);
    assert_eq!(contents(&mut journal.reader(start())).len(), 1);
    assert_eq!(bench.metrics.journal.duplicates.get(), 1);
    journal.close().await;
}

#[tokio::test]
async fn chunks_without_an_id_are_never_taken_for_one_another() {
    let bench = Bench::new();
    let journal = bench.open();
    assert_eq!(append(&journal, chunk(b"same")).await, Written);
    assert_eq!(append(&journal, chunk(b"same")).await, Written);
    journal.close().await;
}

#[tokio::test]
async fn the_same_id_of_another_sender_or_under_another_tag_is_another_chunk() {
    let bench = Bench::new();
    let journal = bench.open();
    let one = chunk_with_id(b"id", b"content");
    let of_another_sender =
        Chunk { sender: Arc::new(Sender::from_address([127, 0, 0, 2].into())), ..one.clone() };
    let under_another_tag = Chunk { tag: Bytes::from_static(b"nginx.error"), ..one.clone() };
    for chunk in [one, of_another_sender, under_another_tag] {
        assert_eq!(append(&journal, chunk.clone()).await, Written);
        assert_eq!(append(&journal, chunk).await, Duplicate);
    }
    journal.close().await;
}

#[tokio::test]
async fn a_resend_that_overtakes_its_own_sync_waits_for_it() {
    let bench = Bench::new();
    let journal = bench.open();
    let first = journal.append(chunk_with_id(b"id", b"content")).await.unwrap();
    let second = journal.append(chunk_with_id(b"id", b"content")).await.unwrap();
    assert_eq!(second.await, Ok(Duplicate));
    // Answers go out in order, after the sync: the first one is there already.
    assert_eq!(first.await, Ok(Written));
    journal.close().await;
}

#[tokio::test]
async fn a_resend_after_a_restart_is_recognised() {
    let bench = Bench::new();
    let journal = bench.open();
    append(&journal, chunk_with_id(b"id", b"content")).await;
    journal.close().await;
    drop(journal);
    let journal = bench.open();
    assert_eq!(append(&journal, chunk_with_id(b"id", b"content")).await, Duplicate);
    journal.close().await;
}

#[tokio::test]
async fn a_sender_is_the_same_after_a_reconnect_and_a_renewed_certificate() {
    let from = |address: [u8; 4], fingerprint: &str| {
        let certificate = SenderCertificate {
            subject: "CN=engine-1".into(),
            alternative_names: vec!["DNS:engine-1.example.com".into()],
            fingerprint: fingerprint.into(),
        };
        Arc::new(Sender::from_certificate(address.into(), certificate))
    };
    let bench = Bench::new();
    let journal = bench.open();
    let first = Chunk { sender: from([127, 0, 0, 1], "before"), ..chunk_with_id(b"id", b"content") };
    assert_eq!(append(&journal, first.clone()).await, Written);
    for sender in
        [from([127, 0, 0, 1], "renewed"), from([127, 0, 0, 9], "before"), from([127, 0, 0, 9], "renewed")]
    {
        assert_eq!(append(&journal, Chunk { sender, ..first.clone() }).await, Duplicate);
    }
    journal.close().await;
}

#[tokio::test]
async fn a_sender_that_was_away_is_known_by_the_chunk_that_it_repeats_also_after_a_restart() {
    const DAY: i64 = 86_400_000_000_000;
    for days in [1, 30] {
        let bench = Bench::new();
        let at = |days: i64, id: &[u8]| Chunk {
            received_at: EventTime::from_unix_nanoseconds(1_760_000_000_000_000_000 + days * DAY),
            ..chunk_with_id(id, id)
        };
        let journal = bench.open();
        append(&journal, at(0, b"last before it went")).await;
        journal.close().await;
        drop(journal);
        let journal = bench.open();
        // Others go on, and it comes back with what is new before it repeats.
        let other = Arc::new(Sender::from_address([127, 0, 0, 2].into()));
        for day in 0i64..days {
            let id = day.to_le_bytes();
            append(&journal, Chunk { sender: Arc::clone(&other), ..at(day, &id) }).await;
        }
        assert_eq!(append(&journal, at(days, b"new")).await, Written);
        assert_eq!(append(&journal, at(days, b"last before it went")).await, Duplicate, "{days} days");
        journal.close().await;
    }
}

#[tokio::test]
async fn a_sender_past_its_quota_forgets_its_own_ids_and_nobody_elses_and_that_is_counted() {
    let mut bench = Bench::new();
    bench.config.dedup_max_ids_by_sender = 10;
    let journal = bench.open();
    let quiet = Arc::new(Sender::from_address([127, 0, 0, 2].into()));
    let of_quiet = Chunk { sender: quiet, ..chunk_with_id(b"id", b"content") };
    append(&journal, of_quiet.clone()).await;
    for id in 0..11u8 {
        append(&journal, chunk_with_id(&[id], b"flood")).await;
    }
    let evicted = || bench.metrics.journal.dedup_evicted.get();
    // The metrics follow the answers.
    assert_eq!(append(&journal, of_quiet).await, Duplicate);
    assert_eq!((evicted(), bench.metrics.journal.dedup_ids.get()), (1, 11));
    assert_eq!(append(&journal, chunk_with_id(&[1], b"flood")).await, Duplicate, "the ten newest are known");
    assert_eq!(append(&journal, chunk_with_id(&[0], b"flood")).await, Written, "twice rather than nowhere");
    journal.close().await;
    drop(journal);
    assert_eq!(evicted(), 2);
    let journal = bench.open();
    append(&journal, chunk_with_id(&[0], b"flood")).await;
    journal.close().await;
    assert_eq!(evicted(), 2, "a start reads the same ids, and forgets them once more");
}
