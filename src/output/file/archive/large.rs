//! Large pieces of plain text: written behind the output's back, past the page cache.
//!
//! As far as positions go they are in their files at once: what a crash takes of pieces under way, it may as well take of the
//! page cache. A checkpoint waits for them, and so does whoever looks at the files.
//!
//! A piece that can't be written may have others behind it already. So it is like a sync that fails: the output goes back to its
//! last checkpoint, and until the next one holds, everything is written at once ([`ArchiveOptions::is_cautious`]), where a failure
//! leaves the lines in memory.
//!
//! [`ArchiveOptions::is_cautious`]: super::ArchiveOptions::is_cautious

use std::path::Path;
use std::sync::Arc;

use super::Archive;
use super::behind::{Done, Piece};
use super::buffers::End;
use super::known_files::KnownFiles;
use super::write::is_gzip;
use crate::output::file::error::ArchiveError;
use crate::storage::{Parts, align};

impl Archive {
    /// Waits for pieces under way.
    pub(super) fn settle(&mut self) -> Result<(), ArchiveError> {
        let done = self.behind.wait();
        self.account(done)
    }

    /// Writes pieces under way that no thread writes.
    #[cfg(feature = "simulation")]
    pub(in crate::output::file) fn write_pieces(&mut self) {
        self.behind.write_ourselves();
    }

    /// Whether so many bytes of plain text are to be written as a large piece.
    pub(super) fn is_large(&self, length: usize) -> bool {
        !self.is_cautious && length >= self.large.from
    }

    /// Has the lines of a buffer written behind the end of their file, which is open.
    pub(super) fn write_large(&mut self, index: usize, path: &Arc<Path>) -> Result<(), ArchiveError> {
        let Some(known) = self.files.get(path) else { return Ok(()) };
        let Some(handle) = &known.handle else { return Ok(()) };
        let file = Arc::clone(&handle.file);
        let (mut memory, start) = self.buffers.take(index);
        let start = align(&mut memory, start, known.length, self.large.block);
        let length = memory.len() - start;
        let parts = Parts::of(length, known.length, self.large.block);
        self.files.written(path, length as u64);
        let done = self.behind.write(Piece { path: Arc::clone(path), file, memory, start, parts });
        self.account(done)
    }

    fn account(&mut self, done: Vec<Done>) -> Result<(), ArchiveError> {
        let mut result = Ok(());
        for Done { path, memory, result: written } in done {
            self.buffers.reuse(memory);
            if let Err(error) = written {
                let reason = format!("cannot write: {error}");
                result = Err(ArchiveError::NeedsRecovery { path: path.to_path_buf(), reason });
            }
        }
        result
    }
}

/// Where lines of a file go to; `None` where they are compressed.
pub(super) fn end_of<F>(path: &Path, files: &KnownFiles<F>, block: usize) -> Option<End> {
    let length = files.get(path).map_or(0, |known| known.length);
    (!is_gzip(path)).then_some(End { length, block })
}
