//! What the writer, the readers and the operator's endpoints know together.

mod pacing;
mod reading;
mod segments;
mod state;
mod status;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

pub(in crate::journal) use reading::Place;
pub(in crate::journal) use state::{Held, SegmentState, State};
pub use status::Status;

use super::Position;
use super::commit_buffer::CommittedFrames;
use super::format::JournalId;
use super::format::segment_header::SEGMENT_HEADER_LENGTH;
use super::segment_file::SegmentFolder;
use super::set_aside::SetAside;
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
    /// Wakes the writer while it waits for space, or for readers.
    changed: Condvar,
    /// Up to where everything is synced. Readers and acks see nothing behind it.
    synced: watch::Sender<Position>,
    status: watch::Sender<Status>,
    /// Chunks that were taken up, resends included.
    taken: AtomicU64,
}

/// How much may lie on the disk and in memory, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_size: u64,
    pub(super) memory: u64,
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
        let size = state.recent.size();
        drop(state);
        self.metrics.memory_bytes.set(size as i64);
        let room = self.memory.saturating_sub(size);
        self.synced.send_replace(Position::new(start.segment, segment.end));
        (unused, usize::try_from(room).unwrap_or(usize::MAX))
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
