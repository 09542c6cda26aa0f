//! The journal: a folder of append-only segment files, and the only truth about what was received.
//!
//! * [`Journal::append`] hands a chunk to the one thread that writes (`writer.rs`). It collects what is waiting, writes
//!   it, syncs once for all of it, and only then shows it to readers and answers the senders. Chunks that are sent
//!   again are recognised by sender, tag and id (`dedup.rs`).
//! * [`Reader`] follows from any position: from memory while it keeps up, from disk where it does not.
//! * [`OutputCursor`] says how far an output has come. A segment goes once every cursor has passed it; while its chunk
//!   ids are still needed, its footer is left behind (`left_behind.rs`).
//! * Which segments there must be, and how far they were synced, is known without them (`missing.rs`, `synced_mark.rs`).
//! * Opening (`open.rs`) scans the one segment that was not sealed, cuts its torn tail, makes what is kept durable
//!   again, and reads the footers of the others. Damage in the middle is set aside and counted (`damage.rs`).
//! * An output that is too far behind is asked to leave segments behind (`backlog.rs`, `skip.rs`), which may be set aside
//!   for it ([`SetAside`]).
//! * Messages that are too large for memory come as files, and go out in pieces ([`large`](mod@large)).
//! * After a failed sync the journal is finished: it answers nothing more, says so, and a restart recovers. The page
//!   cache may then show bytes that never reached the disk, and a second sync may well succeed without them.
//!
//! The bytes are drawn in [`format`](mod@format).

mod active_segment;
mod append;
mod backlog;
mod commit_buffer;
mod cursor;
pub mod cursor_attributes;
mod damage;
mod dedup;
pub(crate) mod durable;
#[cfg(test)]
mod fake_segment;
pub mod format;
mod frame_reader;
mod home;
pub mod inspect;
mod kept_ids;
pub mod large;
mod left_behind;
mod missing;
#[cfg(test)]
mod name_tests;
mod next_segment;
mod open;
mod output_cursor;
mod packing;
mod position;
#[cfg(test)]
mod power_tests;
mod read_ahead;
mod reader;
mod recent;
mod remaining;
mod removal;
pub mod replay;
mod retention;
mod scan;
mod segment_file;
mod set_aside;
mod shared;
mod skip;
#[cfg(test)]
mod stuck_tests;
mod synced_mark;
#[cfg(test)]
mod trouble_tests;
#[cfg(test)]
mod unreadable_large_tests;
#[cfg(test)]
mod unreadable_tests;
#[cfg(test)]
mod vanished_tests;
pub(crate) mod writer;
mod writer_thread;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::SystemTime;

use tokio::sync::{mpsc, watch};

pub use append::{AppendError, Appended, Receipt, ReceiptSender};
pub use backlog::{Fate, HOLD, Skip, is_hold};
pub use cursor::{CursorError, CursorFolder, SavedCursor};
pub(crate) use dedup::RETRY_ID;
pub(crate) use home::Home;
pub use open::OpenError;
pub use output_cursor::OutputCursor;
pub use position::Position;
pub use reader::{READ_TRIES, ReadError, Reader, StoredChunk};
pub use remaining::Backlog;
pub use replay::{Replay, Replays};
pub use set_aside::{SetAside, SetAsideError, SetAsideSegment};
pub use shared::Status;
pub use skip::SkipError;

use crate::chunk::Chunk;
use crate::config::{JournalConfig, StartAt, WhenFull};
use crate::event_time::EventTime;
use crate::metrics::JournalMetrics;
use crate::storage::{self, Storage};
use active_segment::fits_into_segment;
use large::{LargeEntries, SpoolFolder};
use packing::{ChunkPacker, KeptChunk};
use retention::Retention;
use shared::{Held, Limits, Shared};
use writer::{Request, Writer};

/// Chunks that may wait for the writer; past it [`Journal::append`] waits. Their bytes are bounded by the inputs.
const QUEUE_LENGTH: usize = 1024;

/// A handle on the one journal of a server.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
    cursors: CursorFolder,
    spools: SpoolFolder,
    segment_size: u64,
    when_full: WhenFull,
    packer: Arc<ChunkPacker>,
    writer: Arc<Mutex<Option<RunningWriter>>>,
}

/// The writer, and the lock on the folder that is held until it has ended.
#[derive(Debug)]
struct RunningWriter {
    thread: JoinHandle<()>,
    lock: std::fs::File,
}

