//! Giving up files that can't be written, so that all others go on.
//!
//! A single file that can't be written (a file where its folder must be, a name that is too long, a full quota) would
//! hold up its output for ever: a checkpoint says how far *all* files are. With `retry_timeout` it is given up after that
//! time (`patience.rs`), and what is for it goes, as filtered, to another output or to the dead letters
//! ([`given_up`](crate::output::given_up)).
//!
//! # What was read already
//!
//! The lines of the file that are in memory can't be turned back into events. So everything since the last flush is read
//! once more from the journal, for this file alone (`delivery/giving_up.rs`), its events are handed over, and its lines
//! forgotten. Nothing of them is in the file: each flush writes the lines of a file whole or not at all, and nothing more is
//! read while a flush is half done.
//!
//! # What comes next
//!
//! From then on what comes for the file is handed over when it is read. Once in `retry_max_interval` it goes into memory
//! instead, and the next flush shows whether the file can be written again (`broken_files.rs`). If not, the above happens
//! once more.
//!
//! # Once
//!
//! * No checkpoint is saved before everything that was handed over before it is durable in the journal of what was given up
//!   (`hand_over.rs`). Where that is full or can't be written, the output waits, and everything stays in the journal.
//! * What was handed over and comes again, since the output went back to its checkpoint or was restarted, is passed over, even
//!   if its file can be written by then. It is known by the place of its chunk, its file, its tag and the number of its part
//!   (`parts.rs`); after a restart, from the journal of what was given up. A change of filters or paths in the very moment of
//!   a crash may make other parts of the same events: twice rather than nowhere.
//! * An output does not leave a backlog behind while something is handed over that no checkpoint covers: what is left
//!   behind is whole segments.

mod broken_files;
mod hand_over;
mod parts;
mod patience;

use std::path::Path;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::archive::FailedFile;
use super::dead_letters::DEAD_LETTERS;
use crate::config::GiveUpConfig;
use crate::journal::{AppendError, CursorError, Journal, Position, Replays, Status, StoredChunk};
use crate::metrics::GivenUpMetrics;
use crate::output::given_up::{GivenUp, Hold, HoldError};
use crate::pipeline::Event;
use broken_files::{BrokenFiles, Way};
use hand_over::{HandOver, in_hex};
use parts::{Parts, Sorted};
pub(super) use patience::Hopeless;
use patience::Patience;

/// Files that get a line each in the log when they are given up together; the rest is counted.
const MAX_LINES: usize = 5;

/// What one output gives up.
#[derive(Debug)]
pub(super) struct GiveUp {
    output: String,
    /// `None`: nothing any more, but what was given up before may come again.
    patience: Option<Patience>,
    broken: BrokenFiles,
    parts: Parts,
    hand_over: HandOver,
    now: Instant,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes into its file.
    Written,
    /// It goes to whoever gets what is given up.
    HandedOver,
    /// It was handed over before.
    PassedOver,
}

impl GiveUp {
    /// For the output with this id, which reads this journal. `None` where it can't give up, and never did.
    pub(super) fn open(
        output: &str,
        config: Option<&GiveUpConfig>,
        interval: Duration,
        journal: &Journal,
        given_up: &GivenUp,
        metrics: GivenUpMetrics,
    ) -> Result<Option<Self>, HoldError> {
        if config.is_none() && !Hold::is_there(given_up, output)? {
            return Ok(None);
        }
        let journal = in_hex(&journal.id());
        let (hold, taken) = Hold::open(given_up, output, &journal)?;
        let to = config.and_then(|config| config.secondary.as_deref()).unwrap_or(DEAD_LETTERS);
        let before = (hold, taken.into_parts());
        let after = config.map_or(Duration::ZERO, |config| config.after);
        Ok(Some(Self {
            output: output.to_owned(),
            patience: config.map(|config| Patience::new(config.after)),
            broken: BrokenFiles::new(after, interval),
            parts: Parts::default(),
            hand_over: HandOver::new(output, to, journal, given_up, before, metrics),
            now: Instant::now(),
        }))
    }

    /// What is read from now on is that of these replays.
    pub(super) fn set_replays(&mut self, replays: &Replays) {
        self.hand_over.set_replays(replays);
    }

    /// What time it is, until the next time.
    pub(super) fn set_time(&mut self, now: Instant) {
        self.now = now;
        self.broken.tidy(now);
    }

    /// A chunk, or a piece of one, is read. Whether each of its events has to be asked for ([`fate`](Self::fate)); otherwise
    /// only those whose file has no slot.
    pub(super) fn begin(&mut self, chunk: &StoredChunk) -> bool {
        self.parts.begin(chunk.position);
        self.hand_over.taken().knows(chunk.position)
    }

