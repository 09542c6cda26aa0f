//! The journal on a real disk: what is kept, what is cut, what is let go.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod backlog;
mod compression;
mod damage;
mod damaged_end;
mod equal_content;
mod foreign;
mod formats;
mod full;
mod in_place;
mod kept_ids;
mod large;
mod missing;
mod reading;
mod recovery;
mod resends;
mod retention;
mod retried;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hikyaku::chunk::{AckProof, Chunk, Encoding};
use hikyaku::config::{JournalConfig, StartAt};
use hikyaku::event_time::EventTime;
use hikyaku::journal::{Appended, Journal, OpenError, Position, Reader};
use hikyaku::metrics::Metrics;
use hikyaku::sender::Sender;

pub(crate) const SEGMENT_SIZE: u64 = 64 * 1024;
pub(crate) const SEGMENT_HEADER_LENGTH: u64 = 64;

pub(crate) fn config() -> JournalConfig {
    JournalConfig {
        max_size: 4 * SEGMENT_SIZE,
        when_full: hikyaku::config::WhenFull::Block,
        segment_size: SEGMENT_SIZE,
        memory: 1024 * 1024,
        pace: Duration::ZERO,
        retain: Duration::ZERO,
        dedup_window: Duration::from_secs(600),
        dedup_max_ids: 1_000,
        compression: None,
        dedup_max_ids_by_sender: 1_000,
        dedup_max_size: 256 << 20,
    }
}

/// A journal in a folder of its own.
pub(crate) struct Bench {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) config: JournalConfig,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), metrics: Metrics::new("test", 10), config: config() }
    }

    /// Opens the journal, with an output that delivers nothing and so holds everything.
    pub(crate) fn open(&self) -> Journal {
        let journal = self.try_open().unwrap();
        journal.attach("holder", StartAt::Oldest).unwrap();
        journal
    }

    pub(crate) fn try_open(&self) -> Result<Journal, OpenError> {
        Journal::open(self.path(), &self.config, self.metrics.journal.clone())
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn segment(&self, number: u64) -> PathBuf {
        self.path().join(format!("journal/{number:016}.seg"))
    }

    /// Leaves the journal as after a kill: nothing says how far it was synced.
    pub(crate) fn forget_synced(&self) {
        std::fs::remove_file(self.path().join("journal/synced")).unwrap();
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path().join("journal"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// A chunk without an id, told from others by its content.
pub(crate) fn chunk(content: &[u8]) -> Chunk {
    Chunk {
        sender: Arc::new(Sender::from_address([127, 0, 0, 1].into())),
        input: "edge".into(),
        tag: Bytes::from_static(b"nginx.access"),
        id: None,
        received_at: EventTime::from_unix_nanoseconds(1_760_000_000_000_000_000),
        entry_count: 1,
        has_bad_entries: false,
        has_metadata: false,
        refusal: None,
        proof: AckProof::default(),
        memory: None,
        handed_over: None,
        encoding: Encoding::Plain,
        entries: Bytes::copy_from_slice(content),
    }
}

/// A chunk that asks for an acknowledgement.
pub(crate) fn chunk_with_id(id: &[u8], content: &[u8]) -> Chunk {
    Chunk { id: Some(Bytes::copy_from_slice(id)), ..chunk(content) }
}

/// Appends and waits until it is durable.
pub(crate) async fn append(journal: &Journal, chunk: Chunk) -> Appended {
    journal.append(chunk).await.unwrap().await.unwrap()
}

/// The contents of all chunks that can be read now.
pub(crate) fn contents(reader: &mut Reader) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| reader.try_next().unwrap()).map(|chunk| chunk.entries().to_vec()).collect()
}

pub(crate) fn start() -> Position {
    Position::new(1, SEGMENT_HEADER_LENGTH)
}
