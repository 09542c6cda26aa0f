//! Outputs that are too far behind, and a journal that is full.

use std::sync::Arc;
use std::time::Duration;

use hikyaku::config::{BacklogConfig, StartAt, WhenBacklogged, WhenFull};
use hikyaku::journal::cursor_attributes::{THROTTLE, write_attribute};
use hikyaku::journal::{
    AppendError, CursorFolder, Fate, Journal, OutputCursor, Position, Replay, Replays, SavedCursor, SetAside,
    SkipError, Status,
};

use crate::{Bench, SEGMENT_HEADER_LENGTH, SEGMENT_SIZE, append, chunk, contents, start};

const CHUNK: usize = 10_000;

fn limit(when_backlogged: WhenBacklogged) -> BacklogConfig {
    BacklogConfig { max_backlog: Some(2 * SEGMENT_SIZE), when_backlogged, max_set_aside: 100 * SEGMENT_SIZE }
}

/// A journal with room, and an output that may be two segments behind.
fn open(bench: &Bench, when_backlogged: WhenBacklogged) -> (Journal, OutputCursor) {
    let journal = bench.try_open().unwrap();
    let cursor = journal.attach("slow", StartAt::Oldest).unwrap();
    cursor.limit_backlog(&limit(when_backlogged));
    (journal, cursor)
}

fn roomy() -> Bench {
    let mut bench = Bench::new();
    bench.config.max_size = 100 * SEGMENT_SIZE;
    bench
}

async fn until_segment(bench: &Bench, journal: &Journal, number: u64) -> u64 {
    let mut count = 0;
    while !bench.segment(number).exists() {
        append(journal, chunk(&[number as u8; CHUNK])).await;
        count += 1;
    }
    // Once this is answered, all that follows from the one before is done.
    append(journal, chunk(&[number as u8; CHUNK])).await;
    count + 1
}

fn start_of(segment: u64) -> Position {
    Position::new(segment, SEGMENT_HEADER_LENGTH)
}

fn skipped(bench: &Bench, what: &str) -> (u64, u64) {
    let metrics = &bench.metrics.journal;
    let labels = ["slow", what];
    (
        metrics.skipped_records.with_label_values(&labels).get(),
        metrics.skipped_bytes.with_label_values(&labels).get(),
    )
}

#[tokio::test]
async fn an_output_within_its_limit_is_asked_for_nothing() {
    let bench = roomy();
    let (journal, mut cursor) = open(&bench, WhenBacklogged::DeadLetter);
    until_segment(&bench, &journal, 2).await;
    assert_eq!(cursor.requested_skip(), None);
    journal.close().await;
}

#[tokio::test]
async fn an_output_over_its_limit_is_asked_to_go_on_where_it_is_within_it() {
    let bench = roomy();
    let (journal, mut cursor) = open(&bench, WhenBacklogged::DeadLetter);
    until_segment(&bench, &journal, 5).await;
    let skip = cursor.requested_skip().unwrap();
    assert_eq!((skip.to, skip.fate), (start_of(4), Fate::SetAside));
    assert_eq!(cursor.requested_skip(), None, "asked once");
    journal.close().await;
}

