//! Lines in memory, by file, until they are flushed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::storage::align;

/// What a file costs in memory beside its path and its lines, in bytes: the entries in the tables here, of known files and of
/// slots, and what the allocator keeps between lines that grow, all rounded up. It counts, so that a million files with one
/// line each stay within `buffer_memory`.
const OVERHEAD: usize = 1536;

/// Bytes of lines in a file, on average, from which it is worth writing them: a call for each file costs little then,
/// gzip gains no more from more of them, and what is in the processor's caches need not come from memory again.
const WORTH_WRITING: usize = 320 * 1024;

/// Bytes of lines, over all files, from which it is worth writing plain text. With pieces of less, which are used again sooner, all
/// of the work took longer: lines waited for their memory, perhaps as the disk had just read it from the processor's caches.
const WORTH_WRITING_PLAIN: usize = 2 * 1024 * 1024;

/// Memory of lines that were written which is kept for the next ones, in bytes, over all files. It comes on top of
/// `buffer_memory`. Only that of files with at least [`STEP`] is: small pieces here and there would have the allocator keep
/// what lies between them as well.
const KEPT_CAPACITY: usize = 20 * 1024 * 1024;

/// From this size on, in bytes, the memory of a file's lines grows by as much, rather than to the double: what is in it
/// when it is written is not much more than what was worth writing, and fits into what is kept.
const STEP: usize = 64 * 1024;

/// Room for a line of the usual kind, in bytes.
const ROOM: usize = 8 * 1024;

/// A file's place among the buffers, good until the next flush that succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotId {
    index: usize,
    /// Counts the flushes that succeeded.
    epoch: u64,
}

/// The lines of one file that are not in it yet.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) path: Arc<Path>,
    memory: Vec<u8>,
    /// Where the lines begin: so that blocks of the file lie in whole blocks of memory.
    start: usize,
}

/// The end of a file of plain text.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// Bytes of the file.
    pub(super) length: u64,
    /// Those of its blocks.
    pub(super) block: usize,
}

impl Buffer {
    pub(super) fn lines(&self) -> &[u8] {
        &self.memory[self.start..]
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    buffers: Vec<Buffer>,
    by_path: HashMap<Arc<Path>, usize>,
    epoch: u64,
    /// Memory in use.
    bytes: usize,
    /// Bytes of lines.
    filled: usize,
    /// Whether there are files of plain text.
    has_plain: bool,
    /// Bytes of a line, going by the last ones, up to [`ROOM`].
    usual: usize,
    /// Empty, to be used again.
    spare: Vec<Vec<u8>>,
    spare_bytes: usize,
}

impl Buffers {
    /// With the end of its file, where that is plain text.
    pub(super) fn slot(&mut self, path: &Path, end: impl FnOnce() -> Option<End>) -> SlotId {
        let index = match self.by_path.get(path) {
            Some(index) => *index,
            None => {
                let path: Arc<Path> = path.into();
                self.bytes += OVERHEAD + path.as_os_str().len();
                self.by_path.insert(Arc::clone(&path), self.buffers.len());
                let mut memory = self.spare.pop().unwrap_or_default();
                self.spare_bytes -= memory.capacity();
                let mut start = 0;
                if let Some(end) = end() {
                    self.has_plain = true;
                    if memory.capacity() >= STEP {
                        start = align(&mut memory, 0, end.length, end.block);
                    }
                }
                self.bytes += memory.capacity();
                self.buffers.push(Buffer { path, memory, start });
                self.buffers.len() - 1
            }
        };
        SlotId { index, epoch: self.epoch }
    }

    pub(super) fn append<R>(&mut self, slot: SlotId, write: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        if slot.epoch != self.epoch {
            return None;
        }
        let lines = &mut self.buffers.get_mut(slot.index)?.memory;
        let (capacity, length) = (lines.capacity(), lines.len());
        let room = capacity - length;
        if capacity >= STEP && room < ROOM {
            lines.reserve_exact(STEP);
        } else if room < self.usual {
            // With very many files there are a few lines for each: memory that doubles would be a third empty.
            lines.reserve_exact(room + (2 * self.usual).max(capacity / 4));
        }
        let result = write(lines);
        self.bytes = self.bytes + lines.capacity() - capacity;
        let written = lines.len() - length;
        self.usual = written.max(self.usual - self.usual / 8).min(ROOM);
        self.filled += written;
        Some(result)
    }

