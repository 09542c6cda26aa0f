//! Opening file outputs, and the readers that write dead letters.

use std::path::Path;
use std::time::{Duration, Instant};

use super::dead_letters::{DEAD_LETTERS, DeadLetterLines, GIVEN_UP};
use super::delivery::{DeliveryOptions, FileOutput};
use super::event_lines::EventLines;
use super::give_up::GiveUp;
use crate::config::{BacklogConfig, FileOutputConfig, OutputConfig, StartAt};
use crate::dead_letters::{self, Keeper, Store};
use crate::journal::{CursorError, Journal};
use crate::metrics::Metrics;
use crate::output::given_up::{GivenUp, HoldError};
use crate::pipeline::Pipeline;

/// Bytes that are kept of what was cut off the files of an output that says nothing about it.
pub(super) const DEFAULT_UNDONE_MAX_SIZE: u64 = 256 * 1024 * 1024;

/// The dead letters are few, and whoever looks for one should find it soon.
const DEAD_LETTER_INTERVAL: Duration = Duration::from_secs(1);

/// Opens an output of the configuration. `given_up`: where it gives files up to; `None` for one that gets what others gave
/// up, and where nobody can.
#[allow(clippy::too_many_arguments, reason = "each is another part of the server")]
pub fn open_output(
    config: &OutputConfig,
    file: &FileOutputConfig,
    data_dir: &Path,
    journal: &Journal,
    journal_max_size: u64,
    given_up: Option<&GivenUp>,
    pipeline: &Pipeline,
    metrics: &Metrics,
) -> Result<FileOutput, HoldError> {
    let give_up = given_up.map(|given_up| {
        let (limit, interval) = (file.give_up.as_ref(), config.retry_max_interval);
        GiveUp::open(&config.id, limit, interval, journal, given_up, metrics.given_up(&config.id))
    });
    let give_up = give_up.transpose()?.flatten();
    let metrics = metrics.output(&config.id, "file");
    let options = DeliveryOptions {
        id: config.id.clone(),
        start: config.start,
        flush_interval: file.flush_interval,
        checkpoint_interval: file.checkpoint_interval,
        buffer_memory: file.buffer_memory,
        max_open_files: file.max_open_files,
        compression_level: file.compression_level,
        compression_threads: file.compression_threads,
        retry_min_interval: config.retry_min_interval,
        retry_max_interval: config.retry_max_interval,
        journal_max_size,
        undone_max_size: file.undone_max_size,
        backlog: config.backlog.clone(),
    };
    let lines = EventLines::new(&config.id, file, pipeline, give_up, metrics.clone());
    Ok(FileOutput::new(options, Box::new(lines), data_dir, journal, metrics)?)
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

/// Opens the reader that makes dead letters of what was given up to an output which is no more.
pub fn open_forgotten(
    id: &str,
    data_dir: &Path,
    given_up: &GivenUp,
    journal_max_size: u64,
    metrics: &Metrics,
) -> Result<FileOutput, CursorError> {
    let letters =
        DeadLetterLines::in_place_of(id, dead_letters::folder(data_dir), metrics.output(id, "dead_letters"));
    open_letters(id, letters, given_up.data_dir(), given_up.journal(), journal_max_size, metrics)
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
        compression_level: crate::config::CompressionLevel::Fixed(6),
        compression_threads: 1,
        retry_min_interval: Duration::from_secs(1),
        retry_max_interval: Duration::from_secs(30),
        journal_max_size,
        undone_max_size: DEFAULT_UNDONE_MAX_SIZE,
        backlog: BacklogConfig::default(),
    };
    FileOutput::new(options, Box::new(letters), data_dir, journal, metrics.output(id, "dead_letters"))
}
