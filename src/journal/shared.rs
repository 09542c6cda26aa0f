//! What the writer, the readers and the operator's endpoints know together.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::backlog::Attached;
use super::commit_buffer::CommittedFrames;
use super::format::JournalId;
use super::format::segment_header::SEGMENT_HEADER_LENGTH;
use super::large::LargePlace;
use super::recent::{Recent, RecentBlock};
use super::segment_file::SegmentFolder;
use super::set_aside::SetAside;
use super::{Position, SavedCursor};
use crate::metrics::JournalMetrics;

/// State behind one lock. It is held for look-ups and never over a system call.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: SegmentFolder,
    pub(super) journal: JournalId,
    pub(super) metrics: JournalMetrics,
    /// Segments that outputs left behind undelivered.
    pub(super) set_aside: SetAside,
    /// The configured limit of [`bytes_on_disk`](Self::bytes_on_disk).
    pub(super) max_size: u64,
    /// Bytes of recent chunks to keep in memory.
    memory: u64,
    state: Mutex<State>,
    /// Wakes the writer while it waits for space.
    changed: Condvar,
    /// Up to where everything is synced. Readers and acks see nothing behind it.
    synced: watch::Sender<Position>,
    status: watch::Sender<Status>,
    /// Chunks that were taken up, resends included.
    taken: AtomicU64,
}

/// Whether the journal takes chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Accepting,
    /// At its size limit: senders wait until an output has come further.
    Full,
    /// No space on the disk: senders wait until there is.
    DiskFull,
    /// The next segment can't be made for another reason: senders wait until it can.
    Stuck(Arc<str>),
    /// A sync or a write failed: nothing more is taken until a restart.
    Failed(Arc<str>),
}

impl Status {
    /// Whether senders wait for a segment, or are refused by `when_full`.
    pub fn is_waiting(&self) -> bool {
        matches!(self, Self::Full | Self::DiskFull | Self::Stuck(_))
    }

    /// Why nothing is taken, for operators; `None` while all is well.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Accepting => None,
            Self::Full => Some(
                "the journal is full and senders wait: an output is behind; see hikyaku_journal_bytes and \
                 fluentd_output_status_buffer_total_bytes"
                    .to_owned(),
            ),
            Self::DiskFull => {
                Some("the disk of the journal is full and senders wait: free some space".to_owned())
            }
            Self::Stuck(reason) => Some(format!(
                "the journal can't make its next segment and senders wait: {reason}. It tries again by itself"
            )),
            Self::Failed(reason) => Some(format!("the journal has failed and needs a restart: {reason}")),
        }
    }
}

/// How much may lie on the disk and in memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_size: u64,
    pub(super) memory: u64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) segments: BTreeMap<u64, SegmentState>,
    /// Files of large chunks, and their lengths.
    large: BTreeMap<LargePlace, u64>,
    spare_bytes: u64,
    recent: Recent,
    /// How far each output has come, durably.
    pub(super) cursors: BTreeMap<String, Held>,
    /// Outputs that run, and how far each may be behind.
    pub(super) attached: BTreeMap<String, Attached>,
    /// Places that were found damaged, so that each is reported once.
    damaged: HashSet<Position>,
    /// Segments that vanished while the journal is open, so that each is told once.
    vanished: HashSet<u64>,
    /// What readers can't read now, by their number.
    unreadable: BTreeMap<u64, String>,
    stopping: bool,
}

/// What an output holds of the journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// From where on the journal must be kept for it.
    pub(super) from: Position,
    /// From where on it has delivered nothing yet: behind `from` while it delivers something again.
    pub(super) backlog: Position,
}

impl Held {
    /// By an output that goes on here.
    pub(super) fn by(cursor: &SavedCursor) -> Self {
        Self { from: cursor.position, backlog: cursor.resumed().position }
    }
}

/// What readers need to know of a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentState {
    /// The end of its synced chunks.
    pub(super) end: u64,
    /// Whether it will stay like that.
    pub(super) sealed: bool,
    pub(super) bytes_on_disk: u64,
    /// When its last chunk was received, in nanoseconds since the Unix epoch; 0 where it has none.
    pub(super) last_received_at: i64,
}