#[tokio::test]
async fn segments_that_are_set_aside_leave_the_journal_and_read_as_they_were() {
    let bench = roomy();
    let (journal, mut cursor) = open(&bench, WhenBacklogged::DeadLetter);
    let first = until_segment(&bench, &journal, 2).await;
    until_segment(&bench, &journal, 5).await;
    // Some of the first segment is delivered.
    let mut reader = journal.reader(start());
    let delivered = reader.try_next().unwrap().unwrap().next;
    cursor.save(delivered, 1).unwrap();

    let skip = cursor.requested_skip().unwrap();
    cursor.skip(skip).unwrap();
    assert_eq!(cursor.saved().position, start_of(4));
    assert_eq!(cursor.saved().generation, 1, "the files of an output are where they were");
    append(&journal, chunk(b"poke")).await;
    append(&journal, chunk(b"poke again")).await;
    assert!(!bench.segment(3).exists());
    assert!(bench.segment(4).exists());

    let set_aside = SetAside::new(bench.path());
    assert_eq!(set_aside.outputs().unwrap(), ["slow"]);
    let segments = set_aside.segments("slow").unwrap();
    let begins: Vec<_> = segments.iter().map(|segment| segment.from.position).collect();
    assert_eq!(begins, [delivered, start_of(2), start_of(3)]);
    let mut events = 0;
    for segment in &segments {
        let visit = |position, found: hikyaku::journal::format::chunk_payload::ChunkPayload| {
            if position >= segment.from.position {
                assert_eq!(found.entries().len(), CHUNK);
                events += 1;
            }
            true
        };
        set_aside.inspection("slow").chunks(segment.segment, visit).unwrap();
    }
    // The first chunk of segment 2 made it, so it is counted to segment 1's.
    assert!(events > first);
    assert_eq!(skipped(&bench, "set_aside").0, events);
    assert!(skipped(&bench, "set_aside").1 >= events * CHUNK as u64);
    let held = segments.iter().map(|segment| segment.bytes).sum::<u64>();
    assert_eq!(bench.metrics.journal.set_aside_bytes.with_label_values(&["slow"]).get() as u64, held);
    journal.close().await;
}

#[tokio::test]
async fn a_segment_that_is_set_aside_is_the_file_of_the_journal_and_no_copy() {
    use std::os::unix::fs::MetadataExt;
    let bench = roomy();
    let (journal, mut slow) = open(&bench, WhenBacklogged::DeadLetter);
    journal.attach("holder", StartAt::Oldest).unwrap();
    let events = until_segment(&bench, &journal, 4).await;
    let skip = slow.requested_skip().unwrap();
    slow.skip(skip).unwrap();
    let kept = bench.path().join(format!("dead-letters/segments/slow/journal/{:016}.seg", 1));
    let inode = |path: &std::path::Path| std::fs::metadata(path).unwrap().ino();
    assert_eq!(inode(&kept), inode(&bench.segment(1)));
    assert_eq!(contents(&mut journal.reader(start())).len() as u64, events, "others read all of it");
    journal.close().await;
}

#[tokio::test]
async fn what_is_dropped_is_counted_and_gone() {
    let bench = roomy();
    let (journal, mut cursor) = open(&bench, WhenBacklogged::DropOldest);
    let events = until_segment(&bench, &journal, 4).await;
    let skip = cursor.requested_skip().unwrap();
    assert_eq!((skip.to, skip.fate), (start_of(3), Fate::Dropped));
    cursor.skip(skip).unwrap();
    append(&journal, chunk(b"poke")).await;
    append(&journal, chunk(b"poke again")).await;
    assert!(!bench.segment(2).exists());
    let (dropped, bytes) = skipped(&bench, "dropped");
    let left = contents(&mut journal.reader(cursor.saved().position)).len() as u64;
    assert_eq!(dropped + left, events + 2);
    assert!((dropped * CHUNK as u64..2 * SEGMENT_SIZE).contains(&bytes), "{bytes}");
    assert!(SetAside::new(bench.path()).outputs().unwrap().is_empty());
    journal.close().await;
}

#[tokio::test]
async fn a_crash_between_setting_aside_and_saving_leaves_the_output_behind_the_segment() {
    let bench = roomy();
    let (journal, mut cursor) = open(&bench, WhenBacklogged::DeadLetter);
    until_segment(&bench, &journal, 4).await;
    let saved = *cursor.saved();
    let skip = cursor.requested_skip().unwrap();
    cursor.skip(skip).unwrap();
    journal.close().await;
    drop(journal);
    // As if the second cursor had not been saved.
    CursorFolder::new(bench.path()).save("slow", &saved).unwrap();

    let journal = bench.try_open().unwrap();
    let cursor = journal.attach("slow", StartAt::Oldest).unwrap();
    assert_eq!(cursor.saved().position, start_of(3));
    journal.close().await;
}