impl Journal {
    /// Opens the journal below a data folder, or makes it, and starts its writer.
    ///
    /// # Errors
    ///
    /// Where the folder is in use, holds what is none of ours, or can't be read and written. Nothing is changed then.
    pub fn open(data_dir: &Path, config: &JournalConfig, metrics: JournalMetrics) -> Result<Self, OpenError> {
        let io_error = |action| move |source| OpenError::Io { action, path: data_dir.to_owned(), source };
        let storage = storage::disk();
        durable::create_folder(storage.as_ref(), data_dir).map_err(io_error("make"))?;
        let lock = open::lock(data_dir)?;
        let (journal, writer) = Self::open_on(&storage, data_dir, config, metrics, EventTime::now())?;
        let thread = std::thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || writer_thread::run(writer))
            .map_err(io_error("start the writer of"))?;
        *journal.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(RunningWriter { thread, lock });
        Ok(journal)
    }

    /// Opens the journal below a data folder that is locked, and leaves the writer to the caller.
    pub(crate) fn open_on(
        storage: &Arc<dyn Storage>,
        data_dir: &Path,
        config: &JournalConfig,
        metrics: JournalMetrics,
        now: EventTime,
    ) -> Result<(Self, Writer), OpenError> {
        let io_error = |action| move |source| OpenError::Io { action, path: data_dir.to_owned(), source };
        let cursors = CursorFolder::on(Arc::clone(storage), data_dir);
        cursors.prepare()?;
        let spools = SpoolFolder::on(Arc::clone(storage), data_dir);
        let spools = spools.refusing(config.when_full == WhenFull::Reject);
        spools.prepare().map_err(|source| OpenError::Io {
            action: "clean",
            path: spools.path().to_owned(),
            source,
        })?;
        let (opened, active) = open::open(storage, data_dir, &cursors, config, &metrics, now)?;

        let limits = Limits { max_size: config.max_size, memory: config.memory };
        let set_aside = SetAside::on(Arc::clone(storage), data_dir);
        let packer = Arc::new(ChunkPacker::new(config.compression, metrics.clone()));
        let shared =
            Arc::new(Shared::new(opened.folder, opened.journal, limits, metrics, set_aside, opened.segments));
        for (place, length) in opened.large {
            shared.add_large(place, length);
        }
        for (segment, range) in opened.damaged {
            let file = shared.folder.open(segment).map_err(io_error("read"))?;
            let reader = frame_reader::FrameReader::new(file, shared.journal, segment);
            let mut reader = reader.passing_over_damage();
            damage::set_aside(&shared, &mut reader, range.start, range.end);
        }
        // All of them, also those of outputs that the config no longer has: they hold their backlog.
        for id in cursors.ids()? {
            if let Some(saved) = cursors.load(&id)? {
                let cursor = shared.set_aside.settle(&id, saved)?;
                if cursor != saved {
                    cursors.save_elsewhere(&id, &cursor)?;
                }
                let held = if cursor.journal == shared.journal {
                    Held::by(&keep_within(&cursors, &id, cursor, shared.newest())?)
                } else {
                    Held { from: shared.oldest(), backlog: shared.oldest() }
                };
                shared.set_cursor(&id, held);
            }
        }
        shared.metrics.max_bytes.set(i64::try_from(config.max_size).unwrap_or(i64::MAX));
        shared.set_status(Status::Accepting);
        shared.set_taken(opened.dedup.turn());
        let mut dedup = opened.dedup;
        // What is forgotten anew while footers are read was counted when it was forgotten first.
        dedup.take_evicted();

        let (requests, receiver) = mpsc::channel(QUEUE_LENGTH);
        let writer = Writer {
            shared: Arc::clone(&shared),
            cursors: cursors.clone(),
            requests: receiver,
            active,
            mark: opened.mark,
            dedup,
            kept_ids: opened.kept_ids,
            dedup_max_size: config.dedup_max_size,
            segment_size: config.segment_size,
            packing: config.compression,
            max_size: config.max_size,
            retention: Retention::new(config.retain),
            when_full: config.when_full,
            spare: next_segment::Spare::default(),
            replies: Vec::new(),
            next: None,
            closing: false,
            asked_since: None,
        };
        let journal = Self {
            shared,
            requests,
            cursors,
            spools,
            segment_size: config.segment_size,
            when_full: config.when_full,
            packer,
            writer: Arc::default(),
        };
        Ok((journal, writer))
    }

    /// Where it lies.
    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        self.shared.folder.storage()
    }

    /// Takes a data folder for this process alone, without opening the journal in it.
    pub fn lock(data_dir: &Path) -> Result<std::fs::File, OpenError> {
        open::lock(data_dir)
    }

    /// Hands over a chunk. Resolves when it is queued, which takes as long as the journal is full; the receipt
    /// resolves once it is durable.
    pub async fn append(&self, chunk: Chunk) -> Result<Receipt, AppendError> {
        self.hand_over(chunk, None).await
    }

    /// As [`Journal::append`], for a chunk whose entries are a file. Where the chunk is not kept, or was kept before,
    /// the file is removed.
    pub async fn append_large(&self, chunk: Chunk, entries: LargeEntries) -> Result<Receipt, AppendError> {
        let chunk = Chunk { entries: entries.reference().encode().into(), ..chunk };
        self.hand_over(chunk, Some(Box::new(entries))).await
    }

    /// How many chunks were taken up, resends included: what [`AckProof::sent_after`](crate::chunk::AckProof) counts in.
    pub fn taken(&self) -> u64 {
        self.shared.taken()
    }

    /// Where the entries of large chunks are put until they are handed over.
    pub fn spools(&self) -> &SpoolFolder {
        &self.spools
    }

    async fn hand_over(
        &self,
        chunk: Chunk,
        large: Option<Box<LargeEntries>>,
    ) -> Result<Receipt, AppendError> {
        let chunk = match &large {
            None => self.packer.pack(chunk).await,
            Some(_) => KeptChunk { chunk, packed: None },
        };
        if !fits_into_segment(&chunk, chunk.payload_length(), self.segment_size) {
            return Err(AppendError::TooLarge);
        }
        if self.when_full == WhenFull::Reject && self.shared.status().borrow().is_waiting() {
            return Err(AppendError::Full);
        }
        let (reply, receipt) = Receipt::channel();
        match self.requests.send(Request::Append { chunk: Box::new(chunk), large, reply }).await {
            Ok(()) => Ok(receipt),
            Err(_) => Err(match &*self.shared.status().borrow() {
                Status::Failed(reason) => AppendError::Failed(Arc::clone(reason)),
                _ => AppendError::Stopped,
            }),
        }
    }

    /// The cursor of an output; one that is new begins where `start` says, and holds the journal from now on.
    pub fn attach(&self, id: &str, start: StartAt) -> Result<OutputCursor, CursorError> {
        let newest = self.shared.newest();
        let loaded = self.cursors.load(id)?;
        let saved = match loaded {
            Some(saved) if saved.journal != self.shared.journal => {
                tracing::warn!(
                    output = id,
                    "the journal is another one than before: starting at its oldest chunk"
                );
                let replays = Replays { current: None, ..saved.replays };
                let position = self.shared.oldest();
                SavedCursor { journal: self.shared.journal, position, replays, ..saved }
            }
            Some(saved) => saved,
            None => {
                let position = match start {
                    StartAt::Newest => newest,
                    StartAt::Oldest => self.shared.oldest(),
                };
                SavedCursor {
                    journal: self.shared.journal,
                    position,
                    generation: 0,
                    replays: Replays::default(),
                }
            }
        };
        // A cursor that is there already needs no space on a disk that may be full.
        if loaded != Some(saved) {
            self.cursors.save(id, &saved)?;
        }
        self.shared.set_cursor(id, self.held(id, &saved));
        // What was kept belongs to the position that it was saved with.
        let attributes = if loaded == Some(saved) { self.cursors.load_attributes(id)? } else { Vec::new() };
        Ok(OutputCursor {
            id: id.to_owned(),
            saved,
            kept: attributes.clone(),
            attributes,
            is_uncertain: false,
            cursors: self.cursors.clone(),
            skips: self.shared.attach(id),
            journal: self.clone(),
        })
    }

    /// Which journal this is.
    pub(crate) fn id(&self) -> format::JournalId {
        self.shared.journal
    }

    /// Where the oldest kept chunk begins.
    pub(crate) fn oldest(&self) -> Position {
        self.shared.oldest()
    }

    /// What an output holds: what it is asked to deliver again counts from the start.
    fn held(&self, id: &str, saved: &SavedCursor) -> Held {
        let held = Held::by(saved);
        match self.cursors.request(id) {
            Ok(Some(request)) => {
                let asked = request.apply(saved, self.shared.oldest());
                Held { from: asked.map_or(held.from, |asked| asked.position.min(held.from)), ..held }
            }
            // A request that can't be read is told when it would be taken up.
            Ok(None) | Err(_) => held,
        }
    }

    /// Outputs of which an operator asks something, and since when, sorted.
    pub(crate) fn requests(&self) -> Result<Vec<(String, SystemTime)>, CursorError> {
        self.cursors.requests()
    }

    /// Outputs that have a cursor, sorted.
    pub fn cursor_ids(&self) -> Result<Vec<String>, CursorError> {
        self.cursors.ids()
    }

    /// The cursor of an output as it was saved; `None` where it has none.
    pub(crate) fn saved_cursor(&self, id: &str) -> Result<Option<SavedCursor>, CursorError> {
        self.cursors.load(id)
    }

    /// Whether an output runs.
    pub(crate) fn is_attached(&self, id: &str) -> bool {
        self.shared.lock().attached.contains_key(id)
    }

    /// Removes the cursor of an output that is no more, and lets go of what only that still needed.
    pub(crate) fn forget(&self, id: &str) -> Result<(), CursorError> {
        self.cursors.remove(id)?;
        self.shared.forget(id);
        self.release();
        Ok(())
    }

    /// Reads from a position on.
    pub fn reader(&self, position: Position) -> Reader {
        Reader::new(Arc::clone(&self.shared), position)
    }

    /// Whether chunks are taken, now and whenever that changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status()
    }

    /// What an output can't read of it now, for `/ready`: it is tried again before it is taken for lost.
    pub fn unreadable(&self) -> Option<String> {
        self.shared.unreadable()
    }

    /// Where the next chunk will lie.
    pub fn newest(&self) -> Position {
        self.shared.newest()
    }

    /// Bytes of segment files, allocated space included, and of the files of large chunks.
    pub fn bytes_on_disk(&self) -> u64 {
        self.shared.bytes_on_disk()
    }

    /// Tells the metric how many bytes it has on disk.
    pub(crate) fn measure_bytes(&self) {
        self.shared.metrics.bytes.set(i64::try_from(self.bytes_on_disk()).unwrap_or(i64::MAX));
    }

    /// Bytes on disk at which it is full.
    pub(crate) fn max_size(&self) -> u64 {
        self.shared.max_size
    }

    /// Bytes of chunks from a position to the newest.
    pub fn bytes_behind(&self, position: Position) -> u64 {
        self.shared.bytes_behind(position)
    }

    /// As [`close`](Self::close), for whoever drives the writer by hand.
    #[cfg(feature = "simulation")]
    pub(crate) fn ask_to_close(&self) {
        self.shared.stop();
        // A writer that has ended by itself is closed already; one that is busy is stopped all the same.
        let _ = self.requests.try_send(Request::Close);
    }

    /// Writes and syncs what was appended before, and ends the writer. Senders that still wait for space are told
    /// that the journal is closed.
    pub async fn close(&self) {
        self.shared.stop();
        // A writer that has ended by itself is closed already.
        let _ = self.requests.send(Request::Close).await;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(RunningWriter { thread, lock }) = writer {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            drop(lock);
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the journal's writer ended in a panic: please report this");
            }
        }
    }

    /// What outputs left behind undelivered.
    pub(crate) fn set_aside(&self) -> &SetAside {
        &self.shared.set_aside
    }

    /// Looks how much is set aside for each output, for the metric: operators drop and retry it.
    pub(crate) fn measure_set_aside(&self, ids: &[String]) -> Result<(), SetAsideError> {
        for id in ids {
            let bytes = i64::try_from(self.shared.set_aside.bytes(id)?).unwrap_or(i64::MAX);
            self.shared.metrics.set_aside_bytes.with_label_values(&[id]).set(bytes);
        }
        Ok(())
    }

    /// Asks the writer to look for segments to remove. While its queue is full it looks without being asked.
    pub(crate) fn release(&self) {
        let is_waited_for = self.spools.waiting() > 0;
        let _ = self.requests.try_send(if is_waited_for { Request::MakeSpace } else { Request::Release });
    }
}

/// Sets a cursor back that is further than the journal reaches, as in a copy that was taken while the server ran: what is
/// received next comes to lie where it points to, or before.
fn keep_within(
    cursors: &CursorFolder,
    id: &str,
    cursor: SavedCursor,
    newest: Position,
) -> Result<SavedCursor, CursorError> {
    let within = cursor.within(newest);
    if within != cursor {
        tracing::error!(
            output = id,
            cursor = %cursor.position,
            journal_end = %newest,
            "the output was further than the journal reaches: an older copy was restored, or synced data was lost"
        );
        cursors.save(id, &within)?;
    }
    Ok(within)
}
