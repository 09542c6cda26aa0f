//! Segments that should be there and are not.
//!
//! A segment only goes when every output has passed it, and all before it are gone. So those that are there follow one
//! another, the first is one that no output needs an earlier one than, and the last is the last that was begun. What each
//! output needs its cursor says; what was begun, the cursors and the synced mark (`synced_mark.rs`).

use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use super::format::JournalId;
use super::home::Home;
use super::shared::Shared;
use super::synced_mark::Mark;
use super::{Position, SavedCursor};
use crate::metrics::JournalMetrics;
use crate::storage::Storage;

/// What is known of a journal besides its segments.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    mark: Option<Mark>,
    cursors: Vec<SavedCursor>,
    /// Whether it says nothing, being a copy.
    pub(super) is_of_a_copy: bool,
}

impl Evidence {
    /// From a data folder, where it is no copy: in one, cursors, mark and segments may be of different times.
    pub(super) fn new(
        storage: &dyn Storage,
        data_dir: &Path,
        cursors: Vec<SavedCursor>,
        mark: Option<Mark>,
    ) -> io::Result<Self> {
        Ok(match Home::of(storage, data_dir)? {
            Home::Restored => Self { is_of_a_copy: true, ..Self::default() },
            Home::Own | Home::Unknown => Self { mark, cursors, is_of_a_copy: false },
        })
    }

    /// Which journal it was, where its segments do not say.
    pub(super) fn journal(&self) -> Option<JournalId> {
        self.mark.map(|mark| mark.journal).or(self.cursors.first().map(|cursor| cursor.journal))
    }

    /// Up to where this journal was synced for certain.
    pub(super) fn synced(&self, journal: &JournalId) -> Option<Position> {
        let noted = self.mark.filter(|mark| mark.journal == *journal).map(|mark| mark.synced);
        let read = self.of(journal).map(|cursor| {
            let furthest = cursor.position.max(cursor.resumed().position);
            // Of a large chunk the frame was synced before any of its entries came out.
            Position { entry: 0, ..furthest }
        });
        read.chain(noted).max()
    }

    /// The first segment that an output needs of this journal.
    pub(super) fn needed(&self, journal: &JournalId) -> Option<u64> {
        self.of(journal).map(|cursor| cursor.position.segment).min()
    }

    fn of(&self, journal: &JournalId) -> impl Iterator<Item = &SavedCursor> {
        self.cursors.iter().filter(move |cursor| cursor.journal == *journal)
    }
}

/// The segments that are missing, in ranges: before, between and behind those that are there, from the first that is needed
/// to the last that was begun.
pub(super) fn missing(segments: &[u64], needed: Option<u64>, begun: Option<u64>) -> Vec<RangeInclusive<u64>> {
    let first = segments.first().copied().or(begun);
    let Some(mut next) = first.map(|first| needed.map_or(first, |needed| needed.min(first))) else {
        return Vec::new();
    };
    let mut ranges = Vec::new();
    for segment in segments {
        if *segment > next {
            ranges.push(next..=segment - 1);
        }
        next = segment + 1;
    }
    if let Some(begun) = begun.filter(|begun| *begun >= next) {
        ranges.push(next..=begun);
    }
    ranges
}

/// Tells each range and counts its segments.
pub(super) fn tell(ranges: &[RangeInclusive<u64>], metrics: &JournalMetrics) {
    for range in ranges {
        metrics.missing_segments.inc_by(range.end() - range.start() + 1);
        tracing::error!(
            first = range.start(),
            last = range.end(),
            "journal segments are missing: somebody removed them, and what outputs had not delivered of them is lost. \
             Everything else is intact. Put them back and restart if there is a copy"
        );
    }
}

/// Tells that a segment vanished while the journal is open, and counts it, once.
pub(super) fn tell_vanished(shared: &Shared, segment: u64) {
    if !shared.is_newly_vanished(segment) {
        return;
    }
    shared.metrics.missing_segments.inc();
    tracing::error!(
        segment = %shared.folder.segment_path(segment).display(),
        "a journal segment is gone: somebody removed it while the server runs, and what outputs had not delivered of it is \
         lost. Everything else is intact, and outputs go on behind it"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_copy_neither_mark_nor_cursors_prove_anything() {
        let disk = crate::storage::simulated::Simulated::new(0);
        let folder = Path::new("/data");
        super::super::durable::create_folder(&disk, folder).unwrap();
        let (journal, position) = ([1; 16], Position::new(3, 900));
        let cursor = SavedCursor { journal, position, generation: 0, replays: Default::default() };
        let evidence = || Evidence::new(&disk, folder, vec![cursor], None).unwrap();
        assert_eq!((evidence().synced(&journal), evidence().needed(&journal)), (Some(position), Some(3)));
        assert_eq!(evidence().synced(&[2; 16]), None, "a cursor of another journal");
        Home::settle(&disk, folder).unwrap();
        assert_eq!(evidence().synced(&journal), Some(position));
        Home::roll_back(&disk, folder).unwrap();
        assert_eq!((evidence().synced(&journal), evidence().needed(&journal)), (None, None));
    }

    #[test]
    fn segments_are_missing_before_between_and_behind_those_that_are_there() {
        let ranges = |segments: &[u64], needed, begun| missing(segments, needed, begun);
        assert_eq!(ranges(&[], None, None), []);
        assert_eq!(ranges(&[3, 4], Some(3), Some(4)), []);
        assert_eq!(ranges(&[3, 4], Some(4), Some(3)), [], "delivered and retained; begun and not noted yet");
        assert_eq!(ranges(&[3, 4], Some(1), Some(4)), [1..=2]);
        assert_eq!(ranges(&[3, 5, 9], None, None), [4..=4, 6..=8]);
        assert_eq!(ranges(&[3, 4], Some(3), Some(6)), [5..=6]);
        assert_eq!(ranges(&[], Some(2), Some(6)), [2..=6]);
        assert_eq!(
            ranges(&[], None, Some(6)),
            [6..=6],
            "all outputs were removed, and the last segment stays always"
        );
        assert_eq!(ranges(&[2, 4], Some(1), Some(5)), [1..=1, 3..=3, 5..=5]);
    }
}
