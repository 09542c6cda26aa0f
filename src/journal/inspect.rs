//! Looking into a journal from outside, also while a server writes it: nothing is changed.

use std::io;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::format::chunk_payload::ChunkPayload;
use super::format::footer::SegmentCounts;
use super::format::frame::FrameKind;
use super::format::reference::Reference;
use super::format::segment_header::{SEGMENT_HEADER_LENGTH, SegmentHeader, SegmentHeaderError};
use super::frame_reader::FrameReader;
use super::large::{Blocks, LargeFault, LargePlace, Pieces};
use super::left_behind::{read_footer, read_ids};
use super::missing::{Evidence, missing};
use super::reader::StoredChunk;
use super::scan::{Standing, scan};
use super::segment_file::{SegmentFolder, read_header};
use super::synced_mark::Mark;
use super::{CursorFolder, Position};
use crate::storage::{Open, Storage, disk, folder_of};

/// The journal's folder can't be read.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} can't be read: {source}", path.display())]
    Segment { path: PathBuf, source: SegmentHeaderError },
}

impl InspectError {
    /// Passes over a file that is not there any more: a server that runs lets go of what was delivered.
    pub(crate) fn unless_gone(self) -> Result<(), Self> {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Ok(()),
            error => Err(error),
        }
    }
}

/// How often a segment is looked at that is being written and seems damaged.
const MAX_LOOKS: u32 = 5;

/// A journal on disk.
#[derive(Debug)]
pub struct Inspection {
    folder: SegmentFolder,
    cursors: CursorFolder,
    /// Where the segments were known to be synced when that was first asked; since then it may have become more.
    synced: OnceLock<Evidence>,
}

/// One segment, as `journal ls` shows it.
#[derive(Debug, Clone)]
pub struct SegmentSummary {
    pub header: SegmentHeader,
    pub path: PathBuf,
    /// Large files included.
    pub bytes_on_disk: u64,
    pub sealed: bool,
    pub counts: SegmentCounts,
    /// Bytes of frames.
    pub frame_bytes: u64,
    /// Files of large chunks, by the offset of their frame.
    pub large_files: Vec<LargeFile>,
}

impl SegmentSummary {
    /// Bytes of the file up to the end of its last whole frame; all of it where it is sealed.
    pub fn end(&self) -> u64 {
        SEGMENT_HEADER_LENGTH + self.frame_bytes
    }

    /// Bytes of its large files.
    pub fn large_bytes(&self) -> u64 {
        self.large_files.iter().map(|file| file.bytes).sum()
    }
}

/// The file of a large chunk.
#[derive(Debug, Clone, Copy)]
pub struct LargeFile {
    /// Of its frame.
    pub offset: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What `journal verify` found in one segment.
#[derive(Debug, Clone)]
pub struct SegmentVerdict {
    pub segment: u64,
    pub chunks: u64,
    pub entries: u64,
    /// Chunks whose entries are a file.
    pub large_chunks: u64,
    /// Bytes that were synced once and do not check, in the segment and its large files.
    pub damaged_bytes: u64,
    /// Bytes of a half-written tail: normal after a crash, or while a server writes.
    pub torn_bytes: u64,
    /// What of them the journal compressed.
    pub packed: PackedChunks,
    /// Whether the footer is there and agrees with the chunks; `None` for a segment that is not sealed.
    pub footer_agrees: Option<bool>,
}

/// Chunks that `journal.compression` made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PackedChunks {
    pub chunks: u64,
    /// Bytes of their entries, as sent.
    pub bytes_as_sent: u64,
    /// Bytes of the journal that these take.
    pub bytes: u64,
    /// Of these, bytes that check and do not inflate.
    pub damaged_bytes: u64,
}

impl PackedChunks {
    fn add(&mut self, chunk: &ChunkPayload, inflates: bool) {
        if chunk.packing().is_none() {
            return;
        }
        self.chunks += 1;
        self.bytes_as_sent += chunk.entries_length();
        self.bytes += chunk.kept_length();
        self.damaged_bytes += if inflates { 0 } else { chunk.kept_length() };
    }
}

impl SegmentVerdict {
    /// Whether everything that was ever synced reads back.
    pub fn is_intact(&self) -> bool {
        self.damaged_bytes == 0 && self.footer_agrees != Some(false)
    }
}

