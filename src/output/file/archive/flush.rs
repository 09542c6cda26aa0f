//! A flush from its beginning to its end, and what to make of files that somebody else changed.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::failures::Failures;
use super::known_files::Surprise;
use super::{Archive, SaveCursor};
use crate::output::file::error::{ArchiveError, SaveCursorError};
use crate::output::file::undo::UndoLog;
use crate::planted::{Bug, is_planted};

/// A flush that takes longer counts as slow, as in Fluentd.
pub(super) const SLOW: Duration = Duration::from_secs(20);

/// How often one flush takes up files anew that somebody else changes under its hands.
const ROUNDS: usize = 3;

impl Archive {
    pub(super) fn flush_all(&mut self, save_cursor: SaveCursor<'_>) -> Result<(), ArchiveError> {
        self.failed.clear();
        self.settle()?;
        for _ in 0..ROUNDS {
            let pending = self.buffers.pending();
            if pending.is_empty() {
                break;
            }
            let surprises = self.look_at(&pending);
            // What earlier flushes wrote is saved before anything new goes into files that are not what they were.
            // In the middle of a flush there is no position that could be saved; the undo records of this generation
            // then have to do, and they do: they only know less about whose bytes those are.
            let is_due = self.files.len() >= self.max_known_files
                || surprises.iter().any(|(path, _)| self.files.get(path).is_some_and(|file| file.recorded));
            if is_due && !self.half_flushed {
                self.save(save_cursor)?;
            }
            for (path, surprise) in surprises {
                self.accept(&path, surprise)?;
            }
            let mut failures = Failures::default();
            self.prepare(&pending, &mut failures)?;
            self.write(&pending, &mut failures)?;
            let count = failures.count();
            self.metrics.num_errors.inc_by(count as u64);
            self.failed = failures.take_files();
            failures.into_result(count)?;
        }
        if let Some(index) = self.buffers.pending().first() {
            let path = self.buffers.get(*index).path.to_path_buf();
            let source = io::Error::other("somebody else changes it again and again");
            return Err(ArchiveError::File { action: "write to", path, files: 1, source });
        }
        self.buffers.clear();
        self.members.shrink();
        self.levels.flushed();
        self.half_flushed = false;
        Ok(())
    }

    /// Syncs, saves the cursor, and begins a new generation.
    pub(super) fn save(&mut self, save_cursor: SaveCursor<'_>) -> Result<(), ArchiveError> {
        if self.half_flushed {
            return Err(ArchiveError::Unfinished);
        }
        self.cut_all_torn()?;
        if !is_planted(Bug::CursorBeforePieces) {
            self.settle()?;
        }
        if !is_planted(Bug::CursorBeforeFiles) {
            self.sync()?;
        }
        let generation = self.undo.generation() + 1;
        match save_cursor(generation) {
            Ok(()) => {}
            Err(SaveCursorError::Unchanged(error)) => return Err(ArchiveError::Cursor(error)),
            // Which undo log holds is as uncertain as which cursor does.
            Err(error @ SaveCursorError::Uncertain(_)) => {
                let path = self.undo_folder.clone();
                return Err(ArchiveError::NeedsRecovery { path, reason: error.to_string() });
            }
        }
        let old = std::mem::replace(&mut self.undo, UndoLog::new(&self.undo_folder, generation));
        if old.is_begun()
            && let Err(error) = self.storage.remove(old.path())
        {
            // It is void all the same, and the next recovery takes it away.
            tracing::warn!(path = %old.path().display(), %error, "cannot remove an undo log that is done with");
        }
        if is_planted(Bug::CursorBeforeFiles) {
            self.sync()?;
        }
        self.is_cautious = false;
        self.files.begin_generation();
        self.metrics.checkpoints.inc();
        Ok(())
    }

    /// The files that somebody else changed since they were written last.
    fn look_at(&self, pending: &[usize]) -> Vec<(Arc<Path>, Surprise)> {
        let paths = pending.iter().map(|index| &self.buffers.get(*index).path);
        // A file that can't be looked at fails again, and is reported, when it is to be written.
        paths.filter_map(|path| Some((Arc::clone(path), self.compare(path).ok()?.err()?))).collect()
    }

    /// Compares a file with what it must be; one that is not known can't surprise.
    pub(super) fn compare(&self, path: &Path) -> io::Result<Result<(), Surprise>> {
        let Some(known) = self.files.get(path) else { return Ok(Ok(())) };
        let found = self.storage.stat(path)?;
        let mut verdict = known.compare(found.as_ref());
        if let (Err(Surprise::Removed), Some(handle)) = (verdict, &known.handle)
            && handle.file.stat()?.names > 0
        {
            verdict = Err(Surprise::Moved);
        }
        Ok(verdict)
    }

    /// Takes a file as somebody else left it.
    pub(super) fn accept(&mut self, path: &Path, surprise: Surprise) -> Result<(), ArchiveError> {
        self.metrics.surprising_file(surprise.word());
        tracing::warn!(
            path = %path.display(), what = surprise.word(),
            "somebody else changed an archive file: it stays as it is, and writing goes on behind it or in a new file"
        );
        match surprise {
            Surprise::Moved | Surprise::Removed => {
                self.sync_one(path)?;
                self.files.forget(path);
            }
            Surprise::Cut { length } | Surprise::Extended { length } => {
                if let Some(known) = self.files.get_mut(path) {
                    known.length = length;
                    known.torn = 0;
                    known.recorded = false;
                }
            }
        }
        Ok(())
    }
}
