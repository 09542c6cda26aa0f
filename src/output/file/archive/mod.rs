//! The files of one output: lines in memory, whole members on disk, checkpoints.

mod behind;
mod buffers;
mod failures;
mod file_key;
mod flush;
mod folders;
mod known_files;
mod large;
mod levels;
mod members;
mod prepare;
mod sync;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{ArchiveError, SaveCursorError};
use super::undo::UndoLog;
use crate::config::CompressionLevel;
use crate::metrics::OutputMetrics;
use crate::storage::{LargeWrites, Storage, StorageFile};
use behind::WriteBehind;
use buffers::Buffers;
use folders::UnsyncedFolders;
use known_files::KnownFiles;
use large::end_of;
use levels::Levels;
use members::Members;

pub use buffers::SlotId;
pub(super) use failures::FailedFile;

/// Saves the cursor, durably, under the generation that it is given. The position to save is that of the last flush
/// that succeeded: everything which was appended before it, and nothing that was appended since.
pub type SaveCursor<'a> = &'a mut dyn FnMut(u64) -> Result<(), SaveCursorError>;

/// Files that may be known, and so be in the undo log, before a flush begins with a checkpoint. With this, memory and
/// undo log have a bound however many files there are.
const MAX_KNOWN_FILES: usize = 65_536;

/// What an [`Archive`] is made of.
#[derive(Debug, Clone)]
pub struct ArchiveOptions {
    /// `DATA_DIR/outputs/ID`, where the undo log goes. It must be there.
    pub undo_folder: PathBuf,
    /// That of the saved cursor. The files must have been recovered to it.
    pub generation: u64,
    /// Files held open at one time; at least one.
    pub max_open_files: usize,
    pub compression_level: CompressionLevel,
    /// Files that are compressed at one time; at least one.
    pub compression_threads: usize,
    /// Whether everything is written at once until a checkpoint holds, as the last one failed.
    pub is_cautious: bool,
}

/// The only writer of an output's files.
///
/// Blocking: it belongs on a thread of its own.
#[derive(Debug)]
pub struct Archive {
    storage: Arc<dyn Storage>,
    undo_folder: PathBuf,
    undo: UndoLog,
    buffers: Buffers,
    files: KnownFiles<Arc<dyn StorageFile>>,
    /// Large pieces on their way into files.
    behind: WriteBehind,
    large: LargeWrites,
    is_cautious: bool,
    max_known_files: usize,
    /// In which names were made since the last checkpoint.
    folders: UnsyncedFolders,
    members: Members,
    levels: Levels,
    /// A flush wrote some buffers and failed at others, so that the files are at no position that could be saved.
    half_flushed: bool,
    /// What the last flush could not write.
    failed: Vec<FailedFile>,
    /// What happened after which nothing on disk is certain, and where.
    broken: Option<(PathBuf, String)>,
    metrics: OutputMetrics,
}

impl Archive {
    /// Touches nothing yet.
    pub fn new(storage: Arc<dyn Storage>, options: ArchiveOptions, metrics: OutputMetrics) -> Self {
        Self {
            undo: UndoLog::new(&options.undo_folder, options.generation),
            undo_folder: options.undo_folder,
            buffers: Buffers::default(),
            files: KnownFiles::new(options.max_open_files),
            behind: WriteBehind::new(storage.large_writes().on_a_thread),
            large: storage.large_writes(),
            is_cautious: options.is_cautious,
            max_known_files: MAX_KNOWN_FILES,
            folders: UnsyncedFolders::default(),
            members: Members::new(options.compression_threads),
            levels: Levels::new(options.compression_level),
            half_flushed: false,
            failed: Vec::new(),
            broken: None,
            storage,
            metrics,
        }
    }

    /// The place of a file among the buffers, for [`append`](Self::append). Good until the next flush that succeeds.
    ///
    /// A path must always be spelled the same way: under two spellings it would have two writers.
    pub fn slot(&mut self, path: &Path) -> SlotId {
        let (files, block) = (&self.files, self.large.block);
        self.buffers.slot(path, || end_of(path, files, block))
    }

    /// Lets a line be written into the memory of a file: `write` may only append. `None`, without calling it, where the
    /// slot is from before the last flush.
    pub fn append<R>(&mut self, slot: SlotId, write: impl FnOnce(&mut Vec<u8>) -> R) -> Option<R> {
        self.buffers.append(slot, write)
    }

    /// Memory that lines and their paths take up, in bytes, to be held against `buffer_memory`.
    pub fn buffered_bytes(&self) -> usize {
        self.buffers.bytes()
    }

    /// Whether there are so many lines for each file that writing them now is as good as later.
    pub fn is_worth_flushing(&self) -> bool {
        self.buffers.are_worth_writing()
    }

    /// That of the last checkpoint.
    pub fn generation(&self) -> u64 {
        self.undo.generation()
    }

    /// Writes everything in memory into the files. Afterwards they are exactly where the caller has read up to, and
    /// all slots are void; but for large pieces of plain text, which may still be on their way.
    ///
    /// Begins with a checkpoint of what the last flush wrote, and so calls `save_cursor`, if somebody else changed
    /// files, or if very many were written since the last one.
    ///
    /// # Errors
    ///
    /// Files that could not be written keep their lines, all others are written. Flushing again goes on with the rest.
    /// See [`ArchiveError::needs_recovery`] for when that is no use.
    pub fn flush(&mut self, save_cursor: SaveCursor<'_>) -> Result<(), ArchiveError> {
        let started = std::time::Instant::now();
        let result = self.unless_broken(|archive| archive.flush_all(save_cursor));
        let spent = started.elapsed();
        self.metrics.flush_time_count.inc_by(u64::try_from(spent.as_millis()).unwrap_or(u64::MAX));
        if spent > flush::SLOW {
            self.metrics.slow_flush_count.inc();
        }
        result
    }

    /// Makes durable what the last flush wrote, and saves the cursor under the next generation. Lines that are in
    /// memory have no part in it.
    ///
    /// # Errors
    ///
    /// [`ArchiveError::Unfinished`] after a flush that failed, until it was repeated and succeeded.
    pub fn checkpoint(&mut self, save_cursor: SaveCursor<'_>) -> Result<(), ArchiveError> {
        self.unless_broken(|archive| archive.save(save_cursor))
    }

    /// Whether a flush failed after it had written some files: before more is appended, it has to be finished.
    pub(super) fn is_half_flushed(&self) -> bool {
        self.half_flushed
    }

    /// Takes what the last flush could not write, each file once. Their lines stay in memory.
    pub(super) fn take_failed(&mut self) -> Vec<FailedFile> {
        std::mem::take(&mut self.failed)
    }

    /// Forgets the lines of a file that are in memory.
    pub(super) fn forget_lines(&mut self, path: &Path) {
        self.buffers.forget_lines(path);
    }

    #[cfg(test)]
    pub(super) fn set_max_known_files(&mut self, max_known_files: usize) {
        self.max_known_files = max_known_files;
    }

    fn unless_broken(
        &mut self,
        action: impl FnOnce(&mut Self) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        if let Some((path, reason)) = self.broken.clone() {
            return Err(ArchiveError::NeedsRecovery { path, reason });
        }
        let result = action(self);
        if let Err(ArchiveError::NeedsRecovery { path, reason }) = &result {
            self.broken = Some((path.clone(), reason.clone()));
        }
        self.metrics.open_files.set(i64::try_from(self.files.open()).unwrap_or(i64::MAX));
        self.metrics.under_way_bytes.set(self.behind.bytes() as i64);
        self.metrics.spare_bytes.set(self.buffers.spare_bytes() as i64);
        result
    }
}