impl Inspection {
    /// The journal below a data folder.
    pub fn new(data_dir: &Path) -> Self {
        Self::on(disk(), data_dir)
    }

    /// That of a data folder on this storage.
    pub fn on(storage: Arc<dyn Storage>, data_dir: &Path) -> Self {
        let cursors = CursorFolder::on(Arc::clone(&storage), data_dir);
        let folder = SegmentFolder::new(storage, data_dir.join("journal"));
        Self { folder, cursors, synced: OnceLock::new() }
    }

    /// The numbers of all segments, oldest first.
    pub fn segments(&self) -> Result<Vec<u64>, InspectError> {
        let path = || self.folder.path().to_owned();
        Ok(self.folder.list().map_err(|source| InspectError::Io { path: path(), source })?.segments)
    }

    /// What a segment says of itself, from its footer where it has one.
    pub fn summary(&self, segment: u64) -> Result<SegmentSummary, InspectError> {
        let OpenedSegment { mut reader, length, header } = self.open(segment)?;
        let footer = read_footer(&self.folder, &header.journal, segment).map_err(self.error(segment))?;
        let (sealed, end, counts) = match footer {
            Some((end, footer)) => (true, end, footer.counts),
            None => {
                let scan = scan(&mut reader, length, self.standing(segment)?).map_err(self.error(segment))?;
                (scan.sealed, scan.end, scan.footer.counts)
            }
        };
        let frame_bytes = end - SEGMENT_HEADER_LENGTH;
        let path = self.folder.segment_path(segment);
        let large_files = self.large_files(segment)?;
        let mut summary =
            SegmentSummary { header, path, bytes_on_disk: length, sealed, counts, frame_bytes, large_files };
        summary.bytes_on_disk += summary.large_bytes();
        Ok(summary)
    }

    fn large_files(&self, segment: u64) -> Result<Vec<LargeFile>, InspectError> {
        let listing = self
            .folder
            .list()
            .map_err(|source| InspectError::Io { path: self.folder.path().to_owned(), source })?;
        let files = listing.large.into_iter().filter(|(place, _)| place.segment == segment);
        Ok(files.map(|(place, bytes)| LargeFile { offset: place.offset, bytes }).collect())
    }

    /// Checks every frame of a segment, and its large files. Fails with `NotFound` for one that a server has let go.
    ///
    /// What a server writes meanwhile may look torn in its middle: such a segment is looked at again.
    pub fn verify(&self, segment: u64) -> Result<SegmentVerdict, InspectError> {
        let mut looks = 0;
        loop {
            looks += 1;
            let standing = self.standing(segment)?;
            let verdict = self.verify_once(segment, standing)?;
            if verdict.is_intact() {
                return Ok(verdict);
            }
            // Its large files may have gone before it did.
            let path = self.folder.segment_path(segment);
            if self.folder.storage().stat(&path).map_err(self.error(segment))?.is_none() {
                return Err(InspectError::Io { path, source: io::ErrorKind::NotFound.into() });
            }
            if standing == Standing::Followed || looks == MAX_LOOKS {
                return Ok(verdict);
            }
        }
    }

    /// Segments of which only chunk ids are left, and these don't check. Resends of that time may be delivered twice.
    pub fn damaged_ids(&self) -> Result<Vec<PathBuf>, InspectError> {
        let in_folder = |source| InspectError::Io { path: self.folder.path().to_owned(), source };
        let Some(segment) = self.segments()?.last().copied() else { return Ok(Vec::new()) };
        let journal = self.open(segment)?.header.journal;
        let mut damaged = Vec::new();
        for segment in self.folder.list().map_err(in_folder)?.ids {
            let path = self.folder.ids_path(segment);
            let ids = read_ids(&self.folder, &journal, segment).map_err(in_folder)?;
            if ids.is_none() && self.folder.storage().stat(&path).map_err(in_folder)?.is_some() {
                damaged.push(path);
            }
        }
        Ok(damaged)
    }

