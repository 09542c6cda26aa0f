//! Which segments and large files there are, who needs them, and how many bytes they take.

use super::{SegmentState, Shared};
use crate::journal::Position;
use crate::journal::format::segment_header::SEGMENT_HEADER_LENGTH;
use crate::journal::large::LargePlace;

impl Shared {
    /// Adds a segment that was just made. Readers that are behind everything go on into it, though nothing is in it yet:
    /// somebody may wait for the space of the one before.
    pub(in crate::journal) fn add_segment(&self, segment: u64, state: SegmentState) {
        self.lock().segments.insert(segment, state);
        self.synced.send_replace(Position::new(segment, state.end));
    }

    /// Forgets a segment and its large files.
    pub(in crate::journal) fn remove_segment(&self, segment: u64) {
        let mut state = self.lock();
        state.segments.remove(&segment);
        state.large.retain(|place, _| place.segment != segment);
    }

    /// Segments that every output has passed, and that are sealed, oldest first. Never the last one: the number of the next and
    /// the journal's id are known from it.
    pub(in crate::journal) fn removable(&self) -> Vec<u64> {
        let state = self.lock();
        let needed = state.cursors.values().map(|held| held.from.segment).min().unwrap_or(u64::MAX);
        let last = state.segments.keys().next_back().copied().unwrap_or_default();
        let needed = needed.min(last);
        let sealed = state.segments.iter().filter(|(number, segment)| segment.sealed && **number < needed);
        sealed.map(|(number, _)| *number).collect()
    }

    /// Whether an output still needs a segment. One that nobody needs may be gone at any time.
    pub(in crate::journal) fn is_needed(&self, segment: u64) -> bool {
        self.lock().cursors.values().any(|held| held.from.segment <= segment)
    }

    pub(in crate::journal) fn segment_count(&self) -> usize {
        self.lock().segments.len()
    }

    /// When the last chunk of a segment was received, in nanoseconds since the Unix epoch.
    pub(in crate::journal) fn last_received_at(&self, segment: u64) -> i64 {
        self.lock().segments.get(&segment).map_or(0, |segment| segment.last_received_at)
    }

    pub(in crate::journal) fn set_spare_bytes(&self, bytes: u64) {
        self.lock().spare_bytes = bytes;
    }

    /// Bytes on disk of some segments, large files included.
    pub(in crate::journal) fn bytes_of(&self, segments: &[u64]) -> u64 {
        let state = self.lock();
        let own = segments.iter().filter_map(|number| state.segments.get(number));
        let large = state.large.iter().filter(|(place, _)| segments.contains(&place.segment));
        own.map(|segment| segment.bytes_on_disk).sum::<u64>() + large.map(|(_, length)| length).sum::<u64>()
    }

    /// Bytes on disk, the spare included.
    pub(in crate::journal) fn bytes_on_disk(&self) -> u64 {
        let state = self.lock();
        let segments: u64 = state.segments.values().map(|segment| segment.bytes_on_disk).sum();
        state.spare_bytes + segments + state.large.values().sum::<u64>()
    }

    /// Bytes of frames, and of the large files that they refer to, between a position and the newest.
    pub(in crate::journal) fn bytes_behind(&self, position: Position) -> u64 {
        self.lock().bytes_behind(position)
    }

    /// Adds the file of a large chunk.
    pub(in crate::journal) fn add_large(&self, place: LargePlace, length: u64) {
        self.lock().large.insert(place, length);
    }

    /// The files of large chunks in a segment, and their lengths.
    pub(in crate::journal) fn large_of(&self, segment: u64) -> Vec<(LargePlace, u64)> {
        let state = self.lock();
        let from = LargePlace { segment, offset: 0 };
        let files = state.large.range(from..).take_while(|(place, _)| place.segment == segment);
        files.map(|(place, length)| (*place, *length)).collect()
    }

    /// Bytes of the file of a large chunk.
    pub(in crate::journal) fn length_of_large(&self, place: LargePlace) -> u64 {
        self.lock().large.get(&place).copied().unwrap_or_default()
    }

    /// Where the oldest kept chunk begins.
    pub(in crate::journal) fn oldest(&self) -> Position {
        let state = self.lock();
        let first = state.segments.keys().next().copied();
        first.map_or(*self.synced.borrow(), |segment| Position::new(segment, SEGMENT_HEADER_LENGTH))
    }

    /// Where the next chunk will begin.
    pub(in crate::journal) fn newest(&self) -> Position {
        *self.synced.borrow()
    }

    /// The end of what is synced in a segment.
    pub(in crate::journal) fn end_of(&self, segment: u64) -> u64 {
        self.lock().segments.get(&segment).map_or(SEGMENT_HEADER_LENGTH, |segment| segment.end)
    }
}