#[tokio::test]
async fn a_segment_that_was_not_set_aside_to_the_end_is_delivered() {
    let bench = roomy();
    let (journal, mut cursor) = open(&bench, WhenBacklogged::DeadLetter);
    until_segment(&bench, &journal, 4).await;
    let saved = *cursor.saved();
    let skip = cursor.requested_skip().unwrap();
    cursor.skip(skip).unwrap();
    journal.close().await;
    drop(journal);
    let folder = bench.path().join("dead-letters/segments/slow");
    for segment in [1, 2] {
        let kept = folder.join(format!("journal/{segment:016}.seg"));
        if !bench.segment(segment).exists() {
            std::fs::hard_link(&kept, bench.segment(segment)).unwrap();
        }
        std::fs::remove_file(folder.join(format!("{segment:016}.from"))).unwrap();
    }
    CursorFolder::new(bench.path()).save("slow", &saved).unwrap();

    let journal = bench.try_open().unwrap();
    let cursor = journal.attach("slow", StartAt::Oldest).unwrap();
    assert_eq!(cursor.saved().position, start());
    assert_eq!(std::fs::read_dir(folder.join("journal")).unwrap().count(), 0);
    journal.close().await;
}

#[tokio::test]
async fn at_its_limit_nothing_more_is_set_aside_and_the_output_stays() {
    let bench = roomy();
    let (journal, mut cursor) = open(&bench, WhenBacklogged::DeadLetter);
    let config = BacklogConfig { max_set_aside: SEGMENT_SIZE, ..limit(WhenBacklogged::DeadLetter) };
    cursor.limit_backlog(&config);
    until_segment(&bench, &journal, 4).await;
    let skip = cursor.requested_skip().unwrap();
    let error = cursor.skip(skip).unwrap_err();
    assert!(matches!(error, SkipError::SetAside(_)), "{error}");
    assert!(error.to_string().contains("max_set_aside"), "{error}");
    assert_eq!(cursor.saved().position, start_of(2), "one segment found room");
    assert!(!contents(&mut journal.reader(cursor.saved().position)).is_empty());
    journal.close().await;
}

#[tokio::test]
async fn a_segment_of_another_journal_is_not_replaced() {
    let bench = roomy();
    let (journal, mut cursor) = open(&bench, WhenBacklogged::DeadLetter);
    let folder = bench.path().join("dead-letters/segments/slow/journal");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{:016}.seg", 1)), "another").unwrap();
    until_segment(&bench, &journal, 4).await;
    let skip = cursor.requested_skip().unwrap();
    let error = cursor.skip(skip).unwrap_err();
    assert!(error.to_string().contains("another journal"), "{error}");
    assert_eq!(cursor.saved().position, start());
    assert_eq!(std::fs::read(folder.join(format!("{:016}.seg", 1))).unwrap(), b"another");
    journal.close().await;
}

#[tokio::test]
async fn an_output_that_blocks_makes_senders_wait_at_its_limit() {
    let bench = roomy();
    let (journal, mut cursor) = open(&bench, WhenBacklogged::Block);
    let mut status = journal.status();
    let waiting = loop {
        let mut receipt = journal.append(chunk(&[7; CHUNK])).await.unwrap();
        tokio::select! {
            biased;
            appended = &mut receipt => { appended.unwrap(); }
            _ = status.wait_for(|status| *status == Status::Full) => break receipt,
        }
    };
    assert!(journal.bytes_on_disk() < 4 * SEGMENT_SIZE, "far below max_size");
    cursor.save(journal.newest(), 1).unwrap();
    waiting.await.unwrap();
    assert_eq!(*journal.status().borrow(), Status::Accepting);
    journal.close().await;
}

