//! The loop of a file output, one step after the other (`step.rs`): read, filter, format, flush, checkpoint (`checkpoint.rs`).

mod checkpoint;
mod error;
mod giving_up;
mod replay;
mod skip;
mod step;
mod take_back;
mod waiting;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::archive::{Archive, ArchiveOptions};
use super::lines::Lines;
use super::recovery::RecoveryOptions;
use crate::config::{BacklogConfig, CompressionLevel, StartAt};
use crate::journal::cursor_attributes::THROTTLE;
use crate::journal::durable::create_folder;
use crate::journal::{CursorError, Journal, OutputCursor, Position, Reader, Skip, Status};
use crate::metrics::OutputMetrics;
use crate::output::{Controls, Output, OutputError};
use crate::pipeline::throttle_state::ThrottleState;
use crate::storage::Storage;
pub(crate) use error::DeliveryError;
use giving_up::GivingUp;
pub(crate) use step::Next;

/// An output that archives events in files.
#[derive(Debug)]
pub struct FileOutput {
    options: DeliveryOptions,
    reader: Reader,
    journal_status: watch::Receiver<Status>,
    cursor: OutputCursor,
    /// Tells when there is something to leave behind.
    skips: watch::Receiver<Option<Skip>>,
    lines: Box<dyn Lines>,
    storage: Arc<dyn Storage>,
    archive: Archive,
    archive_options: ArchiveOptions,
    recovery: RecoveryOptions,
    /// Whether the files must be taken back to the last checkpoint before they are written to again.
    must_recover: bool,
    /// Why no checkpoint holds, while none does.
    held_up: watch::Sender<Option<String>>,
    is_held_up: bool,
    metrics: OutputMetrics,
    /// Where the files are once everything in memory is written: behind the last chunk that was read.
    flushed: Position,
    /// What its filters had counted there.
    throttled: ThrottleState,
    /// Files that are being given up.
    giving_up: Option<GivingUp>,
    /// Of the journal that they are given up into; `None` where they can't be.
    given_up_status: Option<watch::Receiver<Status>>,
    /// When the oldest line in memory is due in its file.
    flush_due: Option<Instant>,
    /// When the cursor is due, once it is behind.
    checkpoint_due: Option<Instant>,
    retry_wait: Duration,
    /// When to give up waiting after being told to stop.
    patience_ends: Option<tokio::time::Instant>,
}

/// When an output writes and saves, and within which limits.
#[derive(Debug, Clone)]
pub(super) struct DeliveryOptions {
    pub(super) id: String,
    pub(super) start: StartAt,
    pub(super) flush_interval: Duration,
    pub(super) checkpoint_interval: Duration,
    pub(super) buffer_memory: usize,
    pub(super) max_open_files: usize,
    pub(super) compression_level: CompressionLevel,
    pub(super) compression_threads: usize,
    pub(super) retry_min_interval: Duration,
    pub(super) retry_max_interval: Duration,
    pub(super) journal_max_size: u64,
    pub(super) undone_max_size: u64,
    pub(super) backlog: BacklogConfig,
}

