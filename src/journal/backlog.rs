//! Outputs that are too far behind: which of them is asked to leave what.
//!
//! Nobody but an output itself knows what it has delivered, so that the writer asks, and the output leaves segments
//! behind (`skip.rs`) when it has saved what it could. An output that does not run can't answer; the writer does it in
//! its place.
//!
//! What an output delivers again is no backlog. Where its replay holds a segment that has to go, the replay ends.

use tokio::sync::watch;

use super::Position;
use super::format::segment_header::SEGMENT_HEADER_LENGTH;
use super::shared::{Shared, State};
use crate::config::{BacklogConfig, DEFAULT_MAX_SET_ASIDE, WhenBacklogged};

/// What the ids of cursors begin with that keep something in the journal and deliver nothing. No output of a configuration
/// has such an id.
pub const HOLD: &str = "@from-";

/// Whether a cursor with this id delivers nothing, so that there is nothing to set aside for it.
pub fn is_hold(id: &str) -> bool {
    id.starts_with(HOLD)
}

/// What an output is asked to do: to go on further ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skip {
    /// Where it is to go on: the beginning of a segment.
    pub to: Position,
    /// What becomes of the segments before.
    pub fate: Fate,
}

/// What becomes of segments that an output leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They are kept for it among the dead letters.
    SetAside,
    /// Nothing is kept of them for it; what it loses is counted.
    Dropped,
}

impl Fate {
    /// The word for metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::SetAside => "set_aside",
            Self::Dropped => "dropped",
        }
    }
}

/// An output that runs.
#[derive(Debug)]
pub(super) struct Attached {
    max_bytes: Option<u64>,
    when_backlogged: WhenBacklogged,
    pub(super) max_set_aside: u64,
    skips: watch::Sender<Option<Skip>>,
}

impl Attached {
    fn fate(&self) -> Fate {
        match self.when_backlogged {
            WhenBacklogged::DeadLetter => Fate::SetAside,
            WhenBacklogged::Block | WhenBacklogged::DropOldest => Fate::Dropped,
        }
    }
}

/// Skips of outputs that do not run, by their id.
pub(super) type Unattended = Vec<(String, Skip)>;

impl Shared {
    /// Takes up an output that runs from now on, without a limit for its backlog.
    pub(super) fn attach(&self, id: &str) -> watch::Receiver<Option<Skip>> {
        let skips = watch::Sender::new(None);
        let requests = skips.subscribe();
        let attached = Attached {
            max_bytes: None,
            when_backlogged: WhenBacklogged::Block,
            max_set_aside: DEFAULT_MAX_SET_ASIDE,
            skips,
        };
        self.lock().attached.insert(id.to_owned(), attached);
        requests
    }

    /// Limits the backlog of an output that runs.
    pub(super) fn limit_backlog(&self, id: &str, config: &BacklogConfig) {
        let max_bytes = config.max_bytes(self.max_size);
        if let Some(attached) = self.lock().attached.get_mut(id) {
            attached.max_bytes = max_bytes;
            attached.when_backlogged = config.when_backlogged;
            attached.max_set_aside = config.max_set_aside;
        }
    }

    /// Bytes that may be set aside for an output.
    pub(super) fn max_set_aside(&self, id: &str) -> u64 {
        self.lock().attached.get(id).map_or(DEFAULT_MAX_SET_ASIDE, |attached| attached.max_set_aside)
    }

    /// Asks every output that is over its limit to skip to where it is within it. An output that does not run has half
    /// of the journal.
    pub(super) fn ask_those_behind(&self) -> Unattended {
        let again = self.is_waited_for();
        let state = self.lock();
        let mut unattended = Vec::new();
        for (id, held) in &state.cursors {
            let position = &held.backlog;
            let attached = state.attached.get(id);
            let (max_bytes, fate) = match attached {
                Some(Attached { when_backlogged: WhenBacklogged::Block, .. }) => continue,
                Some(attached) => (attached.max_bytes.unwrap_or(self.max_size), attached.fate()),
                None => (self.max_size / 2, Fate::SetAside),
            };
            if state.bytes_behind(*position) <= max_bytes {
                continue;
            }
            let mut starts =
                state.segments.range(position.segment + 1..).map(|(number, _)| start_of(*number));
            // The newest one can't be left behind: it is being written.
            let within = starts.clone().find(|start| state.bytes_behind(*start) <= max_bytes);
            if let Some(to) = within.or(starts.next_back()) {
                ask(&state, id, Skip { to, fate }, again, &mut unattended);
            }
        }
        unattended
    }

    /// Asks every output that still needs the oldest segment, or this one of them, to leave it behind.
    pub(super) fn ask_for_the_oldest(&self, only: Option<&str>) -> Unattended {
        let again = self.is_waited_for();
        let state = self.lock();
        let mut unattended = Vec::new();
        let least = state.cursors.iter().filter(|(id, _)| only.is_none_or(|only| only == *id));
        let Some(oldest) = least.clone().map(|(_, held)| held.from.segment).min() else {
            return unattended;
        };
        let Some((next, _)) = state.segments.range(oldest + 1..).next() else { return unattended };
        for (id, _) in least.filter(|(_, held)| held.from.segment == oldest) {
            let fate = state.attached.get(id).map_or(Fate::SetAside, Attached::fate);
            ask(&state, id, Skip { to: start_of(*next), fate }, again, &mut unattended);
        }
        unattended
    }

    /// Whether senders wait, so that who was asked and could not is asked again.
    fn is_waited_for(&self) -> bool {
        self.status().borrow().is_waiting()
    }

    /// An output that is over its limit and that senders wait for.
    pub(super) fn blocking_output(&self) -> Option<String> {
        let state = self.lock();
        let blocks = |id: &str, position: Position| {
            let attached =
                state.attached.get(id).filter(|attached| attached.when_backlogged == WhenBacklogged::Block);
            let max_bytes = attached.and_then(|attached| attached.max_bytes);
            max_bytes.is_some_and(|max_bytes| state.bytes_behind(position) > max_bytes)
        };
        state.cursors.iter().find(|(id, held)| blocks(id, held.backlog)).map(|(id, _)| id.clone())
    }

    /// Numbers of the segments from one to before another.
    pub(super) fn segments_between(&self, from: u64, to: u64) -> Vec<u64> {
        self.lock().segments.range(from..to).map(|(number, _)| *number).collect()
    }
}

/// Where the first chunk of a segment lies.
pub(super) fn start_of(segment: u64) -> Position {
    Position::new(segment, SEGMENT_HEADER_LENGTH)
}

fn ask(state: &State, id: &str, skip: Skip, again: bool, unattended: &mut Unattended) {
    match state.attached.get(id) {
        Some(attached) => {
            attached.skips.send_if_modified(|asked| {
                // What was asked before may reach further.
                let is_news = asked.is_none_or(|asked| asked.to < skip.to);
                if is_news {
                    *asked = Some(skip);
                }
                is_news || again
            });
        }
        None if is_hold(id) => {}
        None => unattended.push((id.to_owned(), skip)),
    }
}
