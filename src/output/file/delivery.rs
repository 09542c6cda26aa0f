//! The loop of a file output: read, filter, format, flush, checkpoint.

mod giving_up;
mod skip;
mod take_back;
mod waiting;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::archive::{Archive, ArchiveOptions};
use super::error::{ArchiveError, SaveCursorError};
use super::lines::Lines;
use super::recovery::{RecoveryError, RecoveryOptions};
use crate::config::{BacklogConfig, CompressionLevel, StartAt};
use crate::journal::cursor_attributes::THROTTLE;
use crate::journal::durable::create_folder;
use crate::journal::{
    AppendError, CursorError, Journal, OutputCursor, Position, ReadError, Reader, SavedCursor, Skip,
    SkipError, Status,
};
use crate::metrics::OutputMetrics;
use crate::output::{Controls, Output, OutputError};
use crate::pipeline::throttle_state::ThrottleState;
use crate::storage::Storage;
use giving_up::GivingUp;

/// Between two checkpoints an output reads no more than this part of the journal, so that it can be let go in time.
const CHECKPOINTS_IN_A_JOURNAL: u64 = 4;

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

/// What is tried again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeliveryError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Skip(#[from] SkipError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error(transparent)]
    Request(#[from] CursorError),
    /// It goes on when that has come further.
    #[error("what it gives up is not durable elsewhere yet; everything is kept in the journal until it is")]
    HandingOver,
    #[error("it can't give up a file: {0}")]
    GiveUp(AppendError),
}

impl DeliveryError {
    /// Whether only a restart helps.
    pub(crate) fn needs_restart(&self) -> bool {
        matches!(self, Self::GiveUp(_))
    }
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

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    GoOn,
    CaughtUp,
}

impl FileOutput {
    /// Does whatever is due, or `asked` for, and takes one chunk. It asks no clock and waits for nothing.
    ///
    /// After an error that leaves the files uncertain, it begins with recovering them the next time.
    pub(crate) fn advance(&mut self, now: Instant, asked: bool) -> Result<Next, DeliveryError> {
        let advanced = self.step(now, asked);
        match &advanced {
            Err(DeliveryError::Archive(error)) if error.needs_recovery() => self.abandon_after(error),
            // What kept the files from being recovered may be another thing by now.
            Err(error @ DeliveryError::Recovery(_)) => self.hold_up(error),
            Err(error) if self.is_held_up => self.hold_up(error),
            _ => {}
        }
        advanced
    }

    fn step(&mut self, now: Instant, asked: bool) -> Result<Next, DeliveryError> {
        self.find_out()?;
        if let Some(give_up) = self.lines.give_up() {
            give_up.set_time(now);
        }
        if let Some(skip) = self.cursor.requested_skip() {
            self.leave_behind(skip)?;
        }
        if self.must_recover {
            self.take_back()?;
        }
        self.go_on_giving_up()?;
        let is_due = |due: Option<Instant>| due.is_some_and(|due| due <= now);
        let housekeeping = is_due(self.lines.housekeeping_due());
        let unproven = self.is_held_up && self.cursor.saved().position != self.reader.position();
        let checkpoint =
            asked || housekeeping || unproven || is_due(self.checkpoint_due) || self.journal_needs_space();
        let is_full = self.archive.buffered_bytes() >= self.options.buffer_memory;
        let is_unfinished = self.archive.is_half_flushed();
        if checkpoint
            || is_unfinished
            || is_due(self.flush_due)
            || is_full
            || self.archive.is_worth_flushing()
        {
            self.flush()?;
        }
        if checkpoint {
            self.checkpoint()?;
        }
        if housekeeping {
            self.lines.keep_house(now);
        }
        if asked && self.obey()? {
            return Ok(Next::GoOn);
        }
        if self.cursor.saved().ends_replay(self.reader.position()) {
            return self.end_replay();
        }
        self.leave_room_for_more()?;
        let chunk = self.reader.try_next()?;
        let next = chunk.as_ref().map_or(Position::END, |chunk| chunk.position);
        if self.cursor.saved().ends_replay(next) {
            return self.end_replay();
        }
        let Some(chunk) = chunk else {
            if self.is_held_up {
                self.flush()?;
                self.checkpoint()?;
                self.all_is_well();
            }
            self.let_go_of_what_was_given_up();
            return Ok(Next::CaughtUp);
        };
        self.lines.take(&chunk, &mut self.archive);
        self.checkpoint_due.get_or_insert(now + self.options.checkpoint_interval);
        if self.archive.buffered_bytes() > 0 {
            self.flush_due.get_or_insert(now + self.options.flush_interval);
        }
        self.metrics.emit_count.inc();
        self.update_gauges();
        Ok(Next::GoOn)
    }

    /// Writes the large pieces that are under way, as the thread would that a simulation does not have.
    #[cfg(feature = "simulation")]
    pub(crate) fn write_pieces(&mut self) {
        self.archive.write_pieces();
    }