impl FileOutput {
    /// Takes up the cursor of an output, or makes one. Its files must have been recovered before.
    pub(super) fn new(
        options: DeliveryOptions,
        mut lines: Box<dyn Lines>,
        data_dir: &Path,
        journal: &Journal,
        metrics: OutputMetrics,
    ) -> Result<Self, CursorError> {
        let cursor = journal.attach(&options.id, options.start)?;
        cursor.limit_backlog(&options.backlog);
        let undo_folder = data_dir.join("outputs").join(&options.id);
        create_folder(journal.storage().as_ref(), &undo_folder).map_err(|source| CursorError::Io {
            action: "make the folder beside",
            path: undo_folder.clone(),
            source,
        })?;
        let position = cursor.saved().position;
        lines.resume(cursor.attribute(THROTTLE));
        let given_up_status = lines.give_up().map(|give_up| {
            give_up.set_replays(&cursor.saved().replays);
            give_up.status()
        });
        let recovery = RecoveryOptions {
            undo_folder: undo_folder.clone(),
            generation: cursor.saved().generation,
            undone_folder: data_dir.join("undone").join(&options.id),
            undone_max_size: options.undone_max_size,
        };
        let archive_options = ArchiveOptions {
            undo_folder,
            generation: cursor.saved().generation,
            max_open_files: options.max_open_files,
            compression_level: options.compression_level,
            compression_threads: options.compression_threads,
            is_cautious: false,
        };
        Ok(Self {
            reader: journal.reader(position),
            journal_status: journal.status(),
            throttled: lines.throttled(),
            lines,
            storage: Arc::clone(journal.storage()),
            archive: Archive::new(Arc::clone(journal.storage()), archive_options.clone(), metrics.clone()),
            archive_options,
            recovery,
            must_recover: false,
            held_up: watch::Sender::new(None),
            is_held_up: false,
            skips: cursor.skip_requests(),
            cursor,
            metrics,
            flushed: position,
            giving_up: None,
            given_up_status,
            flush_due: None,
            checkpoint_due: None,
            retry_wait: options.retry_min_interval,
            patience_ends: None,
            options,
        })
    }

    /// Bytes of the journal that it still has to deliver.
    pub fn bytes_to_deliver(&self) -> u64 {
        self.cursor.bytes_to_deliver(self.reader.position())
    }

    /// Why the output can't go on before its files are back at their last checkpoint and a new one holds; `None` while
    /// all is well.
    pub fn held_up(&self) -> watch::Receiver<Option<String>> {
        self.held_up.subscribe()
    }

    fn update_gauges(&self) {
        let behind = self.cursor.bytes_to_deliver(self.reader.position()) as i64;
        let staged = self.archive.buffered_bytes() as i64;
        self.metrics.buffer_stage_bytes.set(staged);
        self.metrics.buffer_queue_bytes.set(behind);
        self.metrics.buffer_total_bytes.set(staged + behind);
    }

    fn fatal(&self, error: &dyn std::error::Error) -> OutputError {
        OutputError { id: self.options.id.clone(), reason: error.to_string() }
    }
}

impl Output for FileOutput {
    fn id(&self) -> &str {
        &self.options.id
    }

    fn run(mut self: Box<Self>, mut controls: Controls) -> Result<(), OutputError> {
        loop {
            let stopping = controls.stop.is_cancelled();
            let asked = controls.flush_requests.has_changed().unwrap_or(false);
            let advanced = self.advance(Instant::now(), asked);
            if asked && advanced.is_ok() {
                controls.flush_requests.mark_unchanged();
            }
            match advanced {
                // However much there is to replay, it goes on after the restart.
                Ok(Next::GoOn) if stopping && self.cursor.saved().replays.current.is_some() => {
                    return self.finish_handing_over(&mut controls);
                }
                // It is no progress yet that a file took what its disk may refuse at the next sync.
                Ok(Next::GoOn) if self.is_held_up => {}
                Ok(Next::GoOn) => self.retry_wait = self.options.retry_min_interval,
                Ok(Next::CaughtUp) if stopping => return self.finish_handing_over(&mut controls),
                Ok(Next::CaughtUp) => self.wait(&mut controls),
                Err(error) if error.needs_restart() => return Err(self.fatal(&error)),
                Err(DeliveryError::HandingOver) if self.wait_for_hand_over(&mut controls) => {}
                Err(error) => {
                    if matches!(error, DeliveryError::Read(_)) {
                        self.metrics.num_errors.inc();
                    }
                    if stopping {
                        tracing::warn!(
                            output = self.options.id, %error,
                            "stopping with undelivered events: they are kept in the journal"
                        );
                        return Ok(());
                    }
                    self.retry(&error, &mut controls);
                }
            }
        }
    }
}
