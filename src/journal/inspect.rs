//! Looking into a journal from outside, also while a server writes it: nothing is changed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Position;
use super::format::chunk_payload::ChunkPayload;
use super::format::footer::SegmentCounts;
use super::format::frame::FrameKind;
use super::format::segment_header::{SEGMENT_HEADER_LENGTH, SegmentHeader, SegmentHeaderError};
use super::frame_reader::FrameReader;
use super::left_behind::read_footer;
use super::scan::{Standing, scan};
use super::segment_file::{SegmentFolder, read_header};
use crate::storage::{Storage, disk};

/// The journal's folder can't be read.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} can't be read: {source}", path.display())]
    Segment { path: PathBuf, source: SegmentHeaderError },
}

/// A journal on disk.
#[derive(Debug)]
pub struct Inspection {
    folder: SegmentFolder,
}

/// One segment, as `journal ls` shows it.
#[derive(Debug, Clone)]
pub struct SegmentSummary {
    pub header: SegmentHeader,
    pub path: PathBuf,
    pub bytes_on_disk: u64,
    pub sealed: bool,
    pub counts: SegmentCounts,
    /// Bytes of frames.
    pub frame_bytes: u64,
}

/// What `journal verify` found in one segment.
#[derive(Debug, Clone)]
pub struct SegmentVerdict {
    pub segment: u64,
    pub chunks: u64,
    pub entries: u64,
    /// Bytes that were synced once and do not check.
    pub damaged_bytes: u64,
    /// Bytes of a half-written tail: normal after a crash, or while a server writes.
    pub torn_bytes: u64,
    /// Whether the footer is there and agrees with the chunks; `None` for a segment that is not sealed.
    pub footer_agrees: Option<bool>,
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
        Self { folder: SegmentFolder::new(storage, data_dir.join("journal")) }
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
        Ok(SegmentSummary { header, path, bytes_on_disk: length, sealed, counts, frame_bytes })
    }

    /// Checks every frame of a segment.
    pub fn verify(&self, segment: u64) -> Result<SegmentVerdict, InspectError> {
        let OpenedSegment { mut reader, length, header } = self.open(segment)?;
        let footer = read_footer(&self.folder, &header.journal, segment).map_err(self.error(segment))?;
        let scan = scan(&mut reader, length, self.standing(segment)?).map_err(self.error(segment))?;
        let sealed = scan.sealed || footer.is_some();
        Ok(SegmentVerdict {
            segment,
            chunks: scan.footer.counts.chunks,
            entries: scan.footer.counts.entries,
            damaged_bytes: scan.damaged.iter().map(|range| range.end - range.start).sum(),
            torn_bytes: scan.torn,
            footer_agrees: sealed.then(|| footer.is_some_and(|(_, footer)| footer == scan.footer)),
        })
    }

    /// Calls `visit` with every chunk of a segment, until it says `false`.
    pub fn chunks(
        &self,
        segment: u64,
        mut visit: impl FnMut(Position, ChunkPayload) -> bool,
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
            if let Ok(chunk) = ChunkPayload::decode(frame.payload)
                && !visit(Position::new(segment, offset), chunk)
            {
                return Ok(());
            }
            offset = frame.next;
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
        let last = self.segments()?.last().copied();
        Ok(if last == Some(segment) { Standing::Last } else { Standing::Followed })
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
