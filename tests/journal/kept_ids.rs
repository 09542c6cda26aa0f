//! How much the chunk ids of removed segments take on the disk, whatever senders do.

use std::sync::Arc;

use hikyaku::chunk::Chunk;
use hikyaku::config::StartAt;
use hikyaku::journal::Appended::{Duplicate, Written};
use hikyaku::journal::{Journal, OutputCursor};
use hikyaku::sender::Sender;

use crate::{Bench, append, chunk, chunk_with_id};

const BLOCK: u64 = 4096;

fn open(bench: &Bench) -> (Journal, OutputCursor) {
    let journal = bench.try_open().unwrap();
    let cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    (journal, cursor)
}

/// A chunk of a sender that says little.
fn quiet(number: u64) -> Chunk {
    let sender = Arc::new(Sender::from_address([127, 0, 0, 2].into()));
    Chunk { sender, ..chunk_with_id(&number.to_le_bytes(), b"quiet") }
}

/// Fills segments up to this one, with a quiet chunk at the front of each, and lets go of what is full.
async fn fill(
    bench: &Bench,
    (journal, cursor): &mut (Journal, OutputCursor),
    segments: std::ops::RangeInclusive<u64>,
    flood: impl Fn(u64) -> Chunk,
) {
    let mut sent = segments.start() * 1_000_000;
    for segment in segments {
        append(journal, quiet(segment)).await;
        while !bench.segment(segment + 1).exists() {
            let mut receipts = Vec::new();
            for _ in 0..4 {
                receipts.push(journal.append(flood(sent)).await.unwrap());
                sent += 1;
            }
            for receipt in receipts {
                receipt.await.unwrap();
            }
        }
        cursor.save(journal.newest(), 1).unwrap();
        // What was asked while it was saved, and what comes behind that.
        append(journal, flood(sent)).await;
        append(journal, flood(sent + 1)).await;
        sent += 2;
    }
}

/// Names and bytes, in whole blocks, of the files of ids.
fn kept(bench: &Bench) -> (usize, u64) {
    let names = bench.files().into_iter().filter(|name| name.ends_with(".ids"));
    let lengths: Vec<u64> =
        names.map(|name| std::fs::metadata(bench.path().join("journal").join(name)).unwrap().len()).collect();
    (lengths.len(), lengths.iter().map(|length| length.next_multiple_of(BLOCK)).sum())
}

#[tokio::test]
async fn a_flood_of_ids_beside_a_quiet_sender_takes_no_more_than_the_limit_and_nobody_elses_ids() {
    const SEGMENTS: u64 = 6;
    let mut bench = Bench::new();
    bench.config.dedup_max_ids_by_sender = 20;
    bench.config.dedup_max_size = (SEGMENTS + 2) * BLOCK;
    let flood = |number: u64| chunk_with_id(&number.to_le_bytes(), b"flood");
    let mut opened = open(&bench);
    fill(&bench, &mut opened, 1..=SEGMENTS, flood).await;
    let (journal, cursor) = opened;
    let (files, bytes) = kept(&bench);
    assert_eq!(files as u64, SEGMENTS);
    assert!(bytes <= bench.config.dedup_max_size, "{bytes}");
    for number in 1..=SEGMENTS {
        assert_eq!(append(&journal, quiet(number)).await, Duplicate, "{number}");
    }
    journal.close().await;
    drop((journal, cursor));
    assert_eq!(bench.metrics.journal.dedup_bytes.get() as u64, bytes);

    let (journal, _cursor) = open(&bench);
    for number in 1..=SEGMENTS {
        assert_eq!(append(&journal, quiet(number)).await, Duplicate, "{number} after a start");
    }
    journal.close().await;
}

#[tokio::test]
async fn up_to_the_limit_nothing_is_forgotten_and_past_it_the_oldest_is_and_that_is_counted() {
    const SEGMENTS: u64 = 4;
    let mut bench = Bench::new();
    bench.config.dedup_max_size = SEGMENTS * BLOCK;
    let flood = |_| chunk(&[7; 4000]);
    let mut opened = open(&bench);
    fill(&bench, &mut opened, 1..=SEGMENTS, flood).await;
    let evicted = || bench.metrics.journal.dedup_evicted.get();
    assert_eq!(kept(&bench), (SEGMENTS as usize, SEGMENTS * BLOCK));
    assert_eq!((append(&opened.0, quiet(1)).await, evicted()), (Duplicate, 0));

    fill(&bench, &mut opened, SEGMENTS + 1..=SEGMENTS + 1, flood).await;
    let (journal, _cursor) = opened;
    assert_eq!(kept(&bench), (SEGMENTS as usize, SEGMENTS * BLOCK));
    assert_eq!(append(&journal, quiet(2)).await, Duplicate);
    assert_eq!(append(&journal, quiet(1)).await, Written, "twice rather than nowhere");
    assert_eq!(evicted(), 1);
    journal.close().await;
}
