//! A segment in memory, for tests of what is asked of its file.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::storage::{Stat, StorageFile};

/// A file that can only be read. A clone is the same file.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeSegment {
    bytes: Arc<Vec<u8>>,
    read: Arc<AtomicU64>,
    let_go: Arc<AtomicU64>,
    ahead: Arc<Mutex<Vec<Range<u64>>>>,
}

impl FakeSegment {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: Arc::new(bytes), ..Self::default() }
    }

    /// How many bytes were read.
    pub(super) fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Up to where it was let go of.
    pub(super) fn let_go_to(&self) -> u64 {
        self.let_go.load(Ordering::Relaxed)
    }

    /// What was asked for ahead of reading since the last time.
    pub(super) fn take_asked(&self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.ahead.lock().unwrap())
    }
}

impl StorageFile for FakeSegment {
    fn stat(&self) -> io::Result<Stat> {
        unreachable!()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = &self.bytes[offset as usize..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        unreachable!()
    }
    fn append(&self, _: &[u8]) -> io::Result<usize> {
        unreachable!()
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        unreachable!()
    }
    fn allocate(&self, _: u64, _: u64) -> io::Result<()> {
        unreachable!()
    }
    fn sync(&self) -> io::Result<()> {
        unreachable!()
    }
    fn let_go(&self, offset: u64, length: u64) {
        // Without a gap, and nothing twice.
        assert_eq!(self.let_go.swap(offset + length, Ordering::Relaxed), offset);
    }
    fn read_ahead(&self, offset: u64, length: u64) {
        self.ahead.lock().unwrap().push(offset..offset + length);
    }
    fn sync_filesystem(&self) -> io::Result<()> {
        unreachable!()
    }
}
