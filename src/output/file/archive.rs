//! The files of one output: buffers in memory, whole members on disk, and checkpoints.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::disk::{Disk, Stat};
use super::files::{Files, Surprise};
use super::gzip::Gzip;
use super::undo_log::{Undo, UndoLog, undo_path};
use crate::metrics::OutputMetrics;

/// A file's place among the buffers. Good until the next [`Archive::flush`] that succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(usize);

/// Writing failed; whatever was not written stays in memory, and flushing again goes on with it.
#[derive(Debug, thiserror::Error)]
pub(super) enum FlushError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// A sync failed, and nobody can say what of the last writes is on disk. Recovery can, after a restart.
    #[error("cannot sync {}: {source}", path.display())]
    Sync { path: PathBuf, source: io::Error },
    /// The cursor could not be saved.
    #[error(transparent)]
    Cursor(#[from] crate::journal::CursorError),
}

/// Saves the cursor of the position that the files are at, under the generation given.
pub(super) type SaveCursor<'a> = &'a mut dyn FnMut(u64) -> Result<(), crate::journal::CursorError>;

/// The files of one output.
#[derive(Debug)]
pub(super) struct Archive {
    disk: Box<dyn Disk>,
    undo_folder: PathBuf,
    undo: UndoLog,
    /// Of the last checkpoint.
    generation: u64,
    buffers: Vec<Buffer>,
    slots: HashMap<PathBuf, Slot>,
    buffered_bytes: usize,
    files: Files,
    gzip: Gzip,
    compressed: Vec<u8>,
    /// A flush wrote some of its buffers and failed at another: the files are at no position that could be saved.
    half_flushed: bool,
    metrics: OutputMetrics,
}

#[derive(Debug)]
struct Buffer {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// What an [`Archive`] is made of.
#[derive(Debug)]
pub(super) struct ArchiveOptions {
    /// `DATA_DIR/outputs/ID`
    pub(super) undo_folder: PathBuf,
    /// Of the cursor.
    pub(super) generation: u64,
    pub(super) max_open_files: usize,
    pub(super) compression_level: i32,
}

impl Archive {
    pub(super) fn new(disk: Box<dyn Disk>, options: ArchiveOptions, metrics: OutputMetrics) -> Self {
        Self {
            disk,
            undo: UndoLog::new(&options.undo_folder, options.generation),
            undo_folder: options.undo_folder,
            generation: options.generation,
            buffers: Vec::new(),
            slots: HashMap::new(),
            buffered_bytes: 0,
            files: Files::new(options.max_open_files),
            gzip: Gzip::new(options.compression_level),
            compressed: Vec::new(),
            half_flushed: false,
            metrics,
        }
    }

    /// The place of a file among the buffers.
    pub(super) fn slot(&mut self, path: &Path) -> Slot {
        if let Some(slot) = self.slots.get(path) {
            return *slot;
        }
        let slot = Slot(self.buffers.len());
        self.buffers.push(Buffer { path: path.to_owned(), bytes: Vec::new() });
        self.slots.insert(path.to_owned(), slot);
        slot
    }

    /// Lets a line be appended to what is to be written to a file.
    pub(super) fn append(&mut self, slot: Slot, write: impl FnOnce(&mut Vec<u8>)) {
        let bytes = &mut self.buffers[slot.0].bytes;
        let before = bytes.capacity();
        write(bytes);
        self.buffered_bytes += bytes.capacity() - before;
    }

    /// Bytes of memory that the buffers take.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// Writes all buffers; all slots are void afterwards. `save` is called if files turn out to have been changed by
    /// somebody else: everything that an earlier flush wrote is then saved before anything new is written.
    pub(super) fn flush(&mut self, save: SaveCursor<'_>) -> Result<(), FlushError> {
        let started = Instant::now();
        let pending: Vec<usize> =
            (0..self.buffers.len()).filter(|index| !self.buffers[*index].bytes.is_empty()).collect();
        let mut surprised = false;
        for index in &pending {
            surprised |= self.look(*index)?;
            self.let_go()?;
        }
        if surprised && !self.half_flushed {
            self.checkpoint(save)?;
        }
        // As many at a time as may be open, each group with its undo records before its writes.
        for group in pending.chunks(self.files.max_open()) {
            for index in group {
                self.look(*index)?;
            }
            self.record(group)?;
            for index in group {
                self.write(*index)?;
                self.half_flushed = true;
            }
            self.let_go()?;
        }
        self.half_flushed = false;
        self.buffers.clear();
        self.slots.clear();
        self.metrics.flush_time_count.inc_by(started.elapsed().as_millis() as u64);
        Ok(())
    }

