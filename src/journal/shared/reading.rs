//! Where readers find what they want, and what they could not read.

use super::Shared;
use super::state::State;
use crate::journal::Position;
use crate::journal::format::segment_header::SEGMENT_HEADER_LENGTH;
use crate::journal::recent::RecentBlock;

/// Where a reader finds the frame at its position.
#[derive(Debug)]
pub(in crate::journal) enum Place {
    /// Nowhere yet.
    CaughtUp,
    /// The frame is in memory.
    Memory(RecentBlock),
    /// The frame is on disk, and so is everything up to this offset. Where nobody is behind the reader, the system need not
    /// keep what it reads.
    Disk { end: u64, is_last: bool },
    /// The segment is over, or gone; this is where it goes on.
    GoOn(Position),
}

impl Shared {
    /// Takes a reader into account; it is known by this number until it is removed.
    pub(in crate::journal) fn add_reader(&self, position: Position) -> u64 {
        self.lock().recent.add_reader(position)
    }

    pub(in crate::journal) fn remove_reader(&self, reader: u64) {
        let mut state = self.lock();
        state.recent.remove_reader(reader);
        state.unreadable.remove(&reader);
    }

    /// Where the frame at a position is, which is where a reader is now.
    pub(in crate::journal) fn locate(&self, reader: u64, position: Position) -> Place {
        let mut state = self.lock();
        state.recent.note_reader(reader, position);
        if state.pace.is_waiting {
            self.changed.notify_all();
        }
        let Some(segment) = state.segments.get(&position.segment) else {
            return go_on(&state, position);
        };
        if position.offset >= segment.end {
            return if segment.sealed { go_on(&state, position) } else { Place::CaughtUp };
        }
        match state.recent.find(position) {
            Some(block) => Place::Memory(block.clone()),
            None => Place::Disk { end: segment.end, is_last: state.recent.is_last(reader, position) },
        }
    }

    /// Notes what a reader can't read now; `None` where it can.
    pub(in crate::journal) fn note_unreadable(&self, reader: u64, reason: Option<String>) {
        let mut state = self.lock();
        match reason {
            Some(reason) => state.unreadable.insert(reader, reason),
            None => state.unreadable.remove(&reader),
        };
    }

    /// What can't be read now, for operators.
    pub(in crate::journal) fn unreadable(&self) -> Option<String> {
        self.lock().unreadable.values().next().cloned()
    }

    /// Whether damage at this place was not reported yet.
    pub(in crate::journal) fn is_new_damage(&self, position: Position) -> bool {
        self.lock().damaged.insert(position)
    }

    /// Whether a place was found damaged.
    pub(in crate::journal) fn is_known_damage(&self, position: Position) -> bool {
        self.lock().damaged.contains(&Position { entry: 0, ..position })
    }

    /// Whether it was not told yet that a segment vanished.
    pub(in crate::journal) fn is_newly_vanished(&self, segment: u64) -> bool {
        self.lock().vanished.insert(segment)
    }
}

fn go_on(state: &State, position: Position) -> Place {
    match state.segments.range(position.segment + 1..).next() {
        Some((segment, _)) => Place::GoOn(Position::new(*segment, SEGMENT_HEADER_LENGTH)),
        None => Place::CaughtUp,
    }
}
