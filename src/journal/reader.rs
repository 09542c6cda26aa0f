//! Following the journal, from memory while it is recent and from disk where it is not.

mod from_disk;
mod large;
mod stored_chunk;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::Position;
use super::format::chunk_payload::{BadChunkPayload, ChunkPayload};
use super::format::frame::FrameKind;
use super::frame_reader::{Frame, FrameReader};
use super::large::Pieces;
use super::recent::RecentBlock;
use super::shared::{Place, Shared};
use crate::storage::is_for_damage;
pub use stored_chunk::StoredChunk;

/// How often a reader tries what the disk can't read, before it is taken for damage. Outputs wait longer each time: with the
/// intervals of the defaults that is two minutes and a half.
pub const READ_TRIES: u32 = 10;

/// The journal can't be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the journal file {}: {source}", path.display())]
pub struct ReadError {
    pub path: PathBuf,
    pub source: io::Error,
}

/// Reads the chunks from one position on, each once, in the order in which they were synced.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    /// What `shared` knows it by.
    number: u64,
    position: Position,
    /// The block in memory that was read last.
    recent: Option<RecentBlock>,
    /// The segment on disk that was read last.
    file: Option<FrameReader>,
    /// The large chunk that `position` lies in, and where the next one begins.
    large: Option<(Box<Pieces>, Position)>,
    /// How often in a row the disk could not read what is at the position.
    failures: u32,
    synced: watch::Receiver<Position>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.remove_reader(self.number);
    }
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, position: Position) -> Self {
        let synced = shared.synced();
        let number = shared.add_reader(position);
        Self { shared, number, position, recent: None, file: None, large: None, failures: 0, synced }
    }

    /// The next chunk, or piece of a large one, or `None` while nothing more is synced. Reads from disk where the chunk is not in memory any
    /// more, so it belongs on a thread that may block.
    ///
    /// # Errors
    ///
    /// What the disk can't read is an error until it was tried [`READ_TRIES`] times; then it is damage, set aside as far as
    /// it reads, and passed over. Other errors stay errors, however often it is tried.
    pub fn try_next(&mut self) -> Result<Option<StoredChunk>, ReadError> {
        let found = self.find_next();
        let had_failed = self.failures > 0;
        match &found {
            Err(error) if is_for_damage(&error.source) => {
                self.failures += 1;
                self.shared.note_unreadable(self.number, Some(error.to_string()));
            }
            // Another trouble says nothing of this one.
            Err(_) => {}
            Ok(_) => self.failures = 0,
        }
        if had_failed && self.failures == 0 {
            self.shared.note_unreadable(self.number, None);
        }
        found
    }

    fn find_next(&mut self) -> Result<Option<StoredChunk>, ReadError> {
        loop {
            if let Some(piece) = self.next_piece()? {
                return Ok(Some(piece));
            }
            let position = self.position;
            if let Some(frame) = self.frame_in_memory(position) {
                if let Some(chunk) = self.pass(frame)? {
                    return Ok(Some(chunk));
                }
                continue;
            }
            match self.shared.locate(self.number, position) {
                Place::CaughtUp => {
                    self.recent = None;
                    return Ok(None);
                }
                Place::GoOn(next) => self.position = next,
                Place::Memory(block) => {
                    self.file = None;
                    self.recent = Some(block);
                    if self.frame_in_memory(position).is_none() {
                        // The writer's own bytes do not check: this machine's memory is at fault. The disk may know.
                        self.recent = None;
                        if let Some(chunk) =
                            self.read_from_disk(self.shared.end_of(position.segment), false)?
                        {
                            return Ok(Some(chunk));
                        }
                    }
                }
                Place::Disk { end, is_last } => {
                    if let Some(chunk) = self.read_from_disk(end, is_last)? {
                        return Ok(Some(chunk));
                    }
                }
            }
        }
    }

    /// Resolves once there may be more to read.
    pub async fn wait(&mut self) {
        let position = self.position;
        // The sender lives as long as `shared`, which this reader holds.
        let _ = self.synced.wait_for(|synced| *synced > position).await;
    }

    /// The next position to read.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Bytes that are synced and not read yet.
    pub fn bytes_behind(&self) -> u64 {
        self.shared.bytes_behind(self.position)
    }

    /// Bytes that were read behind an earlier position.
    pub fn bytes_since(&self, position: Position) -> u64 {
        self.shared.bytes_behind(position).saturating_sub(self.shared.bytes_behind(self.position))
    }

    fn frame_in_memory(&self, position: Position) -> Option<Frame> {
        let block = self.recent.as_ref().filter(|block| block.start.segment == position.segment)?;
        // It never left this process's memory: its header is looked at, and that the rest is what the checksum was made of
        // goes without saying.
        block.frame_at(&self.shared.journal, position.offset)
    }

    /// Goes on at an offset of the same segment, with new patience.
    fn pass_up_to(&mut self, offset: u64) {
        self.position = Position::new(self.position.segment, offset);
        self.failures = 0;
        self.shared.note_unreadable(self.number, None);
    }

    /// Whether what the disk can't read at the position is taken for lost, by now or by another reader.
    fn is_given_up(&self) -> bool {
        self.failures + 1 >= READ_TRIES || (self.failures > 0 && self.shared.is_known_damage(self.position))
    }

    /// Moves behind a frame; its chunk, if it holds one. A large chunk is opened and not passed yet.
    fn pass(&mut self, frame: Frame) -> Result<Option<StoredChunk>, ReadError> {
        let position = self.position;
        let next = Position::new(position.segment, frame.next);
        let decoded = match frame.header.kind {
            FrameKind::Chunk => match frame.entries {
                None => ChunkPayload::decode(frame.payload),
                Some(entries) => ChunkPayload::decode_parts(frame.payload, entries),
            },
            FrameKind::Large => {
                return match ChunkPayload::decode(frame.payload) {
                    Ok(payload) => self.open_large(&payload, next).map(|()| None),
                    Err(error) => Ok(self.pass_undecoded(error, next)),
                };
            }
            FrameKind::Footer => {
                self.position = next;
                return Ok(None);
            }
        };
        Ok(match decoded {
            Ok(payload) => {
                self.position = next;
                Some(StoredChunk::whole(position, next, payload))
            }
            Err(error) => self.pass_undecoded(error, next),
        })
    }

    fn pass_undecoded(&mut self, error: BadChunkPayload, next: Position) -> Option<StoredChunk> {
        let position = std::mem::replace(&mut self.position, next);
        if self.shared.is_new_damage(position) {
            self.shared.metrics.damaged_bytes.inc_by(next.offset - position.offset);
            tracing::error!(%position, %error, "a journal frame checks and does not decode: please report this");
        }
        None
    }
}
