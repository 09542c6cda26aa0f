//! An event that goes to several pipelines, for the outputs that look at all of them: `invalid` and `fallback`.
//!
//! Every other output is in one pipeline, and its reader goes there alone. These two ask what becomes of the event in
//! each of them, and take it once: so its ways are walked twice, first to see where they end, then to hand it over at
//! the end that was chosen.

use super::filter::Verdict;
use super::record::RecordBuffer;

/// The ways of the event at hand.
#[derive(Debug, Default)]
pub(super) struct Fork {
    phase: Phase,
    /// How many ways came to an end so far; those on which a filter dropped the event are left out.
    ends: usize,
    /// At how many of these ends the event is the output's.
    wanted: usize,
    /// The first of these, counted from 0.
    first_wanted: Option<usize>,
    /// What the filters said that count, in the order in which they were met while scouting.
    verdicts: Vec<Verdict>,
    /// How many of these were repeated.
    repeated: usize,
    /// Memory for records, kept from event to event.
    pub(super) spare: Vec<Copy>,
}

/// A record on one of its ways.
#[derive(Debug, Default)]
pub(super) struct Copy {
    pub(super) record: Vec<u8>,
    pub(super) buffer: RecordBuffer,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// There is one way.
    #[default]
    Single,
    Scouting,
    /// The event is handed over at the end with this number.
    Delivering(usize),
}

/// What is to be done at the end of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AtEnd {
    /// There is no other way: hand it over if it is the output's, and count it.
    Decide,
    HandOver,
    Nothing,
}

/// What the ends together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// To be handed over at this end.
    TakenAt(usize),
    Left,
    Dropped,
}

impl Fork {
    pub(super) fn is_open(&self) -> bool {
        self.phase != Phase::Single
    }

    /// From here on ends are only looked at.
    pub(super) fn scout(&mut self) {
        (self.phase, self.ends, self.wanted, self.first_wanted) = (Phase::Scouting, 0, 0, None);
        self.verdicts.clear();
    }

    /// From here on the same ends come again.
    pub(super) fn deliver_at(&mut self, end: usize) {
        (self.phase, self.ends, self.repeated) = (Phase::Delivering(end), 0, 0);
    }

    pub(super) fn close(&mut self) {
        self.phase = Phase::Single;
    }

    /// What a filter says that counts events: asked once, and the same when the event comes by again.
    pub(super) fn once(&mut self, ask: impl FnOnce() -> Verdict) -> Verdict {
        match self.phase {
            Phase::Single => ask(),
            Phase::Scouting => {
                let verdict = ask();
                self.verdicts.push(verdict);
                verdict
            }
            Phase::Delivering(_) => {
                let verdict = self.verdicts.get(self.repeated).copied();
                self.repeated += 1;
                verdict.unwrap_or_else(ask)
            }
        }
    }

    /// A way ends, at which the event is the output's or not.
    pub(super) fn at_end(&mut self, wanted: bool) -> AtEnd {
        let this = self.ends;
        self.ends += 1;
        match self.phase {
            Phase::Single => AtEnd::Decide,
            Phase::Scouting => {
                if wanted {
                    self.wanted += 1;
                    self.first_wanted.get_or_insert(this);
                }
                AtEnd::Nothing
            }
            Phase::Delivering(chosen) if chosen == this => AtEnd::HandOver,
            Phase::Delivering(_) => AtEnd::Nothing,
        }
    }

    /// After scouting. `everywhere`: the event is the output's only if it is at every end.
    pub(super) fn fate(&self, everywhere: bool) -> Fate {
        match self.first_wanted {
            Some(end) if !everywhere || self.wanted == self.ends => Fate::TakenAt(end),
            None if self.ends == 0 => Fate::Dropped,
            _ => Fate::Left,
        }
    }
}
