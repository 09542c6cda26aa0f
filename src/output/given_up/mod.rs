//! What outputs gave up, on its way to another output or to the dead letters.
//!
//! ```text
//! output ── gives up ──▶ DATA_DIR/given-up: a journal of its own ──▶ secondary (a file output)
//!                                                               └──▶ dead letters
//! ```
//!
//! An output that gives up a message, or what is for a file, appends it here and goes on once that is synced. It is a journal like the main one,
//! in a data folder of its own, so that everything behind it is exactly once by the same means: readers with cursors, and
//! files with checkpoints. And it is not the main one, which may be full just because this output does not get on.
//!
//! **Given up and delivered as well?** The output's own cursor may be saved long after. So the output has a cursor here
//! too, which stays until the other one has passed all that it gave up (`Hold`). At start everything behind it is read
//! (`Taken`; of a file output `TakenParts`, which goes on while it runs), and what the output comes upon once more it passes
//! over. Where a change of `chunk_size` or of filters
//! makes other messages of the same events in the very moment of a crash, some may be in both places: twice rather than
//! nowhere.
//!
//! **A message that is too large for a segment** goes in as a file, as large messages do in the main journal, and its
//! readers get it in pieces: a letter for each, the later ones under a message id of their own.
//!
//! **A secondary that is taken out of the configuration** leaves what it had still to take to the dead letters: at its
//! cursor goes on a reader that makes letters of it. Nobody hands anything over to it any more, so that it holds nothing.
//!
//! **When it is full**, since its readers can't write, outputs that give up wait, and their events stay in the journal.

mod hold;
mod orphans;
mod taken_parts;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;

pub use hold::HoldError;
pub(super) use hold::{Hold, Taken};
pub use orphans::forget_hold;
pub(super) use taken_parts::TakenParts;

use crate::chunk::{AckProof, Chunk, Encoding, HandedOver};
use crate::config::{Config, JournalConfig, OutputConfig, OutputKind, OutputTake, WhenFull};
use crate::event_time::EventTime;
use crate::journal::large::{LargeEntries, SpoolFolder};
use crate::journal::{AppendError, CursorError, Journal, OpenError, Receipt, Status};
use crate::metrics::Metrics;
use crate::planted::{Bug, is_planted};
use crate::sender::Sender;

/// Its data folder, in that of the server.
pub const FOLDER: &str = "given-up";

/// Segments on disk at which outputs that give up wait.
const MAX_SEGMENTS: u64 = 8;

/// Bytes of a large message that are written at once.
const PIECE: usize = 1024 * 1024;

/// Bytes of entries of one file that are handed over at once. An entry that is larger goes alone.
pub(super) const PART_SIZE: usize = 4 * 1024 * 1024;

/// How long until it is tried again to write one.
const RETRY: Duration = Duration::from_secs(1);

/// The journal of what was given up.
#[derive(Debug, Clone)]
pub struct GivenUp {
    journal: Journal,
    data_dir: PathBuf,
}

/// Events that are given up, and who sent them.
#[derive(Debug, Clone)]
pub(super) struct Abandoned {
    pub(super) sender: Sender,
    pub(super) input: Arc<str>,
    pub(super) received_at: EventTime,
    pub(super) tag: Bytes,
    pub(super) entries: Bytes,
    pub(super) encoding: Encoding,
    pub(super) entry_count: u32,
    /// Derived from where the events lie, so that the same ones are recognised.
    pub(super) id: Bytes,
    pub(super) handed_over: HandedOver,
}

impl GivenUp {
    /// Opens it where an output can give up, or where something is left from one that could; `None` elsewhere.
    pub fn open(config: &Config, metrics: &Metrics) -> Result<Option<Self>, OpenError> {
        let data_dir = config.server.data_dir.join(FOLDER);
        let can_give_up = config.outputs.iter().any(|output| match &output.kind {
            OutputKind::Forward(forward) => forward.give_up.is_some(),
            OutputKind::File(file) => file.give_up.is_some(),
        });
        if !can_give_up && !data_dir.is_dir() {
            return Ok(None);
        }
        let journal = Self::journal_config(&config.journal, largest_message(config));
        let journal = Journal::open(&data_dir, &journal, metrics.given_up_journal())?;
        Ok(Some(Self::new(journal, data_dir)))
    }

    /// In this data folder, with this journal in it.
    pub(crate) fn new(journal: Journal, data_dir: PathBuf) -> Self {
        Self { journal, data_dir }
    }

    /// What its journal is like, beside such a main one, for messages of so many bytes.
    pub(crate) fn journal_config(main: &JournalConfig, largest_message: u64) -> JournalConfig {
        JournalConfig {
            max_size: MAX_SEGMENTS * main.segment_size + largest_message,
            memory: 0,
            when_full: WhenFull::Block,
            retain: Duration::ZERO,
            ..main.clone()
        }
    }

