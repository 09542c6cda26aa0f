//! Archive files: the life of one, from its first line to a crash and back.
//!
//! ```text
//! chunk ─▶ lines ─▶ buffer of a file ──flush──▶ file ──checkpoint──▶ cursor
//!          (lines)  (archive)          (files)         (archive)
//! ```
//!
//! 1. **Lines.** A chunk's events are filtered, routed and formatted (`lines.rs`). Each line goes straight into the
//!    buffer of its file; the path is rendered once for all events that share it.
//! 2. **Flush.** Every `flush_interval`, or when `buffer_memory` is reached, all buffers are written: each becomes one
//!    whole gzip member (or plain text) behind the end of its file. All of them, always: after a flush the files are
//!    exactly at the position up to which the journal was read.
//! 3. **Undo records.** Before the first write to a file since the last checkpoint, an undo record is durable: which
//!    file it is (device, inode) and how long. A file that is not there yet is recorded as absent, made, and recorded
//!    as made, before the first byte goes into it. See `undo_log.rs`.
//! 4. **Checkpoint.** Every `checkpoint_interval` the files are synced, and the folders in which names were made; then
//!    the cursor is replaced, which names a new generation, and the old undo log is void. The journal lets go of what
//!    lies before the cursor.
//! 5. **Crash.** At the next start, before anything else, the undo log of the cursor's generation is read
//!    (`recovery.rs`): each file is cut back to what it was at the checkpoint, files that were made since are taken away,
//!    and what is cut off is kept in `DATA_DIR/undone/ID/`. The journal then delivers the same events again: no hole, no
//!    double line, no half member. A crash between two system calls, any two, comes out the same.
//!
//! **Somebody else's hands.** Before each write the file is compared with what it must be. If it was moved, removed, cut
//! or extended by somebody else, a checkpoint is taken first, of what earlier flushes wrote, and then the file is
//! recorded anew as it is (or made anew), and writing goes on. Recovery likewise leaves alone, and counts, whatever is
//! not the file that it knows.
//!
//! **Errors.** A write that fails is cut off again, the lines stay in memory, and the flush is repeated with growing
//! waits; files that were written already are not written twice. A *sync* that fails ends the process: the kernel may
//! have dropped what it could not write, and only recovery knows what to write again.
//!
//! Between checkpoints a reader of the archive may see lines that a crash then takes back and writes again; at every
//! checkpoint, and after every recovery, each file is whole.

mod archive;
#[cfg(test)]
mod crash_tests;
mod dead_letters;
mod delivery;
mod disk;
mod event_lines;
mod files;
pub mod format;
mod gzip;
mod lines;
mod recovery;
mod undo_log;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use dead_letters::DEAD_LETTERS;
pub use delivery::FileOutput;
pub use recovery::RecoverError;

use crate::config::{OutputConfig, StartAt};
use crate::journal::{CursorError, CursorFolder, Journal};
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use dead_letters::DeadLetterLines;
use delivery::DeliveryOptions;
use disk::RealDisk;
use event_lines::EventLines;
use recovery::{limit_undone, recover};

/// Bytes that are kept of what was cut off the files of an output that the configuration no longer has.
const DEFAULT_UNDONE_MAX_SIZE: u64 = 256 * 1024 * 1024;

/// The dead letters are few, and whoever looks for one should find it soon.
const DEAD_LETTER_INTERVAL: Duration = Duration::from_secs(1);

/// Opens an output of the configuration.
pub fn open_output(
    config: &OutputConfig,
    data_dir: &Path,
    journal: &Journal,
    journal_max_size: u64,
    pipeline: &Pipeline,
    metrics: &Metrics,
) -> Result<FileOutput, CursorError> {
    let metrics = metrics.output(&config.id, "file");
    let options = DeliveryOptions {
        id: config.id.clone(),
        start: config.start,
        flush_interval: config.flush_interval,
        checkpoint_interval: config.checkpoint_interval,
        buffer_memory: config.buffer_memory,
        max_open_files: config.max_open_files,
        compression_level: config.compression_level,
        retry_min_interval: config.retry_min_interval,
        retry_max_interval: config.retry_max_interval,
        journal_max_size,
    };
    let lines = EventLines::new(config, pipeline, metrics.clone());
    FileOutput::new(options, Box::new(lines), data_dir, journal, metrics)
}

/// Opens the reader that takes the dead letters out of the journal. Every server has it.
pub fn open_dead_letters(
    data_dir: &Path,
    journal: &Journal,
    journal_max_size: u64,
    metrics: &Metrics,
) -> Result<FileOutput, CursorError> {
    let metrics = metrics.output(DEAD_LETTERS, "dead_letters");
    let options = DeliveryOptions {
        id: DEAD_LETTERS.to_owned(),
        start: StartAt::Oldest,
        flush_interval: DEAD_LETTER_INTERVAL,
        checkpoint_interval: Duration::from_secs(30),
        buffer_memory: 8 * 1024 * 1024,
        max_open_files: 4,
        compression_level: 6,
        retry_min_interval: Duration::from_secs(1),
        retry_max_interval: Duration::from_secs(30),
        journal_max_size,
    };
    let lines = DeadLetterLines::new(data_dir.join("dead-letters"), metrics.clone());
    FileOutput::new(options, Box::new(lines), data_dir, journal, metrics)
}

/// Brings all archive files back to their last checkpoint, also those of outputs that the configuration no longer has.
/// Must come before anything reads or writes them, and under the journal's lock.
pub fn recover_all(data_dir: &Path, outputs: &[OutputConfig], metrics: &Metrics) -> Result<(), RecoverError> {
    let folder = data_dir.join("outputs");
    let failed = |source| RecoverError::File { path: folder.clone(), source };
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    let cursors = CursorFolder::new(data_dir);
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let Some(id) = path.file_name().and_then(|name| name.to_str()).filter(|_| path.is_dir()) else {
            continue;
        };
        let generation = cursors.load(id)?.map_or(0, |cursor| cursor.generation);
        let undone_folder = data_dir.join("undone").join(id);
        let recovered = recover(&RealDisk, &path, generation, &undone_folder)?;
        let output = metrics.output(id, "file");
        output.undone_files.inc_by(recovered.undone);
        for (path, what) in recovered.surprises {
            output.surprising_file(what);
            tracing::warn!(
                output = id, path = %path.display(), what,
                "an archive file is not what it was before the crash: somebody else changed it, and it is left alone"
            );
        }
        if recovered.undone > 0 {
            let max_size = outputs
                .iter()
                .find(|output| output.id == id)
                .map_or(DEFAULT_UNDONE_MAX_SIZE, |output| output.undone_max_size);
            limit_undone(&undone_folder, max_size)
                .map_err(|source| RecoverError::File { path: undone_folder.clone(), source })?;
            tracing::info!(
                output = id,
                files = recovered.undone,
                "archive files were cut back to their last checkpoint after a crash; their lines are written again"
            );
        }
    }
    Ok(())
}

/// Where the undo logs of an output lie.
fn undo_folder(data_dir: &Path, id: &str) -> PathBuf {
    data_dir.join("outputs").join(id)
}