    /// Memory that is in use, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Memory that is kept for lines to come, in bytes.
    pub(super) fn spare_bytes(&self) -> usize {
        self.spare_bytes
    }

    /// Whether writing all of it now is as good as later.
    pub(super) fn are_worth_writing(&self) -> bool {
        let least = if self.has_plain { WORTH_WRITING_PLAIN } else { WORTH_WRITING };
        self.filled >= least.max(WORTH_WRITING * self.buffers.len())
    }

    /// Those that hold lines, by index.
    pub(super) fn pending(&self) -> Vec<usize> {
        (0..self.buffers.len()).filter(|index| !self.buffers[*index].lines().is_empty()).collect()
    }

    pub(super) fn get(&self, index: usize) -> &Buffer {
        &self.buffers[index]
    }

    /// Forgets lines that are in their file.
    pub(super) fn empty(&mut self, index: usize) {
        let (memory, _) = self.take(index);
        self.reuse(memory);
    }

    /// Takes the lines of a file, and tells where they begin in memory.
    pub(super) fn take(&mut self, index: usize) -> (Vec<u8>, usize) {
        let buffer = &mut self.buffers[index];
        let (memory, start) = (std::mem::take(&mut buffer.memory), std::mem::take(&mut buffer.start));
        self.bytes -= memory.capacity();
        self.filled -= memory.len() - start;
        (memory, start)
    }

    /// Keeps memory for the next lines.
    pub(super) fn reuse(&mut self, mut memory: Vec<u8>) {
        if memory.capacity() >= STEP && self.spare_bytes + memory.capacity() <= KEPT_CAPACITY {
            memory.clear();
            self.spare_bytes += memory.capacity();
            self.spare.push(memory);
        }
    }

    /// Forgets the lines of a file.
    pub(super) fn forget_lines(&mut self, path: &Path) {
        if let Some(index) = self.by_path.get(path).copied() {
            self.empty(index);
        }
    }