/// Where a reader finds the frame at its position.
#[derive(Debug)]
pub(super) enum Place {
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
    pub(super) fn new(
        folder: SegmentFolder,
        journal: JournalId,
        limits: Limits,
        metrics: JournalMetrics,
        set_aside: SetAside,
        segments: BTreeMap<u64, SegmentState>,
    ) -> Self {
        let end = segments
            .iter()
            .next_back()
            .map_or(Position::new(1, SEGMENT_HEADER_LENGTH), |(segment, state)| {
                Position::new(*segment, state.end)
            });
        Self {
            folder,
            journal,
            metrics,
            set_aside,
            max_size: limits.max_size,
            memory: limits.memory,
            state: Mutex::new(State { segments, ..State::default() }),
            changed: Condvar::new(),
            synced: watch::Sender::new(end),
            status: watch::Sender::new(Status::Accepting),
            taken: AtomicU64::new(0),
        }
    }

    /// Up to where everything is synced.
    pub(super) fn synced(&self) -> watch::Receiver<Position> {
        self.synced.subscribe()
    }

    /// How many chunks were taken up, resends included.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    pub(super) fn set_taken(&self, taken: u64) {
        self.taken.store(taken, Ordering::Release);
    }

    pub(super) fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(super) fn set_status(&self, status: Status) {
        self.metrics.accepting.set(i64::from(status == Status::Accepting));
        self.status.send_if_modified(|current| {
            let changed = *current != status;
            *current = status;
            changed
        });
    }

    /// Makes what was just synced visible. Gives back memory in which nothing is any more that a reader could want, and
    /// how many bytes of memory there may be beside what is kept for readers.
    pub(super) fn publish(
        &self,
        start: Position,
        frames: CommittedFrames,
        segment: SegmentState,
    ) -> (Vec<Vec<u8>>, usize) {
        let mut state = self.lock();
        state.segments.insert(start.segment, segment);
        let unused = state.recent.push(start, frames, self.memory);
        let room = self.memory.saturating_sub(state.recent.size());
        drop(state);
        self.synced.send_replace(Position::new(start.segment, segment.end));
        (unused, usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// Takes a reader into account; it is known by this number until it is removed.
    pub(super) fn add_reader(&self, position: Position) -> u64 {
        self.lock().recent.add_reader(position)
    }

    pub(super) fn remove_reader(&self, reader: u64) {
        let mut state = self.lock();
        state.recent.remove_reader(reader);
        state.unreadable.remove(&reader);
    }

    /// Notes what a reader can't read now; `None` where it can.
    pub(super) fn note_unreadable(&self, reader: u64, reason: Option<String>) {
        let mut state = self.lock();
        match reason {
            Some(reason) => state.unreadable.insert(reader, reason),
            None => state.unreadable.remove(&reader),
        };
    }

    /// What can't be read now, for operators.
    pub(super) fn unreadable(&self) -> Option<String> {
        self.lock().unreadable.values().next().cloned()
    }

    /// Adds a segment that was just made. Readers that are behind everything go on into it, though nothing is in it yet:
    /// somebody may wait for the space of the one before.
    pub(super) fn add_segment(&self, segment: u64, state: SegmentState) {
        self.lock().segments.insert(segment, state);
        self.synced.send_replace(Position::new(segment, state.end));
    }

    pub(super) fn set_spare_bytes(&self, bytes: u64) {
        self.lock().spare_bytes = bytes;
    }

    /// Forgets a segment and its large files.
    pub(super) fn remove_segment(&self, segment: u64) {
        let mut state = self.lock();
        state.segments.remove(&segment);
        state.large.retain(|place, _| place.segment != segment);
    }

    /// Adds the file of a large chunk.
    pub(super) fn add_large(&self, place: LargePlace, length: u64) {
        self.lock().large.insert(place, length);
    }

    /// The files of large chunks in a segment, and their lengths.
    pub(super) fn large_of(&self, segment: u64) -> Vec<(LargePlace, u64)> {
        let state = self.lock();
        let from = LargePlace { segment, offset: 0 };
        let files = state.large.range(from..).take_while(|(place, _)| place.segment == segment);
        files.map(|(place, length)| (*place, *length)).collect()
    }

    /// Segments that every output has passed, and that are sealed, oldest first. Never the last one: the number of the next and
    /// the journal's id are known from it.
    pub(super) fn removable(&self) -> Vec<u64> {
        let state = self.lock();
        let needed = state.cursors.values().map(|held| held.from.segment).min().unwrap_or(u64::MAX);
        let last = state.segments.keys().next_back().copied().unwrap_or_default();
        let needed = needed.min(last);
        let sealed = state.segments.iter().filter(|(number, segment)| segment.sealed && **number < needed);
        sealed.map(|(number, _)| *number).collect()
    }

    /// When the last chunk of a segment was received, in nanoseconds since the Unix epoch.
    pub(super) fn last_received_at(&self, segment: u64) -> i64 {
        self.lock().segments.get(&segment).map_or(0, |segment| segment.last_received_at)
    }

    /// Bytes on disk of some segments, large files included.
    pub(super) fn bytes_of(&self, segments: &[u64]) -> u64 {
        let state = self.lock();
        let own = segments.iter().filter_map(|number| state.segments.get(number));
        let large = state.large.iter().filter(|(place, _)| segments.contains(&place.segment));
        own.map(|segment| segment.bytes_on_disk).sum::<u64>() + large.map(|(_, length)| length).sum::<u64>()
    }

    /// Bytes on disk, the spare included.
    pub(super) fn bytes_on_disk(&self) -> u64 {
        let state = self.lock();
        let segments: u64 = state.segments.values().map(|segment| segment.bytes_on_disk).sum();
        state.spare_bytes + segments + state.large.values().sum::<u64>()
    }

    pub(super) fn segment_count(&self) -> usize {
        self.lock().segments.len()
    }

    pub(super) fn set_cursor(&self, id: &str, held: Held) {
        self.lock().cursors.insert(id.to_owned(), held);
        self.changed.notify_all();
    }

    /// Forgets an output that is no more.
    pub(super) fn forget(&self, id: &str) {
        let mut state = self.lock();
        state.cursors.remove(id);
        state.attached.remove(id);
        drop(state);
        self.changed.notify_all();
    }

    /// Where the oldest kept chunk begins.
    pub(super) fn oldest(&self) -> Position {
        let state = self.lock();
        let first = state.segments.keys().next().copied();
        first.map_or(*self.synced.borrow(), |segment| Position::new(segment, SEGMENT_HEADER_LENGTH))
    }

    /// Where the next chunk will begin.
    pub(super) fn newest(&self) -> Position {
        *self.synced.borrow()
    }

    /// The end of what is synced in a segment.
    pub(super) fn end_of(&self, segment: u64) -> u64 {
        self.lock().segments.get(&segment).map_or(SEGMENT_HEADER_LENGTH, |segment| segment.end)
    }

    /// Bytes of frames, and of the large files that they refer to, between a position and the newest.
    pub(super) fn bytes_behind(&self, position: Position) -> u64 {
        self.lock().bytes_behind(position)
    }

    /// Where the frame at a position is, which is where a reader is now.
    pub(super) fn locate(&self, reader: u64, position: Position) -> Place {
        let mut state = self.lock();
        state.recent.note_reader(reader, position);
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

    /// Whether damage at this place was not reported yet.
    pub(super) fn is_new_damage(&self, position: Position) -> bool {
        self.lock().damaged.insert(position)
    }

    /// Whether it was not told yet that a segment vanished.
    pub(super) fn is_newly_vanished(&self, segment: u64) -> bool {
        self.lock().vanished.insert(segment)
    }

    /// Whether an output still needs a segment. One that nobody needs may be gone at any time.
    pub(super) fn is_needed(&self, segment: u64) -> bool {
        self.lock().cursors.values().any(|held| held.from.segment <= segment)
    }

    /// Whether a place was found damaged.
    pub(super) fn is_known_damage(&self, position: Position) -> bool {
        self.lock().damaged.contains(&Position { entry: 0, ..position })
    }

    /// Bytes of the file of a large chunk.
    pub(super) fn length_of_large(&self, place: LargePlace) -> u64 {
        self.lock().large.get(&place).copied().unwrap_or_default()
    }

    /// Waits until a cursor moved, the server stops, or the time is over.
    pub(super) fn wait_for_space(&self, longest: Duration) {
        let state = self.lock();
        if !state.stopping {
            drop(self.changed.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner));
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    /// A panic elsewhere leaves this state whole: every change is one call on a map.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// As [`Shared::bytes_behind`].
    pub(super) fn bytes_behind(&self, position: Position) -> u64 {
        let from = LargePlace { segment: position.segment, offset: position.offset };
        let large: u64 = self.large.range(from..).map(|(_, length)| length).sum();
        let frames: u64 = self
            .segments
            .range(position.segment..)
            .map(|(number, segment)| {
                let start = if *number == position.segment { position.offset } else { SEGMENT_HEADER_LENGTH };
                segment.end.saturating_sub(start)
            })
            .sum();
        frames + large
    }
}

fn go_on(state: &State, position: Position) -> Place {
    match state.segments.range(position.segment + 1..).next() {
        Some((segment, _)) => Place::GoOn(Position::new(*segment, SEGMENT_HEADER_LENGTH)),
        None => Place::CaughtUp,
    }
}
