use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use hikyaku::config::StartAt;
use hikyaku::journal::Appended;
use hikyaku::journal::inspect::Inspection;

use crate::{Bench, append, chunk, chunk_with_id, contents, start};

async fn five_chunks(bench: &Bench) -> Vec<hikyaku::journal::StoredChunk> {
    let journal = bench.open();
    for number in 0..5u8 {
        append(&journal, chunk(&[number; 100])).await;
    }
    let mut reader = journal.reader(start());
    let chunks = std::iter::from_fn(|| reader.try_next().unwrap()).collect();
    journal.close().await;
    chunks
}

#[tokio::test]
async fn a_damaged_frame_below_a_synced_mark_is_set_aside_and_the_others_are_read() {
    let bench = Bench::new();
    let chunks = five_chunks(&bench).await;
    let damaged = &chunks[1];
    let file = OpenOptions::new().write(true).open(bench.segment(1)).unwrap();
    file.write_all_at(b"\xff", damaged.position.offset + 60).unwrap();

    let verdict = Inspection::new(bench.path()).verify(1).unwrap();
    assert!(!verdict.is_intact());
    assert_eq!(verdict.chunks, 4);

    let journal = bench.open();
    let read = contents(&mut journal.reader(start()));
    assert_eq!(read.iter().map(|content| content[0]).collect::<Vec<_>>(), [0, 2, 3, 4]);
    let frame_length = damaged.next.offset - damaged.position.offset;
    assert_eq!(bench.metrics.journal.damaged_bytes.get(), frame_length);
    // A second reader meets the same damage, and it is not counted twice.
    contents(&mut journal.reader(start()));
    assert_eq!(bench.metrics.journal.damaged_bytes.get(), frame_length);
    journal.close().await;

    let kept = bench.path().join(format!("journal/damaged/{:016}-{}.bytes", 1, damaged.position.offset));
    assert_eq!(fs::read(kept).unwrap().len() as u64, frame_length);
}

#[tokio::test]
async fn a_damaged_footer_costs_no_chunk() {
    let mut bench = Bench::new();
    bench.config.max_size = 100 * crate::SEGMENT_SIZE;
    let journal = bench.open();
    let mut count = 0;
    while !bench.segment(3).exists() {
        append(&journal, chunk(&[1; 10_000])).await;
        count += 1;
    }
    journal.close().await;
    let length = fs::metadata(bench.segment(1)).unwrap().len();
    let file = OpenOptions::new().write(true).open(bench.segment(1)).unwrap();
    file.write_all_at(&[0; 24], length - 24).unwrap();

    let journal = bench.open();
    assert_eq!(contents(&mut journal.reader(start())).len(), count);
    journal.close().await;
}

#[tokio::test]
async fn a_damaged_footer_costs_no_chunk_id_when_its_segment_is_removed() {
    let mut bench = Bench::new();
    bench.config.max_size = 100 * crate::SEGMENT_SIZE;
    let journal = bench.open();
    append(&journal, chunk_with_id(b"early", b"early")).await;
    while !bench.segment(3).exists() {
        append(&journal, chunk(&[1; 10_000])).await;
    }
    journal.close().await;
    let length = fs::metadata(bench.segment(1)).unwrap().len();
    let file = OpenOptions::new().write(true).open(bench.segment(1)).unwrap();
    file.write_all_at(&[0; 24], length - 24).unwrap();

    let journal = bench.open();
    let mut cursor = journal.attach("holder", StartAt::Oldest).unwrap();
    cursor.save(journal.newest(), 1).unwrap();
    append(&journal, chunk(b"poke")).await;
    append(&journal, chunk(b"poke again")).await;
    assert!(!bench.segment(1).exists());
    journal.close().await;
    drop((journal, cursor));

    let journal = bench.open();
    assert_eq!(append(&journal, chunk_with_id(b"early", b"early")).await, Appended::Duplicate);
    journal.close().await;
}

#[tokio::test]
async fn verify_says_that_a_sound_journal_is_sound() {
    let bench = Bench::new();
    five_chunks(&bench).await;
    let inspection = Inspection::new(bench.path());
    assert_eq!(inspection.segments().unwrap(), [1]);
    let verdict = inspection.verify(1).unwrap();
    assert!(verdict.is_intact());
    assert_eq!((verdict.chunks, verdict.entries, verdict.torn_bytes), (5, 5, 0));
    let summary = inspection.summary(1).unwrap();
    assert_eq!(summary.counts.chunks, 5);
    let mut seen = 0;
    inspection
        .chunks(1, |_, chunk| {
            assert_eq!(chunk.entries().len(), 100);
            seen += 1;
            true
        })
        .unwrap();
    assert_eq!(seen, 5);
}
