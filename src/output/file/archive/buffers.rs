//! Lines in memory, by file, until they are flushed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// What a file costs in memory beside its path and its lines, in bytes: the entries in the tables, rounded up. It
/// counts, so that a million files with one line each stay within `buffer_memory`.
const OVERHEAD: usize = 256;

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
    pub(super) lines: Vec<u8>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    buffers: Vec<Buffer>,
    by_path: HashMap<Arc<Path>, usize>,
    epoch: u64,
    bytes: usize,
}

impl Buffers {
    pub(super) fn slot(&mut self, path: &Path) -> SlotId {
        let index = match self.by_path.get(path) {
            Some(index) => *index,
            None => {
                let path: Arc<Path> = path.into();
                self.bytes += OVERHEAD + path.as_os_str().len();
                self.by_path.insert(Arc::clone(&path), self.buffers.len());
                self.buffers.push(Buffer { path, lines: Vec::new() });
                self.buffers.len() - 1
            }
        };
        SlotId { index, epoch: self.epoch }
    }

    pub(super) fn append<R>(&mut self, slot: SlotId, write: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        if slot.epoch != self.epoch {
            return None;
        }
        let lines = &mut self.buffers.get_mut(slot.index)?.lines;
        let before = lines.capacity();
        let result = write(lines);
        self.bytes = self.bytes + lines.capacity() - before;
        Some(result)
    }

    /// Memory that is in use, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Those that hold lines, by index.
    pub(super) fn pending(&self) -> Vec<usize> {
        (0..self.buffers.len()).filter(|index| !self.buffers[*index].lines.is_empty()).collect()
    }

    pub(super) fn get(&self, index: usize) -> &Buffer {
        &self.buffers[index]
    }

    /// Forgets lines that are in their file.
    pub(super) fn empty(&mut self, index: usize) {
        let lines = std::mem::take(&mut self.buffers[index].lines);
        self.bytes -= lines.capacity();
    }

    /// Forgets all files; every slot is void.
    pub(super) fn clear(&mut self) {
        *self = Self { epoch: self.epoch + 1, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_from_before_a_flush_is_void_and_takes_nothing() {
        let mut buffers = Buffers::default();
        let old = buffers.slot(Path::new("a"));
        assert_eq!(buffers.slot(Path::new("a")), old);
        assert!(buffers.append(old, |lines| lines.extend_from_slice(b"1\n")).is_some());
        buffers.clear();
        let new = buffers.slot(Path::new("b"));
        assert!(buffers.append(old, |lines| lines.extend_from_slice(b"2\n")).is_none());
        assert_eq!(buffers.get(new.index).lines, b"");
    }

    #[test]
    fn memory_counts_files_and_what_is_set_aside_for_lines() {
        let mut buffers = Buffers::default();
        let slot = buffers.slot(Path::new("four"));
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
}
