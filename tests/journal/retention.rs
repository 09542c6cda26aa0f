use hikyaku::config::StartAt;
use hikyaku::journal::{Appended, CursorFolder, Journal};

use crate::{Bench, SEGMENT_SIZE, append, chunk_with_id, contents, start};

/// Appends until a segment of this number exists.
async fn until_segment(bench: &Bench, journal: &Journal, number: u64) {
    let mut id = 0u64;
    while !bench.segment(number).exists() {
        append(
            journal,
            chunk_with_id(&[&number.to_le_bytes()[..], &id.to_le_bytes()].concat(), &[7; 10_000]),
        )
        .await;
        id += 1;
    }
}

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.config.max_size = 100 * SEGMENT_SIZE;
    bench
}

#[tokio::test]
async fn a_segment_goes_when_every_output_has_passed_it() {
    let bench = bench();
    let journal = bench.try_open().unwrap();
    let mut fast = journal.attach("fast", StartAt::Oldest).unwrap();
    let mut slow = journal.attach("slow", StartAt::Oldest).unwrap();
    until_segment(&bench, &journal, 4).await;
    fast.save(journal.newest(), 1).unwrap();
    append(&journal, chunk_with_id(b"poke", b"")).await;
    assert!(bench.segment(1).exists(), "the slow one still needs it");

    let mut reader = journal.reader(start());
    while reader.position().segment < 3 {
        reader.try_next().unwrap().unwrap();
    }
    slow.save(reader.position(), 1).unwrap();
    // The writer answers this after it has seen the cursor.
    append(&journal, chunk_with_id(b"poke again", b"")).await;
    append(&journal, chunk_with_id(b"and again", b"")).await;
    let segments: Vec<_> = (1..=4).filter(|number| bench.segment(*number).exists()).collect();
    assert_eq!(segments, [3, 4]);
    journal.close().await;
}

#[tokio::test]
async fn an_output_that_is_gone_from_the_config_holds_its_backlog_until_it_is_forgotten() {
    let bench = bench();
    let journal = bench.try_open().unwrap();
    journal.attach("gone", StartAt::Oldest).unwrap();
    journal.close().await;
    drop(journal);

    let journal = bench.try_open().unwrap();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    assert_eq!(journal.cursor_ids().unwrap(), ["archive", "gone"]);
    until_segment(&bench, &journal, 3).await;
    cursor.save(journal.newest(), 1).unwrap();
    append(&journal, chunk_with_id(b"poke", b"")).await;
    append(&journal, chunk_with_id(b"poke again", b"")).await;
    assert!(bench.segment(1).exists());

    journal.close().await;
    drop((journal, cursor));

    CursorFolder::new(bench.path()).remove("gone").unwrap();
    let journal = bench.try_open().unwrap();
    append(&journal, chunk_with_id(b"and again", b"")).await;
    append(&journal, chunk_with_id(b"once more", b"")).await;
    assert!(!bench.segment(1).exists());
    journal.close().await;
}

#[tokio::test]
async fn a_resend_is_recognised_after_its_segment_was_removed_and_after_a_restart() {
    let bench = bench();
    let journal = bench.try_open().unwrap();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    append(&journal, chunk_with_id(b"early", b"early")).await;
    until_segment(&bench, &journal, 3).await;
    cursor.save(journal.newest(), 1).unwrap();
    append(&journal, chunk_with_id(b"poke", b"")).await;
    append(&journal, chunk_with_id(b"poke again", b"")).await;
    assert!(!bench.segment(1).exists());
    assert!(bench.files().contains(&"0000000000000001.ids".to_owned()));
    assert_eq!(append(&journal, chunk_with_id(b"early", b"early")).await, Appended::Duplicate);
    journal.close().await;
    drop(journal);

    let journal = bench.try_open().unwrap();
    assert_eq!(append(&journal, chunk_with_id(b"early", b"early")).await, Appended::Duplicate);
    journal.close().await;
}

#[tokio::test]
async fn an_output_goes_on_where_its_cursor_was_saved() {
    let bench = bench();
    let journal = bench.try_open().unwrap();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    for content in [b"a", b"b", b"c"] {
        append(&journal, chunk_with_id(content, content)).await;
    }
    let mut reader = journal.reader(cursor.saved().position);
    let second = reader.try_next().unwrap().unwrap().next;
    cursor.save(second, 1).unwrap();
    journal.close().await;
    drop((journal, cursor, reader));

    let journal = bench.try_open().unwrap();
    let cursor = journal.attach("archive", StartAt::Newest).unwrap();
    assert_eq!(cursor.saved().generation, 1);
    assert_eq!(contents(&mut journal.reader(cursor.saved().position)), [b"b", b"c"]);
    journal.close().await;
}

#[tokio::test]
async fn a_new_output_starts_at_the_newest_chunk_unless_told_otherwise() {
    let bench = bench();
    let journal = bench.try_open().unwrap();
    append(&journal, chunk_with_id(b"old", b"old")).await;
    let newest = journal.attach("newest", StartAt::Newest).unwrap();
    let oldest = journal.attach("oldest", StartAt::Oldest).unwrap();
    assert!(contents(&mut journal.reader(newest.saved().position)).is_empty());
    assert_eq!(contents(&mut journal.reader(oldest.saved().position)), [b"old"]);
    journal.close().await;
}