    fn verify_once(&self, segment: u64, standing: Standing) -> Result<SegmentVerdict, InspectError> {
        let OpenedSegment { mut reader, length, header } = self.open(segment)?;
        let footer = read_footer(&self.folder, &header.journal, segment).map_err(self.error(segment))?;
        let scan = scan(&mut reader, length, standing).map_err(self.error(segment))?;
        let sealed = scan.sealed || footer.is_some();
        let damaged_frames: u64 = scan.damaged.iter().map(|range| range.end - range.start).sum();
        let packed = if header.may_be_packed { self.packed(segment)? } else { PackedChunks::default() };
        let mut damaged_files = 0;
        for (offset, chunk) in &scan.large {
            damaged_files += self.damage_of_file(LargePlace { segment, offset: *offset }, chunk)?;
        }
        Ok(SegmentVerdict {
            segment,
            chunks: scan.footer.counts.chunks,
            entries: scan.footer.counts.entries,
            large_chunks: scan.large.len() as u64,
            damaged_bytes: damaged_frames + damaged_files + packed.damaged_bytes,
            torn_bytes: scan.torn,
            packed,
            footer_agrees: sealed.then(|| footer.is_some_and(|(_, footer)| footer == scan.footer)),
        })
    }

    /// Inflates what was compressed.
    fn packed(&self, segment: u64) -> Result<PackedChunks, InspectError> {
        let mut packed = PackedChunks::default();
        self.frames(segment, |_, _, _, chunk| {
            packed.add(chunk, chunk.clone().unpack().is_ok());
            ControlFlow::Continue(())
        })?;
        Ok(packed)
    }

