//! Reading a segment a block at a time.

use std::io;

use bytes::{Bytes, BytesMut};

use super::fetcher::{Fetched, Fetcher};
use super::read_ahead::ReadAhead;
use crate::storage::{StorageFile, insist, is_for_damage, read_full_at};

/// Memory is taken in multiples of so many bytes, so that a block that is a little longer finds room in it.
const MEMORY_STEP: u64 = 256 * 1024;

/// What a disk reads or does not.
const PAGE: usize = 4096;

/// Who reads what a reader reads from the disk, beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// Somebody soon after it: what it reads stays in the page cache.
    Behind,
    /// Somebody soon before it, so that what it reads is in the page cache, which needs it no more.
    Ahead,
    /// Nobody: the page cache is of no use.
    Nobody,
}

/// Holds a block of a file, and reads another where that is not the one.
#[derive(Debug)]
pub(super) struct BlockReader {
    file: Box<dyn StorageFile>,
    block: Bytes,
    start: u64,
    /// All of the memory that the block lies in.
    memory: Bytes,
    ahead: ReadAhead,
    /// Of whoever reads from one end to the other.
    fetcher: Option<Fetcher>,
    others: Others,
    /// Up to where the system was told that it need not keep in memory what was read.
    let_go: u64,
    /// Whether what the disk can't read is zeros.
    passes_over_damage: bool,
    /// The end of the last bytes that were taken for zeros.
    unreadable_end: u64,
}

impl BlockReader {
    pub(super) fn new(file: Box<dyn StorageFile>) -> Self {
        Self {
            file,
            block: Bytes::new(),
            start: 0,
            memory: Bytes::new(),
            ahead: ReadAhead::default(),
            fetcher: None,
            others: Others::Ahead,
            let_go: u64::MAX,
            passes_over_damage: false,
            unreadable_end: 0,
        }
    }

    /// Has what lies ahead read by somebody else while nobody reads beside this one.
    pub(super) fn fetching(self, fetcher: Fetcher) -> Self {
        Self { fetcher: Some(fetcher), ..self }
    }

    /// Goes on where the disk can't read as if there were zeros.
    pub(super) fn passing_over_damage(self) -> Self {
        Self { block: Bytes::new(), fetcher: None, passes_over_damage: true, ..self }
    }

    /// Says who reads the disk beside it now.
    pub(super) fn reads_beside(&mut self, others: Others) {
        self.others = others;
    }

    /// Up to where there was something that the disk can't read; 0 where there was nothing.
    pub(super) fn unreadable_end(&self) -> u64 {
        self.unreadable_end
    }

    /// What it holds.
    pub(super) fn block(&self) -> &Bytes {
        &self.block
    }

    /// Where that begins in the file.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    fn end(&self) -> u64 {
        self.start + self.block.len() as u64
    }

    /// Sees to it that the block holds `length` bytes from `at`, before `end`, where the file has them; false where it ends before.
    /// What has to be read for that is up to `wanted` bytes, if that is more.
    pub(super) fn fill(&mut self, at: u64, length: u64, wanted: u64, end: u64) -> io::Result<bool> {
        let is_in_block = at >= self.start && at + length <= self.end();
        let wanted = length.max(wanted.min(end - at));
        if !is_in_block && !self.fetch(at, length, wanted) {
            self.ahead.before_reading(self.file.as_ref(), at, at + wanted, end);
            // Its memory is at hand again where nobody holds a frame of it any more.
            self.block = Bytes::new();
            let memory = std::mem::take(&mut self.memory).try_into_mut().unwrap_or_default();
            self.memory = match self.read(memory, at, wanted) {
                // What lies ahead is no matter of this frame.
                Err(error) if is_for_damage(&error) && length < wanted => {
                    self.read(BytesMut::new(), at, length)?
                }
                read => read?,
            };
            self.block = self.memory.clone();
            self.start = at;
            self.let_go_before(at);
        }
        Ok(at + length <= self.end())
    }

    /// Has up to `wanted` bytes from `at` read meanwhile, where the block does not hold the first `length` of them.
    pub(super) fn begin(&mut self, at: u64, length: u64, wanted: u64, end: u64) {
        if at + length > self.end()
            && at < end
            && let Some(fetcher) = self.fetcher.as_mut().filter(|_| self.others == Others::Nobody)
        {
            fetcher.begin(at..at + wanted.min(end - at));
        }
    }

    /// The bytes of a range, whatever they are; shorter where the file ends.
    pub(super) fn bytes(&mut self, from: u64, to: u64) -> io::Result<Bytes> {
        self.read(BytesMut::new(), from, to.saturating_sub(from))
    }

    /// Fills the block past the page cache. False where that is of no use, and where it failed: the other way says why.
    fn fetch(&mut self, at: u64, length: u64, wanted: u64) -> bool {
        let Some(fetcher) = self.fetcher.as_mut().filter(|_| self.others == Others::Nobody) else {
            return false;
        };
        self.block = Bytes::new();
        let memory = std::mem::take(&mut self.memory);
        let Ok(fetched) = fetcher.fetch(at..at + length, at..at + wanted, memory) else { return false };
        let Fetched { start, bytes, memory } = fetched;
        (self.start, self.block, self.memory) = (start, bytes, memory);
        self.let_go = u64::MAX;
        true
    }

    /// Lets the system use the pages for something else that were read on the way to `at`. The next ones would each have
    /// to be found anew else, which costs more than reading them.
    fn let_go_before(&mut self, at: u64) {
        let page = at - at % PAGE as u64;
        if self.let_go == u64::MAX {
            self.let_go = page;
        }
        if self.others != Others::Behind && self.let_go < page {
            self.file.let_go(self.let_go, page - self.let_go);
            self.let_go = page;
        }
    }

    fn read(&mut self, mut block: BytesMut, at: u64, length: u64) -> io::Result<Bytes> {
        if block.capacity() < length as usize {
            // So that the next block has room as well, if it is a little longer.
            block = BytesMut::with_capacity(length.next_multiple_of(MEMORY_STEP) as usize);
        }
        block.resize(length as usize, 0);
        let filled = match read_full_at(self.file.as_ref(), &mut block, at) {
            Err(error) if self.passes_over_damage && is_for_damage(&error) => {
                self.read_what_reads(&mut block, at)?
            }
            read => read?,
        };
        block.truncate(filled);
        Ok(block.freeze())
    }

    /// Fills a block page by page, with zeros where the disk can't read one; gives how much of it is in the file.
    fn read_what_reads(&mut self, block: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = insist(|| self.file.stat())?.length.saturating_sub(at);
        let within = usize::try_from(rest).unwrap_or(usize::MAX).min(block.len());
        let mut from = 0;
        while from < within {
            // To the end of the page in the file.
            let to = (from + PAGE - (at as usize + from) % PAGE).min(within);
            // Once: whoever passes over damage has tried before, and a dead disk takes seconds for each.
            match read_full_at(self.file.as_ref(), &mut block[from..to], at + from as u64) {
                Err(error) if is_for_damage(&error) => {
                    block[from..to].fill(0);
                    self.unreadable_end = self.unreadable_end.max(at + to as u64);
                }
                read => drop(read?),
            }
            from = to;
        }
        Ok(within)
    }
}
