//! Compressing entries before the writer gets them: it is one thread, and has to write.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

use super::format::chunk_payload::chunk_payload_length;
use super::format::frame::FrameKind;
use super::format::packed_entries::{EntryPacker, PackedEntries, Packing};
use super::in_place::may_stay;
use crate::chunk::{Chunk, Encoding};
use crate::metrics::JournalMetrics;

/// Entries up to this many bytes are compressed on the spot, which takes some milliseconds at most; larger ones where
/// they hold up nobody else.
const PACK_ON_THE_SPOT: usize = 1024 * 1024;

/// A chunk, and what goes into its frame in the place of its entries.
#[derive(Debug)]
pub(super) struct KeptChunk {
    pub(super) chunk: Chunk,
    /// `None`: the entries themselves.
    pub(super) packed: Option<PackedEntries>,
}

impl KeptChunk {
    /// Bytes of the payload of its frame.
    pub(super) fn payload_length(&self) -> u64 {
        chunk_payload_length(&self.chunk, self.packed.as_ref())
    }

    /// Bytes of memory that its entries keep, where they stay in it and go to the disk and to readers from there.
    pub(super) fn memory_in_place(&self, kind: FrameKind) -> Option<usize> {
        let goes_as_it_is = kind == FrameKind::Chunk && self.packed.is_none();
        self.memory.filter(|memory| goes_as_it_is && may_stay(&self.entries, *memory))
    }

    /// What [`payload_length`](Self::payload_length) is where the entries lie there as sent.
    pub(super) fn plain_payload_length(&self) -> u64 {
        chunk_payload_length(&self.chunk, None)
    }
}

impl Deref for KeptChunk {
    type Target = Chunk;

    fn deref(&self) -> &Chunk {
        &self.chunk
    }
}

/// Compresses so many chunks at a time as there are processors, which bounds the memory for it.
#[derive(Debug)]
pub(super) struct ChunkPacker {
    packing: Option<Packing>,
    turns: Semaphore,
    idle: Mutex<Vec<EntryPacker>>,
    metrics: JournalMetrics,
}

impl ChunkPacker {
    pub(super) fn new(packing: Option<Packing>, metrics: JournalMetrics) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self { packing, turns: Semaphore::new(processors), idle: Mutex::default(), metrics }
    }

    /// Compresses the entries, where that is asked for and they came plain.
    pub(super) async fn pack(&self, chunk: Chunk) -> KeptChunk {
        let packing = self.packing.filter(|_| chunk.encoding == Encoding::Plain);
        let packed = match packing {
            None => None,
            Some(packing) => {
                let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
                on_the_side(chunk.entries.len(), || self.pack_entries(packing, &chunk.entries))
            }
        };
        KeptChunk { chunk, packed }
    }

    fn pack_entries(&self, packing: Packing, entries: &[u8]) -> Option<PackedEntries> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut packer = idle().pop().unwrap_or_default();
        let packed = packer.pack(packing, entries);
        idle().push(packer);
        let kept = packed.as_ref().map_or(entries.len(), |packed| packed.bytes().len());
        self.metrics.unpacked_bytes.inc_by(entries.len() as u64);
        self.metrics.packed_bytes.inc_by(kept as u64);
        packed
    }
}

/// Does the work for so many bytes where it holds up nobody else.
fn on_the_side<T>(size: usize, work: impl FnOnce() -> T) -> T {
    // Without a runtime, or with one of one thread, there is nobody to hold up or no other place.
    let can_move =
        Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
    if can_move && size > PACK_ON_THE_SPOT { tokio::task::block_in_place(work) } else { work() }
}
