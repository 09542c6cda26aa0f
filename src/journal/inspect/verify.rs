//! Whether everything that was synced reads back.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::{InspectError, Inspection, OpenedSegment};
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::journal::format::reference::Reference;
use crate::journal::large::{Blocks, LargePlace};
use crate::journal::left_behind::{read_footer, read_ids};
use crate::journal::scan::{Standing, scan};
use crate::storage::Open;

/// How often a segment is looked at that is being written and seems damaged.
const MAX_LOOKS: u32 = 5;

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

impl SegmentVerdict {
    /// Whether everything that was ever synced reads back.
    pub fn is_intact(&self) -> bool {
        self.damaged_bytes == 0 && self.footer_agrees != Some(false)
    }
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

impl Inspection {
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
        for (segment, _) in self.folder.list().map_err(in_folder)?.ids {
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
}
