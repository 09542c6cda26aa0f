//! The file outputs of a configuration: brought back to their checkpoints, then opened.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::dead_letters::{DEAD_LETTERS, DeadLetterLines, GIVEN_UP};
use super::delivery::{DeliveryOptions, FileOutput};
use super::event_lines::EventLines;
use super::recovery::{Outcome, RecoveryError, RecoveryOptions, recover, set_undo_logs_aside};
use crate::config::{BacklogConfig, FileOutputConfig, OutputConfig, OutputKind, StartAt};
use crate::dead_letters::{self, Keeper, Store};
use crate::journal::{CursorError, CursorFolder, Home, Journal};
use crate::metrics::Metrics;
use crate::output::given_up::GivenUp;
use crate::pipeline::Pipeline;
use crate::storage::{Listed, Storage};

/// Bytes that are kept of what was cut off the files of an output that the configuration no longer has.
const DEFAULT_UNDONE_MAX_SIZE: u64 = 256 * 1024 * 1024;

/// The dead letters are few, and whoever looks for one should find it soon.
const DEAD_LETTER_INTERVAL: Duration = Duration::from_secs(1);

/// Archive files can't be brought back to their last checkpoint. The operator must act; nothing was delivered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    #[error("cannot list the outputs in {}: {source}", path.display())]
    List { path: PathBuf, source: io::Error },
    #[error("cannot find out whether the data folder {} was restored from a copy: {source}", path.display())]
    Home { path: PathBuf, source: io::Error },
    #[error("output {id}: {source}")]
    Output { id: String, source: RecoveryError },
    #[error(transparent)]
    Cursor(#[from] CursorError),
}

/// Makes a data folder that was restored from a copy this server's own.
fn settle(storage: &dyn Storage, data_dir: &Path) -> io::Result<()> {
    let home = Home::of(storage, data_dir)?;
    if home == Home::Restored {
        set_undo_logs_aside(storage, data_dir)?;
    }
    if home != Home::Own {
        Home::settle(storage, data_dir)?;
    }
    Ok(())
}

/// Brings all archive files back to their last checkpoint, also those of outputs that the configuration no longer has.
/// Must come before anything reads or writes them, and under the journal's lock.
pub fn recover_all(
    storage: &Arc<dyn Storage>,
    data_dir: &Path,
    outputs: &[OutputConfig],
    metrics: &Metrics,
) -> Result<(), RecoverError> {
    settle(storage.as_ref(), data_dir)
        .map_err(|source| RecoverError::Home { path: data_dir.to_owned(), source })?;
    let folder = data_dir.join("outputs");
    let mut listed =
        storage.list(&folder).map_err(|source| RecoverError::List { path: folder.clone(), source })?;
    if listed.is_empty() {
        return Ok(());
    }
    listed.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    let cursors = CursorFolder::on(Arc::clone(storage), data_dir);
    cursors.sync()?;
    for Listed { path, is_folder, .. } in listed {
        let Some(id) = path.file_name().and_then(|name| name.to_str()).filter(|_| is_folder) else {
            continue;
        };
        let options = RecoveryOptions {
            generation: cursors.load(id)?.map_or(0, |cursor| cursor.generation),
            undone_folder: data_dir.join("undone").join(id),
            undone_max_size: outputs
                .iter()
                .find_map(|output| match &output.kind {
                    OutputKind::File(file) if output.id == id => Some(file.undone_max_size),
                    _ => None,
                })
                .unwrap_or(DEFAULT_UNDONE_MAX_SIZE),
            undo_folder: path.clone(),
        };
        let report = recover(storage.as_ref(), &options)
            .map_err(|source| RecoverError::Output { id: id.to_owned(), source })?;
        report.count(&metrics.output(id, "file"));
        let undone =
            report.files.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Undone { .. })).count();
        if undone > 0 {
            tracing::info!(
                output = id, files = undone, kept_in = %options.undone_folder.display(),
                "archive files were cut back to their last checkpoint after a crash; their lines are written again"
            );
        }
    }
    Ok(())
}

/// Opens an output of the configuration.
pub fn open_output(
    config: &OutputConfig,
    file: &FileOutputConfig,
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
        flush_interval: file.flush_interval,
        checkpoint_interval: file.checkpoint_interval,
        buffer_memory: file.buffer_memory,
        max_open_files: file.max_open_files,
        compression_level: file.compression_level,
        retry_min_interval: config.retry_min_interval,
        retry_max_interval: config.retry_max_interval,
        journal_max_size,
        undone_max_size: file.undone_max_size,
        backlog: config.backlog.clone(),
    };
    let lines = EventLines::new(&config.id, file, pipeline, metrics.clone());
    FileOutput::new(options, Box::new(lines), data_dir, journal, metrics)
}

/// Opens the reader that takes the dead letters out of the journal. Every server has it. `max_size` bounds their files,
/// in bytes.
pub fn open_dead_letters(
    data_dir: &Path,
    journal: &Journal,
    journal_max_size: u64,
    max_size: Option<u64>,
    metrics: &Metrics,
) -> Result<FileOutput, CursorError> {
    let keeper = max_size.map(|max_size| {
        let metrics = metrics.dead_letters(DEAD_LETTERS);
        Keeper::new(Store::new(data_dir), false, max_size, Instant::now(), metrics)
    });
    let output_metrics = metrics.output(DEAD_LETTERS, "dead_letters");
    let letters = DeadLetterLines::new(dead_letters::folder(data_dir), keeper, output_metrics);
    open_letters(DEAD_LETTERS, letters, data_dir, journal, journal_max_size, metrics)
}

/// Opens the reader that makes dead letters of what outputs gave up; `max_size` bounds their files, in bytes.
pub fn open_given_up(
    data_dir: &Path,
    given_up: &GivenUp,
    journal_max_size: u64,
    max_size: Option<u64>,
    metrics: &Metrics,
) -> Result<FileOutput, CursorError> {
    let keeper = max_size.map(|max_size| {
        let metrics = metrics.dead_letters(GIVEN_UP);
        Keeper::new(Store::new(data_dir), true, max_size, Instant::now(), metrics)
    });
    let output_metrics = metrics.output(GIVEN_UP, "dead_letters");
    let letters = DeadLetterLines::new(dead_letters::folder(data_dir), keeper, output_metrics);
    open_letters(GIVEN_UP, letters, given_up.data_dir(), given_up.journal(), journal_max_size, metrics)
}

fn open_letters(
    id: &str,
    letters: DeadLetterLines,
    data_dir: &Path,
    journal: &Journal,
    journal_max_size: u64,
    metrics: &Metrics,
) -> Result<FileOutput, CursorError> {
    let options = DeliveryOptions {
        id: id.to_owned(),
        start: StartAt::Oldest,
        flush_interval: DEAD_LETTER_INTERVAL,
        checkpoint_interval: Duration::from_secs(30),
        buffer_memory: 8 * 1024 * 1024,
        max_open_files: 4,
        compression_level: 6,
        retry_min_interval: Duration::from_secs(1),
        retry_max_interval: Duration::from_secs(30),
        journal_max_size,
        undone_max_size: DEFAULT_UNDONE_MAX_SIZE,
        backlog: BacklogConfig::default(),
    };
    FileOutput::new(options, Box::new(letters), data_dir, journal, metrics.output(id, "dead_letters"))
}
