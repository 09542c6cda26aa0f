//! Reading past the page cache, each block of a file while the one before is worked on.
//!
//! ```text
//! file     ──────┬───────────┬───────────────────────────┬───────┬────
//!                │ not asked │ what was asked for        │  not  │
//!          ──────┴───────────┴───────────────────────────┴───────┴────
//!                ▲ at multiples of BLOCK, in the file and in memory ▲
//! ```
//!
//! The pages of what is synced are let go of, so whoever has fallen behind has it from the disk. Through the page cache each page would
//! be found, filled, copied and given back, which took a tenth of an output's whole time: here it comes into memory that is
//! used again and again. One block ahead is enough for the disk to be busy, and little enough for commits not to wait for it.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use bytes::{Bytes, BytesMut};

use super::commit_buffer::BLOCK;
use crate::storage::{StorageFile, read_full_blocks_at};

/// Memory is taken in multiples of so many bytes, so that a block that is a little longer finds room in it.
const MEMORY_STEP: usize = 256 * 1024;

/// Of one file.
#[derive(Debug)]
pub(super) struct Fetcher {
    file: Arc<dyn StorageFile>,
    worker: Worker,
    /// What is read meanwhile.
    under_way: Option<Range<u64>>,
    /// For what is read next.
    spare: BytesMut,
}

/// A part of the file.
#[derive(Debug)]
pub(super) struct Fetched {
    /// Where it begins in the file.
    pub(super) start: u64,
    /// What was asked for, and less where the file ends.
    pub(super) bytes: Bytes,
    /// All of the memory that it lies in, to be given back.
    pub(super) memory: Bytes,
}

#[derive(Debug)]
enum Worker {
    /// Nothing is read before it is asked for.
    None,
    NotStarted,
    Thread {
        requests: Sender<Request>,
        answers: Receiver<io::Result<Fetched>>,
    },
}

#[derive(Debug)]
struct Request {
    range: Range<u64>,
    memory: BytesMut,
}

impl Fetcher {
    /// Of a file that nobody else uses: others open it for themselves. What lies ahead is read by a thread of its own, or, where
    /// there is to be none, when it is needed.
    pub(super) fn new(file: Box<dyn StorageFile>, on_a_thread: bool) -> Self {
        let worker = if on_a_thread { Worker::NotStarted } else { Worker::None };
        Self { file: file.into(), worker, under_way: None, spare: BytesMut::new() }
    }

    /// A part of the file that holds all of `needed`: the one that was begun, or else the range `wanted`, which begins with it.
    /// `memory` is that of a part that is done with.
    pub(super) fn fetch(
        &mut self,
        needed: Range<u64>,
        wanted: Range<u64>,
        memory: Bytes,
    ) -> io::Result<Fetched> {
        self.take_back(memory);
        if let Some(fetched) = self.take_begun() {
            let range = fetched.start..fetched.start + fetched.bytes.len() as u64;
            if range.start <= needed.start && needed.end <= range.end {
                return Ok(fetched);
            }
            self.take_back(fetched.memory);
        }
        read(self.file.as_ref(), Request { range: wanted, memory: std::mem::take(&mut self.spare) })
    }

    /// Has a range read meanwhile, unless another one is.
    pub(super) fn begin(&mut self, range: Range<u64>) {
        if matches!(self.worker, Worker::NotStarted) {
            self.worker = start(Arc::clone(&self.file));
        }
        let Worker::Thread { requests, .. } = &self.worker else { return };
        if self.under_way.is_none() {
            let request = Request { range: range.clone(), memory: std::mem::take(&mut self.spare) };
            // A thread that has ended is noticed when its answer is missing.
            drop(requests.send(request));
            self.under_way = Some(range);
        }
    }

    /// What was read meanwhile. What could not be is read again when it is needed, and then says why.
    fn take_begun(&mut self) -> Option<Fetched> {
        self.under_way.take()?;
        let Worker::Thread { answers, .. } = &self.worker else { return None };
        match answers.recv() {
            Ok(fetched) => fetched.ok(),
            Err(_) => {
                self.worker = Worker::None;
                None
            }
        }
    }

    /// Keeps memory that nobody holds any more.
    fn take_back(&mut self, memory: Bytes) {
        if let Ok(memory) = memory.try_into_mut()
            && memory.capacity() > self.spare.capacity()
        {
            self.spare = memory;
        }
    }
}

fn start(file: Arc<dyn StorageFile>) -> Worker {
    let (requests, to_read) = mpsc::channel();
    let (read_already, answers) = mpsc::channel();
    let work = move || {
        while let Ok(request) = to_read.recv() {
            if read_already.send(read(file.as_ref(), request)).is_err() {
                break;
            }
        }
    };
    match thread::Builder::new().name("read-ahead".to_owned()).spawn(work) {
        Ok(_) => Worker::Thread { requests, answers },
        Err(error) => {
            tracing::debug!(%error, "cannot start a thread that reads ahead: the reader waits for its disk");
            Worker::None
        }
    }
}

