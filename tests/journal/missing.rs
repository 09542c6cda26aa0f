//! Segments that somebody removed, wherever they were: told, counted, seen by `journal verify`, and their numbers are not
//! used again.

use std::fs;
use std::ops::RangeInclusive;

use hikyaku::config::StartAt;
use hikyaku::journal::inspect::Inspection;
use hikyaku::journal::{Journal, Position};

use crate::{Bench, SEGMENT_SIZE, append, chunk, contents, start};

/// Chunks are 10,000 bytes long, so that six of them are a segment, and these are four.
const CHUNKS: u8 = 20;

async fn four_segments() -> Bench {
    let mut bench = Bench::new();
    bench.config.max_size = 100 * SEGMENT_SIZE;
    let journal = bench.open();
    for number in 0..CHUNKS {
        append(&journal, chunk(&vec![number; 10_000])).await;
    }
    journal.close().await;
    assert!(bench.segment(4).exists() && !bench.segment(5).exists());
    bench
}

/// The numbers of the chunks that can be read.
fn read(journal: &Journal) -> Vec<u8> {
    contents(&mut journal.reader(start())).iter().map(|chunk| chunk[0]).collect()
}

fn found_missing(bench: &Bench) -> Vec<RangeInclusive<u64>> {
    let inspection = Inspection::new(bench.path());
    inspection.missing(&inspection.segments().unwrap()).unwrap()
}

async fn is_missing(removed: &[u64], is_lost: impl Fn(u8) -> bool) {
    let bench = four_segments().await;
    assert_eq!(found_missing(&bench), []);
    removed.iter().for_each(|segment| fs::remove_file(bench.segment(*segment)).unwrap());
    assert_eq!(found_missing(&bench).into_iter().flatten().collect::<Vec<_>>(), removed);
    let journal = bench.open();
    assert_eq!(bench.metrics.journal.missing_segments.get(), removed.len() as u64, "{removed:?}");
    let mut expected: Vec<u8> = (0..CHUNKS).filter(|number| !is_lost(*number)).collect();
    assert_eq!(read(&journal), expected, "{removed:?}");
    // It goes on where no number was used before.
    append(&journal, chunk(&[99; 10_000])).await;
    expected.push(99);
    assert_eq!(read(&journal), expected, "{removed:?}");
    assert!(removed.iter().all(|segment| !bench.segment(*segment).exists()), "{removed:?}");
    assert_eq!(bench.metrics.journal.damaged_bytes.get(), 0, "{removed:?}");
    journal.close().await;
}

#[tokio::test]
async fn the_first_segments() {
    is_missing(&[1, 2], |number| number < 12).await;
}

#[tokio::test]
async fn the_newest_segment() {
    is_missing(&[4], |number| number >= 18).await;
}

#[tokio::test]
async fn first_middle_and_last_at_once() {
    is_missing(&[1, 3, 4], |number| !(6..12).contains(&number)).await;
}

#[tokio::test]
async fn all_of_them() {
    is_missing(&[1, 2, 3, 4], |_| true).await;
}

#[tokio::test]
async fn without_a_synced_mark_the_cursors_say_what_there_must_be() {
    let bench = four_segments().await;
    let journal = bench.open();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    cursor.save(journal.newest(), 1).unwrap();
    journal.close().await;
    drop((journal, cursor));
    bench.forget_synced();
    fs::remove_file(bench.segment(4)).unwrap();
    assert_eq!(found_missing(&bench), [4..=4]);
    let journal = bench.open();
    assert_eq!(bench.metrics.journal.missing_segments.get(), 1);
    assert_eq!(journal.newest(), Position::new(5, 64));
    journal.close().await;
}

#[tokio::test]
async fn segments_that_were_put_back_are_read() {
    let bench = four_segments().await;
    let away = bench.path().join("away");
    fs::rename(bench.segment(4), &away).unwrap();
    let journal = bench.open();
    append(&journal, chunk(&[99; 10_000])).await;
    journal.close().await;
    drop(journal);
    fs::rename(&away, bench.segment(4)).unwrap();
    let journal = bench.open();
    assert_eq!(read(&journal), (0..CHUNKS).chain([99]).collect::<Vec<_>>());
    journal.close().await;
}

#[tokio::test]
async fn nothing_is_missing_of_what_was_delivered_and_let_go_nor_for_a_new_output() {
    let bench = four_segments().await;
    let journal = bench.open();
    let mut cursor = journal.attach("holder", StartAt::Oldest).unwrap();
    cursor.save(Position::new(3, 64), 1).unwrap();
    append(&journal, chunk(b"poke")).await;
    append(&journal, chunk(b"poke again")).await;
    assert!(!bench.segment(2).exists());
    journal.close().await;
    drop((journal, cursor));
    assert_eq!(found_missing(&bench), []);
    let journal = bench.open();
    journal.attach("new", StartAt::Oldest).unwrap();
    journal.close().await;
    drop(journal);
    bench.open().close().await;
    assert_eq!(found_missing(&bench), []);
    assert_eq!(bench.metrics.journal.missing_segments.get(), 0);
}