    /// The last words of an output that has delivered everything.
    pub(crate) fn finish(&mut self) -> Result<(), OutputError> {
        if let Err(error) = self.save_all() {
            tracing::warn!(
                output = self.options.id, %error,
                "stopping with unsaved events: they are kept in the journal"
            );
        }
        Ok(())
    }

    /// Writes and saves everything that was read.
    fn save_all(&mut self) -> Result<(), DeliveryError> {
        self.flush()?;
        Ok(self.checkpoint()?)
    }

    /// Writes everything in memory into its files, but for files that are given up.
    fn write(&mut self) -> Result<(), ArchiveError> {
        let generation = self.archive.generation();
        let (cursor, flushed, throttled) = (&mut self.cursor, self.flushed, &self.throttled);
        let result = self.archive.flush(&mut |generation| save(cursor, flushed, throttled, generation));
        if self.archive.generation() != generation {
            self.lines.saved();
        }
        result?;
        self.flushed = self.reader.position();
        self.throttled = self.lines.throttled();
        self.flush_due = None;
        self.lines.written();
        self.update_gauges();
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<(), ArchiveError> {
        if self.cursor.saved().position != self.flushed {
            let (cursor, flushed, throttled) = (&mut self.cursor, self.flushed, &self.throttled);
            self.archive.checkpoint(&mut |generation| save(cursor, flushed, throttled, generation))?;
            self.lines.saved();
            self.all_is_well();
        }
        self.checkpoint_due = None;
        let position = self.cursor.saved().position;
        if let Some(give_up) = self.lines.give_up() {
            give_up.saved(position);
        }
        Ok(())
    }

    /// Takes up what an operator asked for, right after a checkpoint; `false` where there is nothing to do.
    fn obey(&mut self) -> Result<bool, DeliveryError> {
        let Some(asked) = self.cursor.asked(self.flushed)? else { return Ok(false) };
        let position = self.cursor.saved().position;
        if let Some(give_up) = self.lines.give_up() {
            give_up.release(position)?;
        }
        self.jump(asked)?;
        self.cursor.forget_request();
        match asked.replays.current {
            Some(replay) => tracing::info!(
                output = self.options.id, number = asked.replays.count, from = %asked.position, until = %replay.until,
                "a replay begins: what was delivered is delivered again"
            ),
            None => tracing::info!(output = self.options.id, "a replay was cancelled"),
        }
        Ok(true)
    }

    /// Goes on where the output was before the replay.
    fn end_replay(&mut self) -> Result<Next, DeliveryError> {
        self.flush()?;
        let resumed = self.cursor.saved().resumed();
        self.jump(resumed)?;
        tracing::info!(output = self.options.id, number = resumed.replays.count, "a replay is delivered");
        Ok(Next::GoOn)
    }

    /// Saves a cursor that goes on elsewhere than the files are, and follows it. Everything must be flushed.
    fn jump(&mut self, to: SavedCursor) -> Result<(), ArchiveError> {
        // What filters had counted belongs to where the files are. Nobody knows what they would have counted up to there,
        // so that windows begin anew.
        self.cursor.keep(Vec::new());
        let cursor = &mut self.cursor;
        self.archive.checkpoint(&mut |generation| replace(cursor, SavedCursor { generation, ..to }))?;
        self.lines.saved();
        if let Some(give_up) = self.lines.give_up() {
            give_up.jumped(&to.replays);
        }
        self.reader = self.cursor.reader(to.position);
        self.flushed = to.position;
        self.lines.resume(None);
        self.throttled = self.lines.throttled();
        self.checkpoint_due = None;
        Ok(())
    }

    /// Whether senders wait for this output, or soon would.
    fn journal_needs_space(&self) -> bool {
        let saved = self.cursor.saved().position;
        if saved == self.reader.position() {
            return false;
        }
        let read = self.reader.bytes_since(saved);
        let is_full = self.journal_status.borrow().is_waiting();
        is_full || read > self.options.journal_max_size / CHECKPOINTS_IN_A_JOURNAL
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

/// Saves a cursor, and says what is on disk if that fails.
fn save(
    cursor: &mut OutputCursor,
    position: Position,
    throttled: &ThrottleState,
    generation: u64,
) -> Result<(), SaveCursorError> {
    cursor.keep(throttled.attribute());
    let saved = SavedCursor { position, generation, ..*cursor.saved() };
    replace(cursor, saved)
}

fn replace(cursor: &mut OutputCursor, with: SavedCursor) -> Result<(), SaveCursorError> {
    cursor.replace(with).map_err(|error| match error {
        CursorError::Uncertain { .. } => SaveCursorError::Uncertain(io::Error::other(error)),
        error => SaveCursorError::Unchanged(io::Error::other(error)),
    })
}
