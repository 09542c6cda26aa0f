//! Large pieces on their way into their files, while the next lines are made.
//!
//! One after the other, on a thread of their own: file systems write one piece at a time at the end of a file. Until all are
//! [done](WriteBehind::wait) nobody else may touch their files.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use crate::storage::{Parts, StorageFile, append_all, append_all_blocks};

/// Bytes of memory in pieces that are under way, beyond which the next one waits for them. It comes on top of `buffer_memory`.
const MAX_UNDER_WAY: usize = 4 * 1024 * 1024;

/// To be written at the end of a file.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) path: Arc<Path>,
    pub(super) file: Arc<dyn StorageFile>,
    pub(super) memory: Vec<u8>,
    /// Where it begins in memory, so that its blocks are blocks of memory.
    pub(super) start: usize,
    pub(super) parts: Parts,
}

/// A piece that was written, or was not.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) path: Arc<Path>,
    /// To be used again.
    pub(super) memory: Vec<u8>,
    pub(super) result: io::Result<()>,
}

/// Writes pieces.
#[derive(Debug)]
pub(super) struct WriteBehind {
    writer: Writer,
    /// Bytes of memory in pieces under way, the first one first.
    under_way: VecDeque<usize>,
}

#[derive(Debug)]
enum Writer {
    /// Not started yet.
    Idle,
    Thread(WriterThread),
    /// Those that wait for us ourselves to write them.
    Ourselves(VecDeque<Ours>),
}

#[derive(Debug)]
enum Ours {
    Piece(Piece),
    #[cfg(feature = "simulation")]
    Done(Done),
}

#[derive(Debug)]
struct WriterThread {
    /// `None` where it is told to end.
    pieces: Option<Sender<Piece>>,
    done: Receiver<Done>,
    handle: Option<JoinHandle<()>>,
}

impl WriteBehind {
    /// Where that is not to be `on_a_thread`, pieces are written when they are waited for.
    pub(super) fn new(on_a_thread: bool) -> Self {
        let writer = if on_a_thread { Writer::Idle } else { Writer::Ourselves(VecDeque::new()) };
        Self { writer, under_way: VecDeque::new() }
    }

    /// Writes a piece some time. Gives those that it waited for, as there are so many.
    pub(super) fn write(&mut self, piece: Piece) -> Vec<Done> {
        let mut done = Vec::new();
        let size = piece.memory.capacity();
        while !self.under_way.is_empty() && self.bytes() + size > MAX_UNDER_WAY {
            done.extend(self.wait_for_one());
        }
        self.under_way.push_back(size);
        if matches!(self.writer, Writer::Idle) {
            self.writer = start();
        }
        match &mut self.writer {
            Writer::Thread(WriterThread { pieces: Some(pieces), .. }) => {
                // It takes pieces until it is told to end, or its channel breaks: then it is noticed by waiting.
                drop(pieces.send(piece));
            }
            Writer::Ourselves(pieces) => pieces.push_back(Ours::Piece(piece)),
            _ => {}
        }
        done
    }

    /// Bytes of memory that are on their way.
    pub(super) fn bytes(&self) -> usize {
        self.under_way.iter().sum()
    }

    /// Waits until all are written.
    pub(super) fn wait(&mut self) -> Vec<Done> {
        std::iter::from_fn(|| self.wait_for_one()).collect()
    }

    /// Writes those that no thread writes; they still have to be waited for.
    #[cfg(feature = "simulation")]
    pub(super) fn write_ourselves(&mut self) {
        if let Writer::Ourselves(pieces) = &mut self.writer {
            *pieces = pieces.drain(..).map(|piece| Ours::Done(piece.write())).collect();
        }
    }

    fn wait_for_one(&mut self) -> Option<Done> {
        self.under_way.pop_front()?;
        let done = match &mut self.writer {
            Writer::Thread(thread) => thread.done.recv().ok(),
            Writer::Ourselves(pieces) => pieces.pop_front().map(Ours::write),
            Writer::Idle => None,
        };
        Some(done.unwrap_or_else(|| Done {
            path: Path::new("").into(),
            memory: Vec::new(),
            result: Err(io::Error::other("the thread that writes it has ended")),
        }))
    }
}

impl Ours {
    fn write(self) -> Done {
        match self {
            Self::Piece(piece) => piece.write(),
            #[cfg(feature = "simulation")]
            Self::Done(done) => done,
        }
    }
}

impl Drop for WriterThread {
    /// Whoever comes next does what they like with the files.
    fn drop(&mut self) {
        self.pieces = None;
        if let Some(handle) = self.handle.take() {
            // One that panicked does nothing any more either.
            drop(handle.join());
        }
    }
}

impl Piece {
    fn write(self) -> Done {
        let Self { path, file, memory, start, parts } = self;
        let (head, rest) = memory[start..].split_at(parts.head);
        let (blocks, tail) = rest.split_at(parts.blocks);
        let result = append_all(file.as_ref(), head)
            .and_then(|()| append_all_blocks(file.as_ref(), blocks))
            .and_then(|()| append_all(file.as_ref(), tail));
        Done { path, memory, result }
    }
}

fn start() -> Writer {
    let (pieces, to_write) = mpsc::channel::<Piece>();
    let (written, done) = mpsc::channel();
    let write = move || {
        while let Ok(piece) = to_write.recv() {
            if written.send(piece.write()).is_err() {
                break;
            }
        }
    };
    match thread::Builder::new().name("write".to_owned()).spawn(write) {
        Ok(handle) => Writer::Thread(WriterThread { pieces: Some(pieces), done, handle: Some(handle) }),
        Err(error) => {
            tracing::debug!(%error, "cannot start a thread that writes: the output's own does its work");
            Writer::Ourselves(VecDeque::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Disk, Open, Storage};

    const PIECE: usize = MAX_UNDER_WAY / 2;

    fn write(behind: &mut WriteBehind, file: &Arc<dyn StorageFile>, byte: u8, capacity: usize) -> Vec<Done> {
        let mut memory = Vec::with_capacity(capacity);
        memory.push(byte);
        let path = Path::new("all.log").into();
        behind.write(Piece {
            path,
            file: Arc::clone(file),
            memory,
            start: 0,
            parts: Parts { head: 1, blocks: 0 },
        })
    }

    #[test]
    fn no_more_than_a_limit_is_under_way_and_all_of_it_comes_in_order() {
        for on_a_thread in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("all.log");
            let file: Arc<dyn StorageFile> = Disk.open(&path, Open::New).unwrap().into();
            let mut behind = WriteBehind::new(on_a_thread);
            assert!(write(&mut behind, &file, b'1', PIECE).is_empty());
            assert!(write(&mut behind, &file, b'2', PIECE).is_empty());
            assert_eq!(behind.bytes(), MAX_UNDER_WAY);
            assert_eq!(write(&mut behind, &file, b'3', 1).len(), 1);
            assert_eq!(write(&mut behind, &file, b'4', 2 * MAX_UNDER_WAY).len(), 2);
            let done = behind.wait();
            assert!(done.iter().all(|done| done.result.is_ok()));
            assert_eq!((done.len(), behind.bytes()), (1, 0));
            assert_eq!(std::fs::read(&path).unwrap(), b"1234");
        }
    }
}
