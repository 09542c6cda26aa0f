//! Segments that somebody removes after a kill, or while the server runs.

use std::path::{Path, PathBuf};

use super::power_tests::{contents, open_sized, send};
use super::writer::{Moment, Writer};
use super::{Fate, Home, Journal, Position, Skip};
use crate::config::StartAt;
use crate::metrics::Metrics;
use crate::storage::simulated::{Loss, Simulated};

const SEGMENT_SIZE: u64 = 4096;

fn open(disk: &Simulated, metrics: &Metrics) -> Result<(Journal, Writer), String> {
    open_sized(disk, metrics, SEGMENT_SIZE)
}

fn path_of(segment: u64) -> PathBuf {
    PathBuf::from(format!("/data/journal/{segment:016}.seg"))
}

/// A chunk for each segment.
fn append(journal: &Journal, writer: &mut Writer, number: u64) -> bool {
    send(journal, writer, &format!("chunk {number}")).is_some()
}

#[test]
fn a_segment_that_vanishes_after_a_kill_in_any_call_is_counted_if_it_held_anything_acknowledged() {
    let life = |disk: &Simulated| {
        let Ok((journal, mut writer)) = open(disk, &Metrics::new("test", 10)) else { return 0 };
        (0..4).take_while(|number| append(&journal, &mut writer, *number)).count()
    };
    let calm = Simulated::new(0);
    assert_eq!(life(&calm), 4);
    for call in 1..=calm.calls() {
        for (loss, is_first) in [(None, true), (None, false), (Some(Loss::Everything), false)] {
            let disk = Simulated::new(call);
            disk.die_after(Some(call));
            let acknowledged = life(&disk);
            disk.restart(loss);
            let files = disk.files_below(Path::new("/data/journal"));
            let mut segments = files.iter().filter(|path| path.extension().is_some_and(|name| name == "seg"));
            let vanishing = if is_first { segments.next() } else { segments.next_back() };
            let Some(vanishing) = vanishing else { continue };
            disk.remove_file(vanishing);
            let metrics = Metrics::new("test", 10);
            let (journal, _writer) = open(&disk, &metrics).unwrap();
            let lost = acknowledged.saturating_sub(contents(&journal).len());
            let missing = metrics.journal.missing_segments.get();
            assert!(lost == 0 || missing > 0, "{lost} lost after a kill in call {call}: {vanishing:?}");
            assert_eq!(metrics.journal.damaged_bytes.get(), 0, "after a kill in call {call}");
        }
    }
}

#[test]
fn an_output_passes_over_a_segment_that_vanishes_while_it_reads_and_that_is_counted_once() {
    let disk = Simulated::new(0);
    let metrics = Metrics::new("test", 10);
    let (journal, mut writer) = open(&disk, &metrics).unwrap();
    (0..4).for_each(|number| assert!(append(&journal, &mut writer, number)));
    let mut reader = journal.reader(Position::new(1, 64));
    let mut read = || reader.try_next().unwrap().map(|chunk| chunk.position.segment);
    assert_eq!(read(), Some(1));
    disk.remove_file(&path_of(2));
    assert_eq!([read(), read(), read()], [Some(3), Some(4), None]);
    assert_eq!(metrics.journal.missing_segments.get(), 1);
    assert_eq!(contents(&journal).len(), 3, "another reader passes over it as well");
    assert_eq!(metrics.journal.missing_segments.get(), 1);
}

#[test]
fn delivered_segments_go_though_somebody_has_removed_one_of_them() {
    let disk = Simulated::new(0);
    let metrics = Metrics::new("test", 10);
    let (journal, mut writer) = open(&disk, &metrics).unwrap();
    (0..4).for_each(|number| assert!(append(&journal, &mut writer, number)));
    let before = journal.bytes_on_disk();
    disk.remove_file(&path_of(1));
    let mut cursor = journal.attach("holder", StartAt::Oldest).unwrap();
    cursor.save(journal.newest(), 1).unwrap();
    writer.step(Moment::now());
    assert!(disk.content(&path_of(2)).is_none() && disk.content(&path_of(3)).is_none());
    assert!(journal.bytes_on_disk() < before);
    assert_eq!(metrics.journal.missing_segments.get(), 1);
}

#[test]
fn an_output_leaves_its_backlog_behind_though_a_segment_of_it_vanished() {
    let disk = Simulated::new(0);
    let metrics = Metrics::new("test", 10);
    let (journal, mut writer) = open(&disk, &metrics).unwrap();
    let mut cursor = journal.attach("slow", StartAt::Oldest).unwrap();
    (0..4).for_each(|number| assert!(append(&journal, &mut writer, number)));
    disk.remove_file(&path_of(2));
    let to = Position::new(4, 64);
    cursor.skip(Skip { to, fate: Fate::SetAside }).unwrap();
    assert_eq!(cursor.saved().position, to);
    let set_aside = journal.set_aside().segments("slow").unwrap();
    assert_eq!(set_aside.iter().map(|kept| kept.segment).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(metrics.journal.missing_segments.get(), 1);
}

#[test]
fn in_a_copy_that_lacks_the_end_nothing_is_missing_now_or_later() {
    let disk = Simulated::new(0);
    let (journal, mut writer) = open(&disk, &Metrics::new("test", 10)).unwrap();
    (0..4).for_each(|number| assert!(append(&journal, &mut writer, number)));
    drop((journal, writer));
    disk.remove_file(&path_of(4));
    Home::roll_back(&disk, Path::new("/data")).unwrap();
    for _ in 0..2 {
        disk.restart(None);
        let metrics = Metrics::new("test", 10);
        let (journal, _writer) = open(&disk, &metrics).unwrap();
        assert_eq!(contents(&journal).len(), 3);
        assert_eq!(metrics.journal.missing_segments.get(), 0);
        // As the start does when the journal is open; and then the process is killed.
        Home::settle(&disk, Path::new("/data")).unwrap();
    }
}
