//! A disk that can't read a part of the journal: for a moment nothing is lost by that, and for good it is damage, of what
//! lies there and of nothing else.

use std::path::PathBuf;

use super::power_tests::{open_sized, send};
use super::writer::{Moment, Writer};
use super::{Journal, Position, READ_TRIES, Reader};
use crate::config::StartAt;
use crate::metrics::Metrics;
use crate::storage::simulated::Simulated;

/// Ten chunks of a little over 6 KiB are a segment.
const SEGMENT_SIZE: u64 = 64 * 1024;

/// In a page that lies as a whole within the seventh chunk of a segment.
const BROKEN: std::ops::Range<u64> = 38_000..38_100;

fn open(disk: &Simulated, metrics: &Metrics) -> (Journal, Writer) {
    open_sized(disk, metrics, SEGMENT_SIZE).unwrap()
}

fn path_of(segment: u64) -> PathBuf {
    PathBuf::from(format!("/data/journal/{segment:016}.seg"))
}

/// Appends 25 chunks, and gives where each of them lies.
fn some_chunks(disk: &Simulated, metrics: &Metrics) -> (Journal, Writer, Vec<Position>) {
    let (journal, mut writer) = open(disk, metrics);
    for number in 0..25 {
        assert!(send(&journal, &mut writer, &format!("a chunk, number {number:04}")).is_some());
    }
    let mut reader = journal.reader(Position::new(1, 64));
    let places = read(&mut reader);
    assert_eq!((places.len(), places[24].segment), (25, 3));
    (journal, writer, places)
}

/// What reads until there is an error or nothing more.
fn read(reader: &mut Reader) -> Vec<Position> {
    std::iter::from_fn(|| reader.try_next().ok().flatten()).map(|chunk| chunk.position).collect()
}

/// What reads, however often it has to be tried.
fn read_all(journal: &Journal) -> Vec<Position> {
    let mut reader = journal.reader(Position::new(1, 64));
    let mut places = Vec::new();
    (0..=READ_TRIES).for_each(|_| places.extend(read(&mut reader)));
    places
}

/// Without the seventh chunk of the first segment.
fn others(places: &[Position]) -> Vec<Position> {
    places
        .iter()
        .copied()
        .filter(|place| place.segment != 1 || !(36_000..42_000).contains(&place.offset))
        .collect()
}

#[test]
fn what_does_not_read_for_a_moment_is_tried_again_and_nothing_is_lost() {
    let (disk, metrics) = (Simulated::new(0), Metrics::new("test", 10));
    let (journal, _writer, places) = some_chunks(&disk, &metrics);
    disk.break_bytes(&path_of(1), BROKEN);
    let mut reader = journal.reader(Position::new(1, 64));
    let before = read(&mut reader);
    assert_eq!(before.len(), 6, "up to there everything reads");
    for _ in 2..READ_TRIES {
        assert!(reader.try_next().is_err());
        assert!(journal.unreadable().is_some_and(|reason| reason.contains("0000000000000001.seg")));
    }
    disk.mend();
    assert_eq!(read(&mut reader), places[6..]);
    assert_eq!(journal.unreadable(), None);
    assert_eq!(metrics.journal.damaged_bytes.get(), 0);
}

#[test]
fn what_never_reads_is_damage_and_all_the_rest_is_delivered() {
    let (disk, metrics) = (Simulated::new(0), Metrics::new("test", 10));
    let (journal, _writer, places) = some_chunks(&disk, &metrics);
    disk.break_bytes(&path_of(1), BROKEN);
    assert_eq!(read_all(&journal), others(&places));
    assert_eq!(journal.unreadable(), None);
    let lost = metrics.journal.damaged_bytes.get();
    let length = places[1].offset - places[0].offset;
    assert_eq!(lost, length);
    let copy =
        disk.content(&PathBuf::from(format!("/data/journal/damaged/{:016}-{}.bytes", 1, places[6].offset)));
    assert_eq!(copy.unwrap().len() as u64, lost, "as far as it reads it is kept");
    // The next reader need not find out again how long to wait.
    let mut reader = journal.reader(Position::new(1, 64));
    let mut found = read(&mut reader);
    found.extend(read(&mut reader));
    assert_eq!(found, others(&places));
    assert_eq!(metrics.journal.damaged_bytes.get(), lost);
}

#[test]
fn a_start_goes_on_whatever_of_a_segment_does_not_read() {
    let length = |disk: &Simulated, segment| disk.content(&path_of(segment)).unwrap().len() as u64;
    // A header and the first chunk, a trailer, a chunk, all of one in the middle, and a chunk of the last one.
    type Broken = fn(u64) -> std::ops::Range<u64>;
    let cases: [(u64, Broken, usize); 5] = [
        (2, |_| 0..64, 25),
        (2, |length| length - 24..length, 25),
        (2, |_| BROKEN, 25),
        (2, |length| 0..length, 16),
        (3, |_| 64..100, 25),
    ];
    for (number, (segment, broken, at_least)) in cases.into_iter().enumerate() {
        let disk = Simulated::new(0);
        let (journal, mut writer, places) = some_chunks(&disk, &Metrics::new("test", 10));
        journal.ask_to_close();
        writer.step(Moment::now());
        drop((journal, writer));
        disk.break_bytes(&path_of(segment), broken(length(&disk, segment)));
        disk.restart(None);
        let metrics = Metrics::new("test", 10);
        let (journal, mut writer) = open(&disk, &metrics);
        assert!(send(&journal, &mut writer, "one more, which is new").is_some());
        let found = read_all(&journal);
        assert!(found.len() >= at_least, "case {number}: {} chunks read", found.len());
        let lost = places.iter().filter(|place| !found.contains(place)).count();
        assert_eq!(lost > 0, metrics.journal.damaged_bytes.get() > 0, "case {number}: {lost} lost");
        assert_eq!(metrics.journal.missing_segments.get(), 0, "case {number}");
        // And its segments go once they are delivered.
        let mut cursor = journal.attach("holder", StartAt::Oldest).unwrap();
        cursor.save(journal.newest(), 1).unwrap();
        writer.step(Moment::now());
        assert!(disk.content(&path_of(2)).is_none(), "case {number}");
    }
}
