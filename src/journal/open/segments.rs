//! Taking up the segments that are on disk.

use std::io;

use super::OpenError;
use super::Opened;
use super::remember::remember;
use crate::journal::format::JournalId;
use crate::journal::format::segment_header::SegmentHeader;
use crate::journal::frame_reader::FrameReader;
use crate::journal::left_behind::read_footer;
use crate::journal::scan::{Scan, Standing, scan};
use crate::journal::segment_file::{SegmentFolder, read_header};
use crate::journal::shared::SegmentState;
use crate::metrics::JournalMetrics;
use crate::storage::{StorageFile, insist, is_for_damage, write_all_at};

impl Opened {
    /// Takes up a segment that is on disk. The last one is given back if it can be written on.
    ///
    /// The last one is read as a whole even if it was sealed: its footer may have reached the disk before a chunk
    /// that the footer names, and an id without its chunk would make a resend look like a repeat.
    pub(super) fn take_segment(
        &mut self,
        segment: u64,
        is_last: bool,
        referred_to: &mut Vec<u64>,
        metrics: &JournalMetrics,
    ) -> io::Result<Option<Scan>> {
        let length = insist(|| self.folder.open(segment)?.stat())?.length;
        let footer = match insist(|| read_footer(&self.folder, &self.journal, segment)) {
            Err(error) if is_for_damage(&error) => None,
            footer => footer?,
        };
        // Without a trailer, as when the process ended between the two, a footer is found by nobody.
        let has_trailer = footer.is_some();
        if !is_last && let Some((end, footer)) = footer {
            remember(&mut self.dedup, &footer, segment);
            let last_received_at = footer.counts.last_received_at;
            let state = SegmentState { end, sealed: true, bytes_on_disk: length, last_received_at };
            self.segments.insert(segment, state);
            return Ok(None);
        }
        let standing =
            if is_last { Standing::Last { synced: self.synced_in(segment) } } else { Standing::Followed };
        let (scan, is_readable) = self.scan_what_reads(segment, length, standing)?;
        remember(&mut self.dedup, &scan.footer, segment);
        self.damaged.extend(scan.damaged.iter().map(|range| (segment, range.clone())));
        if is_last {
            referred_to.extend(scan.large.iter().map(|(offset, _)| *offset));
        }
        if is_last && !is_readable {
            // Nothing is written any more to what the disk can't read. It ends here, so that nothing behind comes to life.
            let file = self.folder.open_for_writing(segment)?;
            file.set_len(scan.end)?;
            file.sync()?;
            metrics.torn_bytes.inc_by(scan.torn);
        } else if is_last && !(scan.sealed && has_trailer) {
            metrics.torn_bytes.inc_by(scan.torn);
            return Ok(Some(scan));
        } else if is_last {
            let file = self.folder.open_for_writing(segment)?;
            self.write_again(file.as_ref(), segment, scan.synced, length)?;
            file.sync()?;
            self.check_again(segment, &scan, length)?;
        } else {
            tracing::warn!(
                path = %self.folder.segment_path(segment).display(),
                "the footer of a sealed segment is damaged: its chunks were found by reading all of it"
            );
        }
        let last_received_at = scan.footer.counts.last_received_at;
        let state = SegmentState { end: scan.end, sealed: true, bytes_on_disk: length, last_received_at };
        self.segments.insert(segment, state);
        Ok(None)
    }

    /// Scans a segment, and whether the disk can read all of it. Where it can't, what it reads is found all the same.
    fn scan_what_reads(&self, segment: u64, length: u64, standing: Standing) -> io::Result<(Scan, bool)> {
        let reader =
            || Ok::<_, io::Error>(FrameReader::new(self.folder.open(segment)?, self.journal, segment));
        match insist(|| scan(&mut reader()?, length, standing)) {
            Err(error) if is_for_damage(&error) => {
                tracing::error!(
                    path = %self.folder.segment_path(segment).display(), %error,
                    "the disk can't read a part of a journal segment: what reads is delivered. Check the disk"
                );
                Ok((scan(&mut reader()?.passing_over_damage(), length, standing)?, false))
            }
            scanned => Ok((scanned?, true)),
        }
    }

    /// Up to where a segment was synced for certain.
    fn synced_in(&self, segment: u64) -> u64 {
        if self.synced.segment == segment { self.synced.offset } else { 0 }
    }

    /// After a failed sync the page cache may show bytes that never reached the disk: what is not marked as synced is
    /// written once more, so that the sync that follows is about these very bytes.
    pub(super) fn write_again(
        &self,
        file: &dyn StorageFile,
        segment: u64,
        from: u64,
        to: u64,
    ) -> io::Result<()> {
        let reading = self.folder.open(segment)?;
        let unsure = FrameReader::new(reading, self.journal, segment).bytes(from, to)?;
        write_all_at(file, &unsure, from)
    }

    /// What was written again is what the kernel showed then, which after a failed sync need not be what it showed
    /// when the segment was scanned. A chunk that got lost in between must not be taken for one that is kept.
    pub(super) fn check_again(&self, segment: u64, before: &Scan, length: u64) -> io::Result<()> {
        let mut reader = FrameReader::new(self.folder.open(segment)?, self.journal, segment);
        let standing = Standing::Last { synced: self.synced_in(segment) };
        let now = scan(&mut reader, length, standing)?;
        if (now.end, &now.footer) == (before.end, &before.footer) {
            return Ok(());
        }
        Err(io::Error::other("its bytes changed while they were read, as after a failed write. Start again"))
    }
}

/// Checks that all segments are ours and of one journal.
pub(super) fn read_headers(folder: &SegmentFolder, segments: &[u64]) -> Result<Option<JournalId>, OpenError> {
    let mut first: Option<(JournalId, u64)> = None;
    for segment in segments {
        let path = folder.segment_path(*segment);
        let bytes = match insist(|| read_header(folder.open(*segment)?.as_ref())) {
            // Each frame proves by itself whose it is.
            Err(error) if is_for_damage(&error) => continue,
            read => read.map_err(|source| OpenError::Io { action: "read", path: path.clone(), source })?,
        };
        let header = SegmentHeader::decode(&bytes)
            .map_err(|source| OpenError::Segment { path: path.clone(), source })?;
        let (journal, other) = *first.get_or_insert((header.journal, *segment));
        if header.journal != journal || header.segment != *segment {
            return Err(OpenError::Mixed { path, other: folder.segment_path(other) });
        }
    }
    Ok(first.map(|(journal, _)| journal))
}