#[tokio::test]
async fn an_output_that_is_gone_holds_half_of_the_journal_at_most() {
    let mut bench = roomy();
    bench.config.max_size = 8 * SEGMENT_SIZE;
    let journal = bench.try_open().unwrap();
    journal.attach("gone", StartAt::Oldest).unwrap();
    journal.close().await;
    drop(journal);

    let journal = bench.try_open().unwrap();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    for _ in 0..100 {
        append(&journal, chunk(&[1; CHUNK])).await;
        cursor.save(journal.newest(), 1).unwrap();
    }
    let set_aside = SetAside::new(bench.path());
    let segments = set_aside.segments("gone").unwrap();
    assert!(segments.len() > 5, "{segments:?}");
    let gone = CursorFolder::new(bench.path()).load("gone").unwrap().unwrap();
    assert_eq!(gone.position, start_of(segments.last().unwrap().segment + 1));
    journal.close().await;
}

#[tokio::test]
async fn a_full_journal_refuses_when_it_is_told_to_and_takes_again_when_there_is_room() {
    let mut bench = Bench::new();
    bench.config.when_full = WhenFull::Reject;
    let journal = bench.try_open().unwrap();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    let mut kept = 0;
    let refused = loop {
        match journal.append(chunk(&[7; CHUNK])).await.unwrap().await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, AppendError::Full);
    assert_eq!(*journal.status().borrow(), Status::Full);
    assert_eq!(journal.append(chunk(b"more")).await.unwrap_err(), AppendError::Full);
    let mut reader = journal.reader(start());
    assert_eq!(contents(&mut reader).len(), kept, "nothing that was refused is there");

    cursor.save(reader.position(), 1).unwrap();
    journal.status().wait_for(|status| *status == Status::Accepting).await.unwrap();
    append(&journal, chunk(b"again")).await;
    assert_eq!(contents(&mut reader), [b"again"]);
    journal.close().await;
}

#[tokio::test]
async fn a_full_journal_that_refuses_can_be_closed() {
    let mut bench = Bench::new();
    bench.config.when_full = WhenFull::Reject;
    let journal = bench.open();
    while journal.append(chunk(&[7; CHUNK])).await.unwrap().await.is_ok() {}
    tokio::time::timeout(Duration::from_secs(10), journal.close()).await.unwrap();
}

#[tokio::test]
async fn a_full_journal_drops_its_oldest_segments_when_it_is_told_to() {
    let mut bench = Bench::new();
    bench.config.when_full = WhenFull::DropOldest;
    let journal = bench.try_open().unwrap();
    let mut slow = journal.attach("slow", StartAt::Oldest).unwrap();
    let mut fast = journal.attach("fast", StartAt::Oldest).unwrap();
    let requests = slow.skip_requests();
    let answering = tokio::spawn(async move {
        let mut requests = requests;
        while requests.changed().await.is_ok() {
            if let Some(skip) = slow.requested_skip() {
                assert_eq!(skip.fate, Fate::Dropped);
                slow.skip(skip).unwrap();
            }
        }
    });
    let events = 100;
    for _ in 0..events {
        append(&journal, chunk(&[7; CHUNK])).await;
        fast.save(journal.newest(), 1).unwrap();
        assert!(journal.bytes_on_disk() <= bench.config.max_size);
    }
    let at = CursorFolder::new(bench.path()).load("slow").unwrap().unwrap().position;
    let left = contents(&mut journal.reader(at)).len() as u64;
    assert!(left > 0);
    assert_eq!(skipped(&bench, "dropped").0 + left, events);
    let lost_by_fast = bench.metrics.journal.skipped_records.with_label_values(&["fast", "dropped"]).get();
    assert_eq!(lost_by_fast, 0, "what an output has delivered it does not lose");
    journal.close().await;
    answering.abort();
}

#[tokio::test]
async fn skips_of_several_outputs_have_a_folder_each() {
    let bench = roomy();
    let (journal, mut slow) = open(&bench, WhenBacklogged::DeadLetter);
    let mut other = journal.attach("other", StartAt::Oldest).unwrap();
    other.limit_backlog(&limit(WhenBacklogged::DeadLetter));
    until_segment(&bench, &journal, 3).await;
    for cursor in [&mut slow, &mut other] {
        let skip = cursor.requested_skip().unwrap();
        cursor.skip(skip).unwrap();
    }
    let set_aside = Arc::new(SetAside::new(bench.path()));
    assert_eq!(set_aside.outputs().unwrap(), ["other", "slow"]);
    set_aside.remove("other", 1).unwrap();
    assert_eq!(set_aside.segments("other").unwrap(), []);
    assert_eq!(set_aside.bytes("other").unwrap(), 0);
    assert_eq!(set_aside.segments("slow").unwrap().len(), 1);
    journal.close().await;
}

