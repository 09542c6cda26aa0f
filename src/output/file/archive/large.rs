//! Large pieces of plain text: written behind the output's back, by whole blocks.
//!
//! What is less than a block at their end, the tail, stays in memory until more comes, or until it is due: with a checkpoint, or
//! whenever somebody else's hands were at the file. It is in its file all the same, as far as positions go: what a crash takes of
//! pieces under way, and of tails, it may as well take of the page cache.
//!
//! A piece or a tail that can't be written has left memory, or others came behind it. So it is like a sync that fails: the output
//! goes back to its last checkpoint, and until the next one holds, pieces are written at once ([`ArchiveOptions::is_cautious`]),
//! where a failure leaves the lines in memory.
//!
//! [`ArchiveOptions::is_cautious`]: super::ArchiveOptions::is_cautious

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Archive;
use super::behind::{Done, Piece};
use super::buffers::{End, Taken};
use super::known_files::KnownFiles;
use super::write::is_gzip;
use crate::output::file::error::ArchiveError;
use crate::storage::{Parts, align, append_all};

impl Archive {
    /// Writes all that was flushed.
    pub(super) fn write_tails(&mut self) -> Result<(), ArchiveError> {
        self.settle()?;
        while let Some(path) = self.tails.first().map(Arc::clone) {
            self.write_tail(&path)?;
        }
        Ok(())
    }

    /// Waits for pieces under way.
    pub(super) fn settle(&mut self) -> Result<(), ArchiveError> {
        let done = self.behind.wait();
        self.account(done)
    }

    /// Writes what waits for more at the end of a file; gives how many bytes that were.
    pub(super) fn write_tail(&mut self, path: &Path) -> Result<u64, ArchiveError> {
        self.settle()?;
        if !self.tails.remove(path) {
            return Ok(0);
        }
        self.cut_torn(path).map_err(|error| lost(path, &error))?;
        let Some(known) = self.files.get_mut(path) else { return Ok(0) };
        let tail = std::mem::take(&mut known.tail);
        let Some(handle) = &mut known.handle else { return Ok(0) };
        let append = || {
            // What it belongs behind was cut off by somebody else, and it would have been as well.
            if handle.file.stat()?.length < known.length {
                return Ok(0);
            }
            append_all(handle.file.as_ref(), &tail).map(|()| tail.len() as u64)
        };
        let written = append().map_err(|error| lost(path, &error))?;
        known.length += written;
        handle.dirty = true;
        Ok(written)
    }

    /// Whether so many bytes of plain text are to be written as a large piece.
    pub(super) fn is_large(&self, length: usize) -> bool {
        !self.is_cautious && length >= self.large.from
    }

    /// Has a large piece written, of a file that is open.
    pub(super) fn write_large(&mut self, index: usize, path: &Arc<Path>) -> Result<(), ArchiveError> {
        let Some(known) = self.files.get_mut(path) else { return Ok(()) };
        let Some(handle) = &known.handle else { return Ok(()) };
        let file = Arc::clone(&handle.file);
        let Taken { mut memory, tail, lines } = self.buffers.take(index);
        let start = if known.tail.is_empty() { lines } else { tail };
        let start = align(&mut memory, start, known.length, self.large.block);
        let parts = Parts::of(memory.len() - start, known.length, self.large.block);
        known.tail.clear();
        known.tail.extend_from_slice(&memory[start + parts.written()..]);
        if known.tail.is_empty() {
            self.tails.remove(path);
        } else {
            self.tails.insert(Arc::clone(path));
        }
        self.files.written(path, parts.written() as u64);
        let done = self.behind.write(Piece { path: Arc::clone(path), file, memory, start, parts });
        self.account(done)
    }

    fn account(&mut self, done: Vec<Done>) -> Result<(), ArchiveError> {
        let mut result = Ok(());
        for Done { path, memory, result: written } in done {
            self.buffers.reuse(memory);
            if let Err(error) = written {
                result = Err(lost(&path, &error));
            }
        }
        result
    }
}

/// Where lines of a file go to; `None` where they are compressed.
pub(super) fn end_of<'a, F>(path: &Path, files: &'a KnownFiles<F>, block: usize) -> Option<End<'a>> {
    if is_gzip(path) {
        return None;
    }
    let (length, tail) = files.get(path).map_or((0, &[][..]), |known| (known.length, &known.tail));
    Some(End { length, tail, block })
}

fn lost(path: &Path, error: &io::Error) -> ArchiveError {
    ArchiveError::NeedsRecovery { path: path.to_owned(), reason: format!("cannot write: {error}") }
}
