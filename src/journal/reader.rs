//! Following the journal, from memory while it is recent and from disk where it is not.

use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::Position;
use super::damage::{set_aside, set_large_aside, tell_unreadable};
use super::format::chunk_payload::{BadChunkPayload, ChunkPayload};
use super::format::frame::FrameKind;
use super::frame_reader::{Frame, FrameReader};
use super::large::{LargeFault, LargePlace, Piece, Pieces};
use super::missing::tell_vanished;
use super::recent::RecentBlock;
use super::shared::{Place, Shared};
use crate::storage::is_for_damage;

/// How often a reader tries what the disk can't read, before it is taken for damage. Outputs wait longer each time: with the
/// intervals of the defaults that is two minutes and a half.
pub const READ_TRIES: u32 = 10;

/// A chunk in the journal, or a piece of a large one, with its place. Of a piece, [`ChunkPayload::entries`] are plain,
/// and [`Position::entry`] is the index of the first of them.
#[derive(Debug, Clone)]
pub struct StoredChunk {
    /// Where it lies.
    pub position: Position,
    /// What to save as the cursor once it is delivered.
    pub next: Position,
    payload: ChunkPayload,
    /// Whether it is a piece of a large chunk.
    pub is_piece: bool,
    /// Whether the start mark of the group that a piece begins in was put before it.
    repeats_mark: bool,
}

impl StoredChunk {
    /// The index, within the whole chunk, of what its entries begin with. One less than `position.entry` where the mark
    /// of a group is repeated before it.
    pub fn first_index(&self) -> u32 {
        self.position.entry.wrapping_sub(u32::from(self.repeats_mark))
    }

    /// All of a chunk, with what comes behind it.
    pub(super) fn whole(position: Position, next: Position, payload: ChunkPayload) -> Self {
        Self { position, next, payload, is_piece: false, repeats_mark: false }
    }

    /// A piece of the large chunk at a place, with what comes behind that chunk.
    pub(super) fn piece(chunk: Position, behind: Position, piece: Piece) -> Self {
        let Piece { first, repeats_mark, next, payload } = piece;
        let position = Position { entry: first, ..chunk };
        let next = next.map_or(behind, |entry| Position { entry, ..chunk });
        Self { position, next, payload, is_piece: true, repeats_mark }
    }

    pub(super) fn into_payload(self) -> ChunkPayload {
        self.payload
    }
}

impl Deref for StoredChunk {
    type Target = ChunkPayload;

    fn deref(&self) -> &ChunkPayload {
        &self.payload
    }
}

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

    fn read_from_disk(&mut self, end: u64, is_last: bool) -> Result<Option<StoredChunk>, ReadError> {
        let Position { segment, offset, .. } = self.position;
        let path = || self.shared.folder.segment_path(segment);
        let is_given_up = self.is_given_up();
        let mut file = match self.file.take().filter(|file| file.segment() == segment) {
            Some(file) => file,
            None => match self.shared.folder.open(segment) {
                Ok(file) => FrameReader::new(file, self.shared.journal, segment),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if self.shared.is_needed(segment) {
                        tell_vanished(&self.shared, segment);
                    }
                    self.pass_up_to(end);
                    return Ok(None);
                }
                Err(error) if is_given_up && is_for_damage(&error) => {
                    tell_unreadable(&self.shared, Position::new(segment, offset), end, &error);
                    self.pass_up_to(end);
                    return Ok(None);
                }
                Err(source) => return Err(ReadError { path: path(), source }),
            },
        };
        file.let_go_of_what_is_read(is_last);
        if is_given_up {
            file = file.passing_over_damage();
        }
        let frame = file.frame_at(offset, end).map_err(|source| ReadError { path: path(), source })?;
        let chunk = match frame {
            Some(frame) => self.pass(frame)?,
            None => {
                let found =
                    file.find_frame(offset, end).map_err(|source| ReadError { path: path(), source })?;
                let next = found.frame.unwrap_or(end);
                set_aside(&self.shared, &mut file, offset, next);
                self.pass_up_to(next);
                None
            }
        };
        // What lies behind may read when it is tried again.
        self.file = Some(file).filter(|_| !is_given_up);
        Ok(chunk)
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
                Some(StoredChunk { position, next, payload, is_piece: false, repeats_mark: false })
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

    fn open_large(&mut self, payload: &ChunkPayload, next: Position) -> Result<(), ReadError> {
        let folder = &self.shared.folder;
        match Pieces::open(folder.storage().as_ref(), &folder.large_path(self.large_place()), payload) {
            Ok(pieces) => self.large = Some((Box::new(pieces.given_up(self.is_given_up())), next)),
            Err(fault) => self.leave_large(fault, next)?,
        }
        Ok(())
    }

    /// The next piece of the large chunk that was opened; `None` where there is none, or it is over.
    fn next_piece(&mut self) -> Result<Option<StoredChunk>, ReadError> {
        let Some((mut pieces, next)) = self.large.take() else { return Ok(None) };
        let chunk = self.position;
        match pieces.next_from(chunk.entry) {
            Ok(Some(piece)) => {
                let goes_on = piece.next.is_some();
                let piece = StoredChunk::piece(chunk, next, piece);
                self.position = piece.next;
                if goes_on {
                    self.large = Some((pieces, next));
                }
                Ok(Some(piece))
            }
            Ok(None) => {
                self.position = next;
                Ok(None)
            }
            Err(fault) => self.leave_large(fault, next).map(|()| None),
        }
    }

    /// Damage is left behind; what else went wrong is tried again from the same position.
    fn leave_large(&mut self, fault: LargeFault, next: Position) -> Result<(), ReadError> {
        match fault {
            LargeFault::Damaged { lost, reason } => {
                set_large_aside(&self.shared, self.position, lost, &reason);
                self.position = next;
                Ok(())
            }
            LargeFault::Io(error) if self.is_given_up() && is_for_damage(&error) => {
                let lost = self.shared.length_of_large(self.large_place());
                set_large_aside(&self.shared, self.position, lost, &error.to_string());
                self.pass_up_to(next.offset);
                Ok(())
            }
            LargeFault::Io(source) => {
                Err(ReadError { path: self.shared.folder.large_path(self.large_place()), source })
            }
        }
    }

    fn large_place(&self) -> LargePlace {
        LargePlace { segment: self.position.segment, offset: self.position.offset }
    }
}
