//! What outputs gave up, on its way to another output or to the dead letters.
//!
//! ```text
//! output ── gives up ──▶ DATA_DIR/given-up: a journal of its own ──▶ secondary (a file output)
//!                                                               └──▶ dead letters
//! ```
//!
//! An output that gives up a message appends it here and goes on once that is synced. It is a journal like the main one,
//! in a data folder of its own, so that everything behind it is exactly once by the same means: readers with cursors, and
//! files with checkpoints. And it is not the main one, which may be full just because this output does not get on.
//!
//! **Given up and delivered as well?** The output's own cursor may be saved long after. So the output has a cursor here
//! too, which stays until the other one has passed all that it gave up (`Hold`). At start everything behind it is read
//! (`Taken`), and what the output comes upon once more it passes over. Where a change of `chunk_size` or of filters
//! makes other messages of the same events in the very moment of a crash, some may be in both places: twice rather than
//! nowhere.
//!
//! **When it is full**, since its readers can't write, outputs that give up wait, and their events stay in the journal.

mod hold;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use hold::HoldError;
pub(super) use hold::{Hold, Taken};

use crate::chunk::{AckProof, Chunk, Encoding, HandedOver};
use crate::config::{Config, JournalConfig, OutputKind, WhenFull};
use crate::event_time::EventTime;
use crate::journal::{AppendError, Journal, OpenError};
use crate::metrics::JournalMetrics;
use crate::planted::{Bug, is_planted};
use crate::sender::Sender;

/// Segments on disk at which outputs that give up wait.
const MAX_SEGMENTS: u64 = 8;

/// The journal of what was given up.
#[derive(Debug, Clone)]
pub struct GivenUp {
    journal: Journal,
    data_dir: PathBuf,
}

/// Events that are given up, and who sent them.
#[derive(Debug)]
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
    pub fn open(config: &Config) -> Result<Option<Self>, OpenError> {
        let data_dir = config.server.data_dir.join("given-up");
        let can_give_up = config.outputs.iter().any(|output| match &output.kind {
            OutputKind::Forward(forward) => forward.give_up.is_some(),
            OutputKind::File(_) => false,
        });
        if !can_give_up && !data_dir.is_dir() {
            return Ok(None);
        }
        let journal =
            Journal::open(&data_dir, &Self::journal_config(&config.journal), JournalMetrics::unregistered())?;
        Ok(Some(Self::new(journal, data_dir)))
    }

    /// In this data folder, with this journal in it.
    pub(crate) fn new(journal: Journal, data_dir: PathBuf) -> Self {
        Self { journal, data_dir }
    }

    /// What its journal is like, beside such a main one.
    pub(crate) fn journal_config(main: &JournalConfig) -> JournalConfig {
        JournalConfig {
            max_size: MAX_SEGMENTS * main.segment_size,
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

    /// Bytes on disk at which outputs that give up wait.
    pub fn max_size(&self, segment_size: u64) -> u64 {
        MAX_SEGMENTS * segment_size
    }

    /// Resolves once the events are durable here, so that their output may go on.
    pub(super) async fn take(&self, abandoned: Abandoned) -> Result<(), AppendError> {
        let chunk = Chunk {
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
            handed_over: Some(Arc::new(abandoned.handed_over)),
            encoding: abandoned.encoding,
            entries: abandoned.entries,
        };
        let receipt = self.journal.append(chunk).await?;
        if is_planted(Bug::UnsyncedGivenUp) {
            return Ok(());
        }
        receipt.await.map(|_| ())
    }
}
