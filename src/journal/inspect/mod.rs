//! Looking into a journal from outside, also while a server writes it: nothing is changed.

mod chunks;
mod verify;

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

pub use verify::{PackedChunks, SegmentVerdict};

use super::format::footer::SegmentCounts;
use super::format::segment_header::{SEGMENT_HEADER_LENGTH, SegmentHeader, SegmentHeaderError};
use super::frame_reader::FrameReader;
use super::left_behind::read_footer;
use super::missing::{Evidence, missing};
use super::scan::{Standing, scan};
use super::segment_file::{SegmentFolder, read_header};
use super::synced_mark::Mark;
use super::{CursorFolder, Position};
use crate::storage::{Storage, disk, folder_of};

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
