use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use hikyaku::journal::{Appended, OpenError, Position, StoredChunk};

use crate::{Bench, SEGMENT_SIZE, append, chunk, chunk_with_id, contents, start};

/// Appends chunks of different sizes, and gives the position behind each.
async fn three_chunks(bench: &Bench) -> Vec<Position> {
    let journal = bench.open();
    for content in [&b"first"[..], &[b'2'; 100], b"third"] {
        append(&journal, chunk_with_id(content, content)).await;
    }
    let mut reader = journal.reader(start());
    let ends = std::iter::from_fn(|| reader.try_next().unwrap()).map(|chunk| chunk.next).collect();
    journal.close().await;
    ends
}

#[tokio::test]
async fn everything_is_there_after_a_restart_and_new_chunks_go_behind_it() {
    let bench = Bench::new();
    for round in 1..=5 {
        let journal = bench.open();
        append(&journal, chunk(&[round; 30_000])).await;
        let mut reader = journal.reader(start());
        let expected: Vec<_> = (1..=round).map(|round| vec![round; 30_000]).collect();
        assert_eq!(contents(&mut reader), expected);
        journal.close().await;
    }
}

#[tokio::test]
async fn a_journal_cut_at_any_byte_opens_with_the_chunks_that_are_whole() {
    let bench = Bench::new();
    let ends = three_chunks(&bench).await;
    let whole = fs::read(bench.segment(1)).unwrap();
    let end = ends.last().unwrap().offset;
    for cut in 64..=end {
        fs::write(bench.segment(1), &whole[..cut as usize]).unwrap();
        bench.forget_synced();
        let journal = bench.open();
        let kept = contents(&mut journal.reader(start())).len();
        // The marks of later frames say what was synced; a cut tail takes those frames with it.
        assert_eq!(kept, ends.iter().filter(|position| position.offset <= cut).count(), "cut at {cut}");
        append(&journal, chunk(b"afterwards")).await;
        let read = contents(&mut journal.reader(start()));
        assert_eq!(read.len(), kept + 1);
        assert_eq!(read.last().unwrap(), b"afterwards");
        journal.close().await;
    }
    assert_eq!(bench.metrics.journal.damaged_bytes.get(), 0);
    assert!(bench.metrics.journal.torn_bytes.get() > 0);
}

#[tokio::test]
async fn a_frame_of_a_torn_tail_never_lines_up_behind_a_new_one() {
    // Two frames in one commit, of which the first is torn and the second whole: both must go for good.
    let (bench, torn, stale) = two_in_one_commit().await;
    bench.forget_synced();
    let file = OpenOptions::new().write(true).open(bench.segment(1)).unwrap();
    file.write_all_at(&[0xff], torn.position.offset + 30).unwrap();

    let journal = bench.open();
    assert!(contents(&mut journal.reader(start())).is_empty());
    append(&journal, chunk(b"new.....")).await;
    assert_eq!(journal.newest(), stale.position, "the new frame ends where the stale one began");
    journal.close().await;
    let journal = bench.open();
    assert_eq!(contents(&mut journal.reader(start())), [b"new....."]);
    journal.close().await;
}

async fn two_in_one_commit() -> (Bench, StoredChunk, StoredChunk) {
    for _ in 0..100 {
        let bench = Bench::new();
        let journal = bench.open();
        let first = journal.append(chunk(b"torn....")).await.unwrap();
        let second = journal.append(chunk(b"stale...")).await.unwrap();
        first.await.unwrap();
        second.await.unwrap();
        let mut reader = journal.reader(start());
        let chunks = (reader.try_next().unwrap().unwrap(), reader.try_next().unwrap().unwrap());
        journal.close().await;
        if bench.metrics.journal.syncs.get() == 1 {
            return (bench, chunks.0, chunks.1);
        }
    }
    panic!("chunks that are appended at once never shared a commit");
}

#[tokio::test]
async fn a_segment_sealed_before_its_last_chunk_reached_the_disk_forgets_that_chunk_and_its_id() {
    let (bench, last) = sealed_in_one_commit().await;
    // As if the power had gone during the sync that sealed the first segment: the footer is there, the chunk is not.
    fs::remove_file(bench.segment(2)).unwrap();
    bench.forget_synced();
    let file = OpenOptions::new().write(true).open(bench.segment(1)).unwrap();
    let zeros = vec![0; (last.next.offset - last.position.offset) as usize];
    file.write_all_at(&zeros, last.position.offset).unwrap();

    let journal = bench.open();
    let appended = append(&journal, chunk_with_id(last.id().unwrap(), b"sent again")).await;
    assert_eq!(appended, Appended::Written);
    assert_eq!(contents(&mut journal.reader(start())).last().unwrap(), b"sent again");
    assert_eq!(bench.metrics.journal.damaged_bytes.get(), 0);
    journal.close().await;
}

/// A journal whose first segment was sealed by the commit that wrote its last chunk, and that chunk.
async fn sealed_in_one_commit() -> (Bench, StoredChunk) {
    for _ in 0..100 {
        let mut bench = Bench::new();
        bench.config.max_size = 100 * SEGMENT_SIZE;
        let journal = bench.open();
        let mut receipts = Vec::new();
        for number in 0..12u8 {
            receipts.push(journal.append(chunk_with_id(&[number], &[7; 10_000])).await.unwrap());
        }
        for receipt in receipts {
            receipt.await.unwrap();
        }
        let mut reader = journal.reader(start());
        let chunks = std::iter::from_fn(|| reader.try_next().unwrap());
        let last = chunks.filter(|chunk| chunk.position.segment == 1).last().unwrap();
        journal.close().await;
        // The footer's synced mark, 8 bytes into its frame, says what was synced before.
        let segment = fs::read(bench.segment(1)).unwrap();
        let mark = segment[last.next.offset as usize + 8..].first_chunk().unwrap();
        if u64::from_le_bytes(*mark) <= last.position.offset {
            return (bench, last);
        }
    }
    panic!("chunks that are appended at once never shared a commit");
}

#[tokio::test]
async fn two_processes_on_one_folder_are_refused() {
    let bench = Bench::new();
    let journal = bench.open();
    assert!(matches!(bench.try_open(), Err(OpenError::InUse { .. })));
    journal.close().await;
    drop(journal);
    bench.open().close().await;
}