    /// Takes an event for a file, unless it goes into the file.
    pub(super) fn fate(&mut self, chunk: &StoredChunk, path: &Path, event: &Event<'_>) -> Fate {
        let is_known = self.hand_over.taken().knows(chunk.position);
        let keep = !self.broken.is_empty() && self.broken.way(path, self.now) == Way::HandOver;
        if !keep && !is_known {
            return Fate::Written;
        }
        match self.parts.sort(path, event, self.hand_over.taken(), keep) {
            Sorted::New => Fate::Written,
            Sorted::Kept => Fate::HandedOver,
            Sorted::Taken => Fate::PassedOver,
        }
    }

    /// Takes an event for a file that is just being given up; whether it was not taken before.
    pub(super) fn take(&mut self, path: &Path, event: &Event<'_>) -> bool {
        self.parts.sort(path, event, self.hand_over.taken(), true) == Sorted::Kept
    }

    /// A chunk is over: sends on its way what was taken of it.
    pub(super) fn end(&mut self, chunk: &StoredChunk, hopeless: &Hopeless) {
        for part in self.parts.finish() {
            let path = Path::new(&part.file.path);
            let file = hopeless.get(path);
            let attempts = file.map_or(0, |file| file.tries);
            let reason = file.map(|file| file.reason.as_str()).or_else(|| self.broken.reason(path));
            let reason =
                format!("{} was given up: {}", part.file.path, reason.unwrap_or("it can't be written"));
            self.hand_over.submit(chunk, part, &reason, attempts);
        }
    }

    /// Takes what a flush could not write, and gives what is to be given up of it.
    pub(super) fn judge(&mut self, failed: Vec<FailedFile>) -> Hopeless {
        match &mut self.patience {
            Some(patience) => patience.judge(failed, &self.broken, self.now),
            None => Hopeless::new(),
        }
    }

    /// These files were given up.
    pub(super) fn gave_up(&mut self, files: &Hopeless) {
        let mut lines = 0;
        for (path, file) in files {
            if !self.broken.gave_up(path, file.kind, &file.reason, self.now) {
                continue;
            }
            lines += 1;
            if lines <= MAX_LINES {
                tracing::error!(
                    output = self.output, path = %path.display(), reason = file.reason, to = self.hand_over.to(),
                    failing_for_seconds = self.now.duration_since(file.since).as_secs_f64(),
                    "gave up a file that can't be written: what is for it goes elsewhere until it can be. Mend its folder, \
                     permissions or disk; it is tried again by itself, and hikyaku dead-letter retry brings what went to the \
                     dead letters into it"
                );
            }
        }
        if lines > MAX_LINES {
            tracing::error!(output = self.output, files = lines - MAX_LINES, "gave up more files with these");
        }
    }

    /// A flush has written everything.
    pub(super) fn written(&mut self) {
        for path in self.broken.all_is_written() {
            tracing::info!(
                output = self.output, path = %path.display(),
                "a file that was given up can be written again: what comes for it goes into it"
            );
        }
        if let Some(patience) = &mut self.patience {
            patience.all_is_written();
        }
    }

    /// What was in memory is forgotten.
    pub(super) fn abandoned(&mut self) {
        self.broken.abandoned();
    }

    /// Ready once everything that was handed over is durable elsewhere.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AppendError>> {
        self.hand_over.poll(context)
    }

    /// Whether something is on its way.
    pub(super) fn is_pending(&self) -> bool {
        self.hand_over.is_pending()
    }

    /// Whether so much is on its way that nothing more may be read.
    pub(super) fn is_full(&self) -> bool {
        self.hand_over.is_full()
    }

    /// Whether something was handed over that no checkpoint covers.
    pub(super) fn is_ahead(&self) -> bool {
        self.hand_over.is_ahead()
    }

    /// A checkpoint was saved.
    pub(super) fn saved(&mut self, position: Position) {
        self.hand_over.saved(position);
    }

    /// Lets go of everything before a saved checkpoint, so that a replay is no repetition.
    pub(super) fn release(&mut self, position: Position) -> Result<(), CursorError> {
        self.hand_over.release(position)
    }

    /// The output goes on elsewhere, and that is saved.
    pub(super) fn jumped(&mut self, replays: &Replays) {
        self.hand_over.jumped();
        self.set_replays(replays);
    }

    /// The journal that is handed over into.
    pub(super) fn status(&self) -> tokio::sync::watch::Receiver<Status> {
        self.hand_over.hold().journal().status()
    }
}