    /// Syncs what was written and saves the cursor. What is in memory only is not part of it.
    pub(super) fn checkpoint(&mut self, save: SaveCursor<'_>) -> Result<(), FlushError> {
        self.files.sync(&*self.disk).map_err(|(path, source)| FlushError::Sync { path, source })?;
        save(self.generation + 1)?;
        // From here on the old log is void, whether or not it can be removed.
        self.generation += 1;
        let old = std::mem::replace(&mut self.undo, UndoLog::new(&self.undo_folder, self.generation));
        if old.is_in_use() {
            let path = undo_path(&self.undo_folder, self.generation - 1);
            self.disk.remove(&path).map_err(|source| failed("remove", &path, source))?;
        }
        self.files.begin_generation();
        self.metrics.checkpoints.inc();
        Ok(())
    }

    /// Opens the file of a buffer, if it is there; whether somebody else changed it.
    fn look(&mut self, index: usize) -> Result<bool, FlushError> {
        let path = &self.buffers[index].path;
        let surprise =
            self.files.look(&*self.disk, path).map_err(|source| failed("look at", path, source))?;
        if let Some(surprise) = surprise {
            self.tell(&self.buffers[index].path, surprise);
        }
        Ok(surprise.is_some())
    }

    fn let_go(&mut self) -> Result<(), FlushError> {
        self.files.let_go(&*self.disk).map_err(|(path, source)| FlushError::Sync { path, source })?;
        self.metrics.open_files.set(self.files.open_count() as i64);
        Ok(())
    }

    /// Makes sure that everything that is about to be written can be undone.
    fn record(&mut self, pending: &[usize]) -> Result<(), FlushError> {
        let mut records = Vec::new();
        let mut new_files = Vec::new();
        for index in pending {
            let path = &self.buffers[*index].path;
            if self.files.is_recorded(path) {
                continue;
            }
            match self.files.stat(path) {
                Some(stat) => records.push(Undo::Existing { path: path.clone(), stat }),
                None => {
                    records.push(Undo::Absent { path: path.clone() });
                    new_files.push(path.clone());
                }
            }
        }
        self.add_to_undo_log(&records)?;
        let mut created = Vec::new();
        for path in new_files {
            match self.files.create(&*self.disk, &path).map_err(|source| failed("create", &path, source))? {
                Created::New(stat) => created.push(Undo::Created { path, stat }),
                // Somebody was faster.
                Created::Found(stat) => created.push(Undo::Existing { path, stat }),
            }
        }
        self.add_to_undo_log(&created)?;
        for record in records.iter().chain(&created) {
            if !matches!(record, Undo::Absent { .. }) {
                self.files.set_recorded(record.path());
            }
        }
        Ok(())
    }

    fn add_to_undo_log(&mut self, records: &[Undo]) -> Result<(), FlushError> {
        let path = self.undo.path();
        self.undo.add(&*self.disk, records).map_err(|source| failed("write", &path, source))
    }

    /// Writes one buffer and empties it; after an error the file is as it was before.
    fn write(&mut self, index: usize) -> Result<(), FlushError> {
        let Buffer { path, bytes } = &mut self.buffers[index];
        let is_gzip = path.extension().is_some_and(|extension| extension == "gz");
        let content = if is_gzip {
            self.gzip.compress(bytes, &mut self.compressed);
            &self.compressed
        } else {
            &*bytes
        };
        if let Err(source) = self.files.append(&*self.disk, path, content) {
            self.metrics.rollback_count.inc();
            return Err(failed("write to", path, source));
        }
        self.metrics.write_count.inc();
        self.metrics.delivered_bytes.inc_by(content.len() as u64);
        self.buffered_bytes -= bytes.capacity();
        *bytes = Vec::new();
        Ok(())
    }

    fn tell(&self, path: &Path, surprise: Surprise) {
        self.metrics.surprising_file(surprise.label());
        tracing::warn!(
            path = %path.display(),
            what = surprise.label(),
            "somebody else changed an archive file: it is left as it is, and writing goes on behind it or in a new file"
        );
    }
}

/// What came of making a file.
#[derive(Debug)]
pub(super) enum Created {
    New(Stat),
    Found(Stat),
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> FlushError {
    FlushError::Io { action, path: path.to_owned(), source }
}
