//! Names that a disk refuses: that of the next segment, for want of space, and those of what an output leaves behind.

use std::path::Path;
use std::sync::Arc;

use super::format::chunk_payload::ChunkPayload;
use super::next_segment::SPACE_POLL;
use super::power_tests::{contents, open, open_with, send};
use super::writer::Moment;
use super::{Fate, Journal, Position, SetAside, Skip, Status};
use crate::config::StartAt;
use crate::metrics::Metrics;
use crate::storage::simulated::{Loss, Refusal, Simulated};

/// The calls by which a segment gets its name.
const NAMING: [&str; 2] = ["rename", "sync_folder"];

fn refused(call: &'static str, after: u64, for_want_of_space: bool) -> Option<Refusal> {
    Some(Refusal { call, after, for_want_of_space })
}

#[test]
fn a_disk_without_space_for_the_name_of_a_segment_makes_senders_wait_until_there_is_some() {
    for call in NAMING {
        let disk = Simulated::new(0);
        let (journal, mut writer) = open(&disk).unwrap();
        let mut acknowledged = 0;
        disk.refuse(refused(call, 0, true));
        while send(&journal, &mut writer, &format!("chunk {acknowledged}")).is_some() {
            acknowledged += 1;
        }
        assert!(acknowledged > 0, "{call}: the first segment has its name already");
        assert_eq!(*journal.status().borrow(), Status::DiskFull, "{call}");
        for _ in 0..3 {
            writer.step(Moment::now());
        }
        assert_eq!(contents(&journal).len(), acknowledged, "{call}: what waits is not to be seen");

        disk.refuse(None);
        let later = Moment { monotonic: Moment::now().monotonic + SPACE_POLL, ..Moment::now() };
        writer.step(later);
        assert_eq!(*journal.status().borrow(), Status::Accepting, "{call}");
        assert!(send(&journal, &mut writer, "after").is_some(), "{call}");
        let kept = contents(&journal);
        assert_eq!(kept.len(), acknowledged + 2, "{call}");
        disk.restart(Some(Loss::Everything));
        let (journal, _) = open(&disk).unwrap();
        assert_eq!(contents(&journal), kept, "{call}: all of it was durable");
    }
}

#[test]
fn a_disk_that_breaks_at_the_name_of_a_segment_ends_the_journal() {
    for call in NAMING {
        let disk = Simulated::new(0);
        let (journal, mut writer) = open(&disk).unwrap();
        disk.refuse(refused(call, 0, false));
        while send(&journal, &mut writer, &format!("chunk {}", contents(&journal).len())).is_some() {}
        assert!(matches!(&*journal.status().borrow(), Status::Failed(_)), "{call}");
    }
}

/// Chunks that an output has still to deliver, and those that are set aside for it.
fn places(disk: &Simulated, journal: &Journal, position: Position) -> (Vec<String>, Vec<String>) {
    let name = |id: Option<&[u8]>| String::from_utf8(id.unwrap().to_vec()).unwrap();
    let mut reader = journal.reader(position);
    let pending = std::iter::from_fn(|| reader.try_next().unwrap()).map(|chunk| name(chunk.id()));
    let pending = pending.collect();
    let set_aside = SetAside::on(Arc::new(disk.clone()), Path::new("/data"));
    let mut kept = Vec::new();
    for segment in set_aside.segments("slow").unwrap() {
        let visit = |position, chunk: ChunkPayload| {
            if position >= segment.from.position {
                kept.push(name(chunk.id()));
            }
            true
        };
        set_aside.inspection("slow").chunks(segment.segment, visit).unwrap();
    }
    (pending, kept)
}

#[test]
fn an_output_finds_out_what_it_left_behind_where_a_name_was_refused_and_goes_on_from_there() {
    let mut uncertain = 0;
    for (fate, call) in [
        (Fate::SetAside, "rename"),
        (Fate::SetAside, "sync_folder"),
        (Fate::Dropped, "rename"),
        (Fate::Dropped, "sync_folder"),
    ] {
        for after in 0.. {
            let what = format!("{fate:?}, {call} {after}");
            let disk = Simulated::new(after);
            let metrics = Metrics::new("test", 10);
            let (journal, mut writer) = open_with(&disk, &metrics).unwrap();
            let mut cursor = journal.attach("slow", StartAt::Oldest).unwrap();
            (0..6).for_each(|number| {
                assert!(send(&journal, &mut writer, &format!("chunk {number}")).is_some())
            });
            let to = Position::new(journal.newest().segment, 64);
            disk.refuse(refused(call, after, false));
            let skipped = cursor.skip(Skip { to, fate });
            if skipped.is_err() && cursor.is_uncertain() {
                uncertain += 1;
                // As long as the folder can't be synced, what stands there may be gone tomorrow.
                disk.refuse(refused("sync_folder", 0, false));
                cursor.find_out().unwrap_err();
                assert!(cursor.is_uncertain(), "{what}");
                disk.refuse(None);
                cursor.find_out().expect(&what);
            }
            disk.refuse(None);
            let at = cursor.saved().position;
            let (pending, kept) = places(&disk, &journal, at);
            let label = match fate {
                Fate::SetAside => "set_aside",
                Fate::Dropped => "dropped",
            };
            let left = metrics.journal.skipped_records.with_label_values(&["slow", label]).get();
            assert_eq!(pending.len() as u64 + left, 6, "{what}: what is left behind is counted once");
            if fate == Fate::SetAside {
                assert_eq!(kept.len() as u64, left, "{what}: {pending:?} {kept:?}");
                assert!(kept.iter().all(|kept| !pending.contains(kept)), "{what}: {pending:?} {kept:?}");
            }
            disk.restart(Some(Loss::Everything));
            let (journal, _) = open(&disk).unwrap();
            let cursor = journal.attach("slow", StartAt::Oldest).unwrap();
            assert_eq!(cursor.saved().position, at, "{what}: it was durable");
            if skipped.is_ok() {
                break;
            }
        }
    }
    assert!(uncertain >= 6, "{uncertain}");
}