    /// For its readers.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Where its readers keep their cursors and undo logs.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Why outputs that give up wait, for operators; `None` while they need not.
    pub fn refusal(&self) -> Option<String> {
        let folder = self.data_dir.display();
        match &*self.journal.status().borrow() {
            Status::Accepting => None,
            Status::Full => Some(format!(
                "{folder} is full and outputs that give up wait: who takes it is behind (the dead letters or a secondary), \
                 or it is held for an output that the configuration no longer has; see hikyaku journal ls --data-dir {folder}"
            )),
            Status::DiskFull => {
                Some(format!("the disk of {folder} is full and outputs that give up wait: free some space"))
            }
            Status::Stuck(reason) => Some(format!(
                "{folder} can't make its next segment and outputs that give up wait: {reason}. It tries again by itself"
            )),
            Status::Failed(reason) => {
                Some(format!("{folder} has failed, outputs can't give up, and it needs a restart: {reason}"))
            }
        }
    }

    /// Bytes on disk at which outputs that give up wait.
    pub fn max_size(&self, segment_size: u64) -> u64 {
        MAX_SEGMENTS * segment_size
    }

    /// Ids of outputs that were to take something, and that the configuration no longer has for that, sorted.
    pub fn forgotten(&self, config: &Config) -> Result<Vec<String>, CursorError> {
        let mut ids = self.journal.cursor_ids()?;
        // No output of a configuration has an `@` in its id.
        ids.retain(|id| !id.starts_with('@') && !config.outputs.iter().any(|output| takes(output, id)));
        Ok(ids)
    }

    /// Resolves once the events are durable here, so that their output may go on.
    pub(super) async fn take(&self, abandoned: Abandoned) -> Result<(), AppendError> {
        let chunk = chunk_of(abandoned);
        let receipt = match self.journal.append(chunk.clone()).await {
            Err(AppendError::TooLarge) => self.append_large(chunk).await?,
            receipt => receipt?,
        };
        if is_planted(Bug::UnsyncedGivenUp) {
            return Ok(());
        }
        receipt.await.map(|_| ())
    }

    /// Takes a chunk that is too large for a segment. Where its file can't be written, it tries again.
    async fn append_large(&self, chunk: Chunk) -> Result<Receipt, AppendError> {
        let mut is_told = false;
        loop {
            let (spools, entries) = (self.journal.spools().clone(), chunk.entries.clone());
            let Ok(runtime) = Handle::try_current() else {
                // Nobody else waits meanwhile, and nobody could wake whoever waits.
                let entries = spool(&spools, &entries).map_err(|_| AppendError::Full)?;
                return self.journal.append_large(chunk, entries).await;
            };
            let spooled = runtime.spawn_blocking(move || spool(&spools, &entries)).await;
            match spooled.unwrap_or_else(|error| Err(io::Error::other(error))) {
                Ok(entries) => return self.journal.append_large(chunk, entries).await,
                Err(error) if !std::mem::replace(&mut is_told, true) => tracing::error!(
                    %error, folder = %self.journal.spools().path().display(),
                    "cannot write what an output gives up: it waits, and tries again. Check free space and the disk"
                ),
                Err(_) => {}
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

fn chunk_of(abandoned: Abandoned) -> Chunk {
    Chunk {
        sender: Arc::new(abandoned.sender),
        input: abandoned.input,
        tag: abandoned.tag,
        id: Some(abandoned.id),
        received_at: abandoned.received_at,
        entry_count: abandoned.entry_count,
        has_bad_entries: false,
        has_metadata: true,
        refusal: None,
        proof: AckProof::default(),
        memory: None,
        handed_over: Some(Arc::new(abandoned.handed_over)),
        encoding: abandoned.encoding,
        entries: abandoned.entries,
    }
}

/// Puts entries into a file, durably. Blocks.
fn spool(spools: &SpoolFolder, entries: &Bytes) -> io::Result<LargeEntries> {
    let mut spool = spools.create()?;
    entries.chunks(PIECE).try_for_each(|piece| spool.write(piece))?;
    spool.finish()
}

/// Whether an output has this id, and takes what is given up.
fn takes(output: &OutputConfig, id: &str) -> bool {
    output.id == id && matches!(output.take, OutputTake::Secondary)
}

/// Bytes that the largest message of an output that gives up can have: all of its entries, and the last one of them
/// beyond the limit.
fn largest_message(config: &Config) -> u64 {
    let messages = config.outputs.iter().filter_map(|output| match &output.kind {
        OutputKind::Forward(forward) if forward.give_up.is_some() => Some(forward.chunk_size),
        OutputKind::File(file) if file.give_up.is_some() => Some(PART_SIZE),
        OutputKind::Forward(_) | OutputKind::File(_) => None,
    });
    let entries = config.inputs.iter().map(|input| input.max_entry_size);
    messages.max().unwrap_or_default() as u64 + entries.max().unwrap_or_default() as u64
}

#[cfg(test)]
mod tests;