/// Reads the blocks that a range lies in.
fn read(file: &dyn StorageFile, Request { range, mut memory }: Request) -> io::Result<Fetched> {
    let block = BLOCK as u64;
    let first = range.start - range.start % block;
    let length = (range.end.next_multiple_of(block) - first) as usize;
    let needed = length + BLOCK;
    if memory.capacity() < needed {
        memory = BytesMut::with_capacity(needed.next_multiple_of(MEMORY_STEP));
    }
    // Zeroed once, and then used again as it is.
    if memory.len() < needed {
        memory.resize(needed, 0);
    }
    let place = memory.as_ptr().align_offset(BLOCK);
    let filled = read_full_blocks_at(file, &mut memory[place..place + length], first)? as u64;
    let memory = memory.freeze();
    let within = |at: u64| place + (at - first).min(filled) as usize;
    let bytes = memory.slice(within(range.start)..within(range.end));
    Ok(Fetched { start: range.start, bytes, memory })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fake_segment::FakeSegment;

    const LENGTH: u64 = 100_000;

    fn segment() -> FakeSegment {
        FakeSegment::new((0..LENGTH).map(|at| (at / 251) as u8).collect())
    }

    fn fetcher(segment: &FakeSegment, on_a_thread: bool) -> Fetcher {
        Fetcher::new(Box::new(segment.clone()), on_a_thread)
    }

    /// Wherever in the file it is that it was fetched from.
    fn assert_is_of_the_file(fetched: &Fetched, expected: Range<u64>) {
        assert_eq!(fetched.start..fetched.start + fetched.bytes.len() as u64, expected);
        assert!(fetched.bytes.iter().zip(expected).all(|(byte, at)| *byte == (at / 251) as u8));
    }

    #[test]
    fn any_range_comes_from_whole_blocks() {
        let segment = segment();
        let mut fetcher = fetcher(&segment, false);
        for range in [0..1, 0..4096, 4095..4097, 5000..30_000, 64..LENGTH, 99_999..LENGTH] {
            let before = segment.bytes_read();
            let fetched = fetcher.fetch(range.clone(), range.clone(), Bytes::new()).unwrap();
            assert_is_of_the_file(&fetched, range.clone());
            let blocks = range.end.next_multiple_of(4096).min(LENGTH) - range.start / 4096 * 4096;
            assert_eq!(segment.bytes_read() - before, blocks);
        }
        let behind = fetcher.fetch(99_000..200_000, 99_000..200_000, Bytes::new()).unwrap();
        assert_is_of_the_file(&behind, 99_000..LENGTH);
    }

    #[test]
    fn what_was_begun_is_not_read_again() {
        let segment = segment();
        let mut fetcher = fetcher(&segment, true);
        fetcher.begin(8192..40_960);
        // One at a time.
        fetcher.begin(0..4096);
        let fetched = fetcher.fetch(10_000..20_000, 10_000..90_000, Bytes::new()).unwrap();
        assert_is_of_the_file(&fetched, 8192..40_960);
        assert_eq!(segment.bytes_read(), 32_768);
    }

    #[test]
    fn what_was_begun_and_is_not_what_is_needed_is_left() {
        for begun in [0..4096, 4096..12_288, 20_480..90_112] {
            let mut fetcher = fetcher(&segment(), true);
            fetcher.begin(begun);
            let fetched = fetcher.fetch(8192..16_384, 8192..20_000, Bytes::new()).unwrap();
            assert_is_of_the_file(&fetched, 8192..20_000);
        }
    }

    #[test]
    fn two_memories_serve_in_turn() {
        let mut fetcher = fetcher(&segment(), true);
        let mut places = Vec::new();
        let mut memory = Bytes::new();
        for number in 0..8 {
            let at = number * 10_000;
            let fetched = fetcher.fetch(at..at + 10_000, at..at + 10_000, memory).unwrap();
            assert_is_of_the_file(&fetched, at..at + 10_000);
            fetcher.begin(at + 10_000..at + 20_000);
            places.push(fetched.memory.as_ptr());
            memory = fetched.memory;
        }
        places.sort();
        places.dedup();
        assert_eq!(places.len(), 2);
    }

    #[test]
    fn what_could_not_be_read_ahead_says_why_when_it_is_needed() {
        let segment = segment();
        let mut fetcher = fetcher(&segment, true);
        segment.break_disk(true);
        fetcher.begin(0..4096);
        assert!(fetcher.fetch(0..4096, 0..4096, Bytes::new()).is_err());
        fetcher.begin(0..4096);
        // Either the thread has read it by now, or it is read again.
        segment.break_disk(false);
        assert_is_of_the_file(&fetcher.fetch(0..4096, 0..4096, Bytes::new()).unwrap(), 0..4096);
    }
}