    /// Bytes of a large file that do not check.
    fn damage_of_file(&self, place: LargePlace, chunk: &ChunkPayload) -> Result<u64, InspectError> {
        let Some(reference) = Reference::decode(chunk.entries()) else {
            return Ok(chunk.entries().len() as u64);
        };
        let path = self.folder.large_path(place);
        let verified = match self.folder.storage().open(&path, Open::Reading) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(reference.length),
            Err(error) => Err(error),
            Ok(file) => Blocks::new(file, reference).verify(),
        };
        verified.map_err(|source| InspectError::Io { path, source })
    }

    /// Calls `visit` with every chunk of a segment, a piece of a large one at a time, until it says `false`. Damage is
    /// passed over.
    pub fn chunks(
        &self,
        segment: u64,
        mut visit: impl FnMut(Position, ChunkPayload) -> bool,
    ) -> Result<(), InspectError> {
        self.stored_chunks(segment, |chunk| visit(chunk.position, chunk.into_payload()))
    }

    /// As [`chunks`](Self::chunks), as a reader of the journal gives them to outputs.
    pub fn stored_chunks(
        &self,
        segment: u64,
        mut visit: impl FnMut(StoredChunk) -> bool,
    ) -> Result<(), InspectError> {
        let OpenedSegment { mut reader, length, .. } = self.open(segment)?;
        let mut offset = SEGMENT_HEADER_LENGTH;
        loop {
            let frame = reader.frame_at(offset, length).map_err(self.error(segment))?;
            let Some(frame) = frame else {
                match reader.find_frame(offset, length).map_err(self.error(segment))?.frame {
                    Some(next) => offset = next,
                    None => return Ok(()),
                }
                continue;
            };
            if frame.header.kind == FrameKind::Footer {
                return Ok(());
            }
            if let Ok(chunk) = ChunkPayload::decode(frame.payload) {
                let position = Position::new(segment, offset);
                let next = Position::new(segment, frame.next);
                let goes_on = match frame.header.kind {
                    FrameKind::Large => self.pieces(position, next, &chunk, &mut visit)?,
                    _ => visit(StoredChunk::whole(position, next, chunk)),
                };
                if !goes_on {
                    return Ok(());
                }
            }
            offset = frame.next;
        }
    }

    /// Calls `visit` with the place of every frame that holds a chunk, the place behind it, the bytes of its entries, and
    /// the chunk; of a large one only what its frame says.
    pub(super) fn frames(
        &self,
        segment: u64,
        mut visit: impl FnMut(Position, Position, u64, &ChunkPayload) -> ControlFlow<()>,
    ) -> Result<(), InspectError> {
        let OpenedSegment { mut reader, length, .. } = self.open(segment)?;
        let mut offset = SEGMENT_HEADER_LENGTH;
        loop {
            let frame = reader.frame_at(offset, length).map_err(self.error(segment))?;
            let Some(frame) = frame else {
                match reader.find_frame(offset, length).map_err(self.error(segment))?.frame {
                    Some(next) => offset = next,
                    None => return Ok(()),
                }
                continue;
            };
            if frame.header.kind == FrameKind::Footer {
                return Ok(());
            }
            let (is_large, next) = (frame.header.kind == FrameKind::Large, frame.next);
            let decode = if is_large { ChunkPayload::decode } else { ChunkPayload::decode_head };
            if let Ok(chunk) = decode(frame.payload) {
                let bytes = match Reference::decode(chunk.entries()).filter(|_| is_large) {
                    Some(reference) => reference.length,
                    None => chunk.kept_length(),
                };
                let places = (Position::new(segment, offset), Position::new(segment, next));
                if visit(places.0, places.1, bytes, &chunk).is_break() {
                    return Ok(());
                }
            }
            offset = next;
        }
    }

    fn pieces(
        &self,
        position: Position,
        next: Position,
        chunk: &ChunkPayload,
        visit: &mut impl FnMut(StoredChunk) -> bool,
    ) -> Result<bool, InspectError> {
        let path = self.folder.large_path(LargePlace { segment: position.segment, offset: position.offset });
        let mut pieces = match Pieces::open(self.folder.storage().as_ref(), &path, chunk) {
            Ok(pieces) => pieces,
            Err(LargeFault::Damaged { .. }) => return Ok(true),
            Err(LargeFault::Io(source)) => return Err(InspectError::Io { path, source }),
        };
        loop {
            match pieces.next_from(0) {
                Ok(Some(piece)) => {
                    if !visit(StoredChunk::piece(position, next, piece)) {
                        return Ok(false);
                    }
                }
                Ok(None) | Err(LargeFault::Damaged { .. }) => return Ok(true),
                Err(LargeFault::Io(source)) => return Err(InspectError::Io { path, source }),
            }
        }
    }

    fn open(&self, segment: u64) -> Result<OpenedSegment, InspectError> {
        let file = self.folder.open(segment).map_err(self.error(segment))?;
        let length = file.stat().map_err(self.error(segment))?.length;
        let bytes = read_header(file.as_ref()).map_err(self.error(segment))?;
        let header = SegmentHeader::decode(&bytes)
            .map_err(|source| InspectError::Segment { path: self.folder.segment_path(segment), source })?;
        Ok(OpenedSegment { reader: FrameReader::new(file, header.journal, segment), length, header })
    }

    fn standing(&self, segment: u64) -> Result<Standing, InspectError> {
        // In this order: what is synced is in a segment that is there.
        let evidence = self.synced.get_or_init(|| self.evidence());
        let last = self.segments()?.last().copied();
        let synced = match last {
            Some(last) if last == segment => evidence.synced(&self.open(segment)?.header.journal),
            _ => return Ok(Standing::Followed),
        };
        Ok(match synced.unwrap_or(Position::new(0, 0)) {
            synced if synced.segment > segment => Standing::Followed,
            synced if synced.segment == segment => Standing::Last { synced: synced.offset },
            _ => Standing::Last { synced: 0 },
        })
    }

    /// Segments that should be there beside these, which were looked at: before, between and behind them.
    pub fn missing(&self, segments: &[u64]) -> Result<Vec<RangeInclusive<u64>>, InspectError> {
        let before = self.synced.get_or_init(|| self.evidence());
        let journal = match segments.last() {
            Some(segment) => match self.open(*segment) {
                Ok(opened) => Some(opened.header.journal),
                Err(error) => {
                    error.unless_gone()?;
                    None
                }
            },
            None => before.journal(),
        };
        let Some(journal) = journal else { return Ok(Vec::new()) };
        let begun = before.synced(&journal).map(|synced| synced.segment);
        // By now: what was let go while the segments were looked at, every output has passed.
        Ok(missing(segments, self.evidence().needed(&journal), begun))
    }

    /// What cursors and mark say. Those that don't read say nothing.
    fn evidence(&self) -> Evidence {
        let mark = Mark::read(&self.folder).ok().flatten();
        let ids = self.cursors.ids().unwrap_or_default();
        let saved = ids.iter().filter_map(|id| self.cursors.load(id).ok().flatten());
        let data_dir = folder_of(self.folder.path());
        Evidence::new(self.folder.storage().as_ref(), data_dir, saved.collect(), mark).unwrap_or_default()
    }

    fn error(&self, segment: u64) -> impl Fn(io::Error) -> InspectError + use<> {
        let path = self.folder.segment_path(segment);
        move |source| InspectError::Io { path: path.clone(), source }
    }
}

struct OpenedSegment {
    reader: FrameReader,
    length: u64,
    header: SegmentHeader,
}
