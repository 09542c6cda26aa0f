//! A handle on the one journal of a server: to append to it, to read it, and to ask how it is.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use super::active_segment::fits_into_segment;
use super::append::{AppendError, Receipt};
use super::format::JournalId;
use super::in_place::MAX_PADDING;
use super::large::{LargeEntries, SpoolFolder};
use super::packing::{ChunkPacker, KeptChunk};
use super::shared::{Shared, Status};
use super::writer::Request;
use super::{CursorFolder, Position, QueueRoom, Reader, SetAside, SetAsideError};
use crate::chunk::Chunk;
use crate::config::WhenFull;
use crate::storage::Storage;

/// A handle on the one journal of a server.
#[derive(Debug, Clone)]
pub struct Journal {
    pub(super) shared: Arc<Shared>,
    pub(super) requests: mpsc::Sender<Request>,
    pub(super) queue_room: QueueRoom,
    pub(super) cursors: CursorFolder,
    pub(super) spools: SpoolFolder,
    pub(super) segment_size: u64,
    pub(super) when_full: WhenFull,
    pub(super) packer: Arc<ChunkPacker>,
    pub(super) writer: Arc<Mutex<Option<RunningWriter>>>,
}

/// The writer, and the lock on the folder that is held until it has ended.
#[derive(Debug)]
pub(super) struct RunningWriter {
    pub(super) thread: JoinHandle<()>,
    pub(super) lock: std::fs::File,
}

impl Journal {
    /// Hands over a chunk. Resolves when it is queued, which takes as long as the journal is full; the receipt
    /// resolves once it is durable.
    pub async fn append(&self, chunk: Chunk) -> Result<Receipt, AppendError> {
        self.hand_over(chunk, None).await
    }

    /// As [`Journal::append`], for a chunk whose entries are a file. Where the chunk is not kept, or was kept before,
    /// the file is removed.
    pub async fn append_large(&self, chunk: Chunk, entries: LargeEntries) -> Result<Receipt, AppendError> {
        let chunk = Chunk { entries: entries.reference().encode().into(), memory: None, ..chunk };
        self.hand_over(chunk, Some(Box::new(entries))).await
    }

    async fn hand_over(
        &self,
        chunk: Chunk,
        large: Option<Box<LargeEntries>>,
    ) -> Result<Receipt, AppendError> {
        let mut chunk = match &large {
            None => self.packer.pack(chunk).await,
            Some(_) => KeptChunk { chunk, packed: None },
        };
        let length = chunk.payload_length();
        if !fits_into_segment(&chunk, length, self.segment_size) {
            return Err(AppendError::TooLarge);
        }
        if !fits_into_segment(&chunk, length + MAX_PADDING as u64, self.segment_size) {
            // What just fits has to be copied.
            chunk.chunk.memory = None;
        }
        if self.when_full == WhenFull::Reject && self.shared.status().borrow().is_waiting() {
            return Err(AppendError::Full);
        }
        let (reply, receipt) = Receipt::channel();
        let queued = self.queue_room.take(usize::try_from(length).unwrap_or(usize::MAX));
        match self.requests.send(Request::Append { chunk: Box::new(chunk), large, reply, queued }).await {
            Ok(()) => Ok(receipt),
            Err(_) => Err(match &*self.shared.status().borrow() {
                Status::Failed(reason) => AppendError::Failed(Arc::clone(reason)),
                _ => AppendError::Stopped,
            }),
        }
    }

    /// How many chunks were taken up, resends included: what [`AckProof::sent_after`](crate::chunk::AckProof) counts in.
    pub fn taken(&self) -> u64 {
        self.shared.taken()
    }

    /// Room for chunks that wait for the writer.
    pub fn queue_room(&self) -> &QueueRoom {
        &self.queue_room
    }

    /// Where the entries of large chunks are put until they are handed over.
    pub fn spools(&self) -> &SpoolFolder {
        &self.spools
    }

    /// Reads from a position on.
    pub fn reader(&self, position: Position) -> Reader {
        Reader::new(Arc::clone(&self.shared), position)
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

    /// As [`close`](Self::close), for whoever drives the writer by hand.
    #[cfg(feature = "simulation")]
    pub(crate) fn ask_to_close(&self) {
        self.shared.stop();
        // A writer that has ended by itself is closed already; one that is busy is stopped all the same.
        let _ = self.requests.try_send(Request::Close);
    }

    /// Whether chunks are taken, now and whenever that changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.shared.status()
    }

    /// What an output can't read of it now, for `/ready`: it is tried again before it is taken for lost.
    pub fn unreadable(&self) -> Option<String> {
        self.shared.unreadable()
    }

    /// Which journal this is.
    pub(crate) fn id(&self) -> JournalId {
        self.shared.journal
    }

    /// Where the oldest kept chunk begins.
    pub(crate) fn oldest(&self) -> Position {
        self.shared.oldest()
    }

    /// Where the next chunk will lie.
    pub fn newest(&self) -> Position {
        self.shared.newest()
    }

    /// Bytes of chunks from a position to the newest.
    pub fn bytes_behind(&self, position: Position) -> u64 {
        self.shared.bytes_behind(position)
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

    /// Where it lies.
    pub(crate) fn storage(&self) -> &Arc<dyn Storage> {
        self.shared.folder.storage()
    }

    /// Asks the writer to look for segments to remove. While its queue is full it looks without being asked.
    pub(crate) fn release(&self) {
        let is_waited_for = self.spools.waiting() > 0;
        let _ = self.requests.try_send(if is_waited_for { Request::MakeSpace } else { Request::Release });
    }
}