    /// Forgets all files; every slot is void.
    pub(super) fn clear(&mut self) {
        let (spare, spare_bytes) = (std::mem::take(&mut self.spare), self.spare_bytes);
        *self = Self { epoch: self.epoch + 1, usual: self.usual, spare, spare_bytes, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_from_before_a_flush_is_void_and_takes_nothing() {
        let mut buffers = Buffers::default();
        let old = buffers.slot(Path::new("a"), || None);
        assert_eq!(buffers.slot(Path::new("a"), || None), old);
        assert!(buffers.append(old, |lines| lines.extend_from_slice(b"1\n")).is_some());
        buffers.clear();
        let new = buffers.slot(Path::new("b"), || None);
        assert!(buffers.append(old, |lines| lines.extend_from_slice(b"2\n")).is_none());
        assert_eq!(buffers.get(new.index).lines(), b"");
    }

    #[test]
    fn memory_counts_files_and_what_is_set_aside_for_lines() {
        let mut buffers = Buffers::default();
        let slot = buffers.slot(Path::new("four"), || None);
        assert_eq!(buffers.bytes(), OVERHEAD + 4);
        buffers.append(slot, |lines| lines.reserve_exact(1000));
        assert_eq!(buffers.bytes(), OVERHEAD + 1004);
        assert!(buffers.pending().is_empty());
        buffers.append(slot, |lines| lines.push(b'\n'));
        assert_eq!(buffers.pending(), [0]);
        buffers.empty(0);
        assert_eq!(buffers.bytes(), OVERHEAD + 4);
        buffers.append(slot, |lines| lines.push(b'\n'));
        buffers.clear();
        assert_eq!(buffers.bytes(), 0);
    }

    #[test]
    fn memory_of_written_lines_is_used_again_within_a_limit() {
        let mut buffers = Buffers::default();
        let slot = buffers.slot(Path::new("a"), || None);
        buffers.append(slot, |lines| lines.resize(KEPT_CAPACITY, 0));
        buffers.empty(slot.index);
        let other = buffers.slot(Path::new("b"), || None);
        assert_eq!(buffers.append(other, |lines| (lines.len(), lines.capacity())), Some((0, KEPT_CAPACITY)));
        assert_eq!(buffers.bytes(), 2 * (OVERHEAD + 1) + KEPT_CAPACITY);
        buffers.append(other, |lines| lines.resize(KEPT_CAPACITY + 1, 0));
        buffers.empty(other.index);
        buffers.clear();
        let next = buffers.slot(Path::new("c"), || None);
        assert!(buffers.append(next, |lines| lines.capacity()).is_some_and(|kept| kept <= 2 * ROOM));
    }

    #[test]
    fn memory_of_lines_grows_by_steps_once_it_is_large() {
        let mut buffers = Buffers::default();
        let slot = buffers.slot(Path::new("a"), || None);
        let overhead = buffers.bytes();
        for filled in (1..=WORTH_WRITING / 1024).map(|kibibytes| kibibytes * 1024) {
            buffers.append(slot, |lines| lines.extend_from_slice(&[b'x'; 1024]));
            assert!(buffers.bytes() - overhead <= filled.max(STEP) + STEP, "{filled}");
        }
    }

    #[test]
    fn memory_of_a_few_lines_is_used_well() {
        for length in [10, 300, 700, 1000] {
            let mut buffers = Buffers::default();
            let slot = buffers.slot(Path::new("a"), || None);
            let overhead = buffers.bytes();
            for filled in (1..60).map(|lines| lines * length) {
                buffers.append(slot, |lines| lines.resize(lines.len() + length, b'x'));
                assert!(buffers.bytes() - overhead <= filled + 3 * length + filled / 4, "{length} {filled}");
            }
        }
    }

    #[test]
    fn plain_text_is_worth_writing_when_there_is_enough_for_a_large_piece_however_few_its_files_are() {
        let mut buffers = Buffers::default();
        let slot = buffers.slot(Path::new("a"), || Some(End { length: 0, block: 4096 }));
        buffers.append(slot, |lines| lines.resize(WORTH_WRITING_PLAIN - 1, 0));
        assert!(!buffers.are_worth_writing());
        buffers.append(slot, |lines| lines.push(0));
        assert!(buffers.are_worth_writing());
    }

    #[test]
    fn memory_that_is_used_again_has_the_blocks_of_the_file_in_its_own() {
        let mut buffers = Buffers::default();
        buffers.reuse(Vec::with_capacity(STEP + 4096));
        let slot = buffers.slot(Path::new("a"), || Some(End { length: 4096 + 10, block: 4096 }));
        buffers.append(slot, |lines| lines.resize(lines.len() + 5000, b'x'));
        assert_eq!(buffers.get(slot.index).lines(), [b'x'; 5000]);
        let (memory, start) = buffers.take(slot.index);
        assert_eq!((memory[start..].as_ptr() as usize) % 4096, 10);
        assert!(buffers.get(slot.index).lines().is_empty());
    }

    #[test]
    fn lines_are_worth_writing_when_their_files_get_enough_of_them_on_average() {
        let mut buffers = Buffers::default();
        assert!(!buffers.are_worth_writing());
        let slots = ["a", "b"].map(|path| buffers.slot(Path::new(path), || None));
        buffers.append(slots[0], |lines| lines.resize(2 * WORTH_WRITING - 1, 0));
        assert!(!buffers.are_worth_writing());
        buffers.append(slots[1], |lines| lines.push(0));
        assert!(buffers.are_worth_writing());
        buffers.empty(slots[0].index);
        assert!(!buffers.are_worth_writing());
    }
}