/// An output that delivers again what it has delivered up to the newest segment.
async fn replaying(bench: &Bench, when_backlogged: WhenBacklogged, segments: u64) -> (Journal, OutputCursor) {
    let journal = bench.try_open().unwrap();
    journal.attach("slow", StartAt::Oldest).unwrap();
    until_segment(bench, &journal, segments).await;
    journal.close().await;
    drop(journal);
    let cursors = CursorFolder::new(bench.path());
    let saved = cursors.load("slow").unwrap().unwrap();
    let current = Some(Replay { until: start_of(segments), resume: start_of(segments) });
    let mut attributes = Vec::new();
    write_attribute(&mut attributes, THROTTLE, b"counts");
    let replays = Replays { count: 1, current };
    cursors.save_with("slow", &SavedCursor { replays, ..saved }, &attributes).unwrap();
    open(bench, when_backlogged)
}

#[tokio::test]
async fn what_is_delivered_again_is_no_backlog() {
    let bench = roomy();
    let (journal, mut cursor) = replaying(&bench, WhenBacklogged::DeadLetter, 5).await;
    until_segment(&bench, &journal, 6).await;
    assert_eq!(cursor.requested_skip(), None);
    assert!(bench.segment(1).exists(), "the replay needs it");
    journal.close().await;
}

#[tokio::test]
async fn an_output_that_is_asked_to_go_on_ends_its_replay_and_leaves_no_more_behind_than_it_must() {
    let bench = roomy();
    let (journal, mut cursor) = replaying(&bench, WhenBacklogged::DeadLetter, 5).await;
    assert_eq!(cursor.attribute(THROTTLE), Some(&b"counts"[..]));
    until_segment(&bench, &journal, 9).await;
    let skip = cursor.requested_skip().unwrap();
    assert_eq!(skip.to, start_of(8));
    cursor.skip(skip).unwrap();
    assert_eq!(cursor.saved().position, start_of(8));
    assert_eq!(cursor.saved().replays, Replays { count: 1, current: None });
    assert_eq!(cursor.attribute(THROTTLE), None, "nobody knows what would have been counted up to there");
    let set_aside = SetAside::new(bench.path()).segments("slow").unwrap();
    let begins: Vec<_> = set_aside.iter().map(|segment| segment.from.position).collect();
    assert_eq!(begins, [start_of(5), start_of(6), start_of(7)], "of what it had not delivered once");
    journal.close().await;
}

#[tokio::test]
async fn a_full_journal_ends_a_replay_before_anything_is_lost() {
    let mut bench = Bench::new();
    bench.config.max_size = 6 * SEGMENT_SIZE;
    bench.config.when_full = WhenFull::DropOldest;
    let (journal, mut cursor) = replaying(&bench, WhenBacklogged::Block, 4).await;
    let mut skips = cursor.skip_requests();
    let fill = async {
        while !bench.segment(8).exists() {
            append(&journal, chunk(&[9; CHUNK])).await;
        }
    };
    let follow = async {
        skips.changed().await.unwrap();
        let skip = cursor.requested_skip().unwrap();
        cursor.skip(skip).unwrap();
        assert_eq!(cursor.saved().replays, Replays { count: 1, current: None });
        assert!(cursor.saved().position >= start_of(4));
        let position = cursor.saved().position;
        assert_eq!((position, skipped(&bench, "dropped")), (start_of(4), (0, 0)));
        cursor.save(journal.newest(), 2).unwrap();
    };
    tokio::join!(fill, follow);
    journal.close().await;
}
