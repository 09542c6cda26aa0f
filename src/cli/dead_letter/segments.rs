//! Segments that outputs left behind undelivered at `max_backlog`, as far as they are selected.

use std::path::Path;

use super::DeadLetterError;
use super::selection::Selection;
use crate::cli::counted::counted;
use crate::journal::inspect::InspectError;
use crate::journal::replay::FoundChunks;
use crate::journal::{Position, SetAside, SetAsideSegment};

/// A segment, and what of it was not delivered.
#[derive(Debug, Clone)]
pub(super) struct LeftBehind {
    pub(super) output: String,
    pub(super) segment: SetAsideSegment,
    pub(super) rest: FoundChunks,
}

/// What a selection takes of them.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) segments: Vec<LeftBehind>,
    /// Segments of which the selection takes a part only.
    pub(super) in_part: usize,
}

/// Totals, for people.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) segments: usize,
    pub(super) chunks: u64,
    pub(super) events: u64,
    /// Of their files.
    pub(super) bytes: u64,
}

impl Found {
    /// The segments that hold something that a selection takes.
    pub(super) fn touched(data_dir: &Path, selection: &Selection) -> Result<Self, DeadLetterError> {
        Self::find(data_dir, selection, |selection, left| {
            let Some((first, last)) = times(&left.rest) else { return !selection.has_times() };
            selection.since.is_none_or(|since| last >= since)
                && selection.until.is_none_or(|until| first < until)
        })
    }

    /// The segments that a selection takes as a whole: nothing less of one can be retried or dropped.
    pub(super) fn whole(data_dir: &Path, selection: &Selection) -> Result<Self, DeadLetterError> {
        let mut found = Self::touched(data_dir, selection)?;
        let touched = found.segments.len();
        found.segments.retain(|left| {
            let is_within = times(&left.rest).is_none_or(|(first, last)| {
                selection.since.is_none_or(|since| first >= since)
                    && selection.until.is_none_or(|until| last < until)
            });
            is_within && !selection.is_about_contents()
        });
        found.in_part = touched - found.segments.len();
        Ok(found)
    }

    fn find(
        data_dir: &Path,
        selection: &Selection,
        is_touched: impl Fn(&Selection, &LeftBehind) -> bool,
    ) -> Result<Self, DeadLetterError> {
        let mut found = Self::default();
        if selection.is_about_letters() {
            return Ok(found);
        }
        let set_aside = SetAside::new(data_dir);
        for output in set_aside.outputs()? {
            if selection.output.as_ref().is_some_and(|id| *id != output) {
                continue;
            }
            for segment in set_aside.segments(&output)? {
                if !selection.segments.is_empty() && !selection.segments.contains(&segment.segment) {
                    continue;
                }
                let rest = match set_aside.inspection(&output).rest_of_segment(segment.from.position) {
                    // A server retries it, or somebody drops it.
                    Err(error @ InspectError::Io { .. }) => {
                        error.unless_gone()?;
                        continue;
                    }
                    rest => rest?,
                };
                let left = LeftBehind { output: output.clone(), segment, rest };
                if is_touched(selection, &left) {
                    found.segments.push(left);
                }
            }
        }
        Ok(found)
    }

    /// Those of each output, in the order of their ids.
    pub(super) fn by_output(&self) -> impl Iterator<Item = &[LeftBehind]> {
        self.segments.chunk_by(|a, b| a.output == b.output)
    }

    pub(super) fn totals(&self) -> Totals {
        totals(&self.segments)
    }

    /// Says on standard error what was left out.
    pub(super) fn mention(&self) {
        if self.in_part > 0 {
            crate::cli::complain(format_args!(
                "{} that outputs left behind selected in part only, and left alone: such go as a whole, by \
                 --output, --segment, --since and --until",
                counted(self.in_part, "segment")
            ));
        }
    }
}

pub(super) fn totals(segments: &[LeftBehind]) -> Totals {
    segments.iter().fold(Totals::default(), |totals, left| Totals {
        segments: totals.segments + 1,
        chunks: totals.chunks + left.rest.chunks,
        events: totals.events + left.rest.events,
        bytes: totals.bytes + left.segment.bytes,
    })
}

/// When the first and the last chunk were received.
pub(super) fn times(rest: &FoundChunks) -> Option<(jiff::Timestamp, jiff::Timestamp)> {
    let time = |unix_nanoseconds: i64| {
        jiff::Timestamp::from_nanosecond(i128::from(unix_nanoseconds)).unwrap_or_default()
    };
    rest.received.map(|(first, last)| (time(first), time(last)))
}

impl LeftBehind {
    /// How many entries at the beginning of a chunk, or of a piece of one, were delivered; `None` for all.
    pub(super) fn delivered(&self, place: Position) -> Option<u32> {
        let from = self.segment.from.position;
        match place.offset.cmp(&from.offset) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some(from.entry),
            std::cmp::Ordering::Greater => Some(0),
        }
    }
}
