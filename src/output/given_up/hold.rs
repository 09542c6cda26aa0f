//! An output's own cursor in the journal of what was given up: what it must not deliver any more.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{GivenUp, TakenParts};
use crate::config::StartAt;
use crate::journal::{CursorError, HOLD, Journal, OutputCursor, Position, ReadError};
use crate::planted::{Bug, is_planted};

/// Keeps what an output gave up until the output's own cursor has passed it.
#[derive(Debug)]
pub(in crate::output) struct Hold {
    cursor: OutputCursor,
    journal: Journal,
    /// Messages that are being given up, and were not noted yet.
    under_way: Arc<AtomicUsize>,
    /// Behind everything that was noted.
    end: Position,
}

/// What an output gave up before it was started.
#[derive(Debug, Default)]
pub(in crate::output) struct Taken {
    /// Ranges of entries, by segment and offset of their chunk.
    ranges: HashMap<(u64, u64), Vec<Range<u32>>>,
    /// Of a file output.
    parts: TakenParts,
}

/// An output can't find out what it gave up.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error(transparent)]
    Cursor(#[from] CursorError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Hold {
    /// Of an output of the main journal with this id, in hex, with what it gave up and may come upon again.
    pub(in crate::output) fn open(
        given_up: &GivenUp,
        output: &str,
        journal_id: &str,
    ) -> Result<(Self, Taken), HoldError> {
        let journal = given_up.journal.clone();
        let cursor = journal.attach(&id_of(output), StartAt::Oldest)?;
        let mut reader = journal.reader(cursor.saved().position);
        let mut taken = Taken::default();
        let mut end = Position::new(0, 0);
        while let Some(chunk) = reader.try_next()? {
            let Some(handed) = chunk.handed_over() else { continue };
            if handed.from == output && handed.journal == journal_id && !is_planted(Bug::ForgottenGivenUp) {
                let place = Position { entry: handed.first, ..Position::new(handed.segment, handed.offset) };
                match handed.file {
                    Some(part) => taken.parts.add(place, part, chunk.tag()),
                    None => {
                        let ranges = taken.ranges.entry((handed.segment, handed.offset)).or_default();
                        ranges.push(handed.first..handed.end);
                    }
                }
                end = end.max(Position { segment: handed.segment, offset: handed.offset, entry: handed.end });
            }
        }
        Ok((Self { cursor, journal, under_way: Arc::default(), end }, taken))
    }

    /// Whether an output ever gave something up here, and what that was may still be of interest.
    pub(in crate::output) fn is_there(given_up: &GivenUp, output: &str) -> Result<bool, CursorError> {
        Ok(given_up.journal.cursor_ids()?.contains(&id_of(output)))
    }

    /// The journal that what is given up goes into.
    pub(in crate::output) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// To be counted up before a message is given up.
    pub(in crate::output) fn under_way(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.under_way)
    }

    /// A message was given up, and its output goes on behind `end`.
    pub(in crate::output) fn note(&mut self, end: Position) {
        self.end = self.end.max(end);
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether an output at `position` comes upon nothing more of what it gave up.
    pub(super) fn is_passed_at(&self, position: Position) -> bool {
        position >= self.end
    }

    /// The output's own cursor was saved at `position`: lets go of what lies before it, as far as that is certain.
    pub(in crate::output) fn release(&mut self, position: Position) -> Result<(), CursorError> {
        // In this order: whatever is given up from now on lies behind `newest`.
        let newest = self.journal.newest();
        let all_noted = self.under_way.load(Ordering::SeqCst) == 0;
        let is_passed = position >= self.end || is_planted(Bug::EarlyRelease);
        if all_noted && is_passed && self.cursor.saved().position != newest {
            let generation = self.cursor.saved().generation + 1;
            self.cursor.save(newest, generation)?;
        }
        Ok(())
    }
}

/// The id of its cursor. No output of a configuration can have it, since ids hold no `@`.
pub(super) fn id_of(output: &str) -> String {
    format!("{HOLD}{output}")
}

impl Taken {
    /// Those of a file output.
    pub(in crate::output) fn into_parts(self) -> TakenParts {
        self.parts
    }

    /// Whether all of these entries of a chunk were given up.
    pub(in crate::output) fn covers(&self, place: &Range<Position>) -> bool {
        let Some(ranges) = self.ranges.get(&(place.start.segment, place.start.offset)) else { return false };
        let mut first = place.start.entry;
        // Ranges are few, and in no order.
        while first < place.end.entry {
            let Some(range) = ranges.iter().find(|range| range.contains(&first)) else { return false };
            first = range.end;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_up_as_a_whole_is_passed_over() {
        let ranges = HashMap::from([((1, 64), vec![7..9, 0..3, 3..5])]);
        let taken = Taken { ranges, ..Taken::default() };
        let place = |offset, entries: Range<u32>| {
            let at = |entry| Position { entry, ..Position::new(1, offset) };
            at(entries.start)..at(entries.end)
        };
        for covered in [0..3, 0..5, 2..4, 7..9] {
            assert!(taken.covers(&place(64, covered.clone())), "{covered:?}");
        }
        for left in [0..6, 5..7, 6..8, 8..10] {
            assert!(!taken.covers(&place(64, left.clone())), "{left:?}");
        }
        assert!(!taken.covers(&place(128, 0..3)));
    }
}
