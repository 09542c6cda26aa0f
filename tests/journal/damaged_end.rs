//! The end of the last segment: what is known to have been synced and does not read is damage, and not a torn tail.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use hikyaku::config::StartAt;
use hikyaku::journal::StoredChunk;
use hikyaku::journal::inspect::Inspection;

use crate::{Bench, append, chunk, contents, start};

/// Three chunks, and a stop in order.
async fn three_chunks(bench: &Bench) -> Vec<StoredChunk> {
    let journal = bench.open();
    for number in 0..3u8 {
        append(&journal, chunk(&[number; 1000])).await;
    }
    let mut reader = journal.reader(start());
    let chunks = std::iter::from_fn(|| reader.try_next().unwrap()).collect();
    journal.close().await;
    chunks
}

fn flip_a_byte_at(bench: &Bench, offset: u64) {
    let file = OpenOptions::new().read(true).write(true).open(bench.segment(1)).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
}

/// The last chunk is lost: counted, seen by verify, kept in `damaged/`, and its place is not used again.
async fn the_last_chunk_is_damaged(bench: &Bench, last: &StoredChunk) {
    let length = last.next.offset - last.position.offset;
    let verdict = Inspection::new(bench.path()).verify(1).unwrap();
    assert_eq!((verdict.is_intact(), verdict.damaged_bytes, verdict.torn_bytes), (false, length, 0));
    let journal = bench.open();
    let metrics = &bench.metrics.journal;
    assert_eq!((metrics.damaged_bytes.get(), metrics.torn_bytes.get()), (length, 0));
    assert_eq!(journal.newest(), last.next);
    append(&journal, chunk(&[9; 1000])).await;
    let read: Vec<u8> = contents(&mut journal.reader(start())).iter().map(|chunk| chunk[0]).collect();
    assert_eq!(read, [0, 1, 9]);
    assert_eq!(metrics.damaged_bytes.get(), length, "a reader that meets it does not count it again");
    journal.close().await;
    let kept = bench.path().join(format!("journal/damaged/{:016}-{}.bytes", 1, last.position.offset));
    assert_eq!(fs::read(kept).unwrap().len() as u64, length);
}

#[tokio::test]
async fn after_a_stop_in_order_a_flipped_byte_in_the_last_frame_is_damage() {
    let bench = Bench::new();
    let chunks = three_chunks(&bench).await;
    flip_a_byte_at(&bench, chunks[2].position.offset + 500);
    the_last_chunk_is_damaged(&bench, &chunks[2]).await;
}

#[tokio::test]
async fn after_a_stop_in_order_a_segment_that_was_cut_is_damage() {
    let bench = Bench::new();
    let chunks = three_chunks(&bench).await;
    let file = OpenOptions::new().write(true).open(bench.segment(1)).unwrap();
    file.set_len(chunks[2].position.offset + 100).unwrap();
    let journal = bench.open();
    let length = chunks[2].next.offset - chunks[2].position.offset;
    assert_eq!(bench.metrics.journal.damaged_bytes.get(), length);
    assert_eq!(journal.newest(), chunks[2].next);
    journal.close().await;
}

#[tokio::test]
async fn after_a_kill_a_cursor_behind_the_last_frame_proves_that_it_was_synced() {
    let bench = Bench::new();
    let chunks = three_chunks(&bench).await;
    let journal = bench.open();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    cursor.save(chunks[2].next, 1).unwrap();
    journal.close().await;
    drop((journal, cursor));
    bench.forget_synced();
    flip_a_byte_at(&bench, chunks[2].position.offset + 500);
    the_last_chunk_is_damaged(&bench, &chunks[2]).await;
}

#[tokio::test]
async fn after_a_kill_and_with_nothing_that_proves_it_the_last_frame_is_a_torn_tail_and_counted() {
    let bench = Bench::new();
    let chunks = three_chunks(&bench).await;
    bench.forget_synced();
    flip_a_byte_at(&bench, chunks[2].position.offset + 500);
    let verdict = Inspection::new(bench.path()).verify(1).unwrap();
    assert!(verdict.is_intact() && verdict.torn_bytes > 0);
    let journal = bench.open();
    let metrics = &bench.metrics.journal;
    assert_eq!(metrics.damaged_bytes.get(), 0);
    assert_eq!(metrics.torn_bytes.get(), verdict.torn_bytes);
    assert_eq!(journal.newest(), chunks[2].position);
    journal.close().await;
}
