use std::sync::Arc;

use bytes::Bytes;
use hikyaku::chunk::Chunk;
use hikyaku::journal::Appended::{Duplicate, Written};
use hikyaku::sender::Sender;

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
