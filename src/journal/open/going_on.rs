//! The segment to go on in: the last one behind its torn tail, or a new one.

use std::io;

use super::Opened;
use crate::config::JournalConfig;
use crate::event_time::EventTime;
use crate::journal::active_segment::ActiveSegment;
use crate::journal::format::segment_header::SegmentHeader;
use crate::journal::scan::Scan;
use crate::journal::segment_file::{allocate, read_header};
use crate::storage::is_for_want_of_space;

impl Opened {
    /// Makes the end of the last segment trustworthy and goes on behind it.
    pub(super) fn go_on_in(
        &mut self,
        segment: u64,
        scan: Scan,
        segment_size: u64,
    ) -> io::Result<ActiveSegment> {
        let file = self.folder.open_for_writing(segment)?;
        let header = SegmentHeader::decode(&read_header(self.folder.open(segment)?.as_ref())?)
            .map_err(io::Error::other)?;
        self.write_again(file.as_ref(), segment, scan.synced.min(scan.end), scan.end)?;
        // Cut, so that no frame of the torn tail can ever line up behind a new one; then allocated again.
        file.set_len(scan.end)?;
        let size = match allocate(file.as_ref(), scan.end, segment_size) {
            Ok(()) => segment_size.max(scan.end),
            // The backlog can be delivered all the same, which may be what makes room; the first append waits for it.
            Err(error) if is_for_want_of_space(&error) => scan.end,
            Err(error) => return Err(error),
        };
        file.sync()?;
        self.check_again(segment, &scan, scan.end)?;
        if scan.torn > 0 {
            tracing::info!(
                segment,
                bytes = scan.torn,
                "cut a half-written tail off the journal, as after a crash: nothing says that it was ever synced, and what \
                 was not acknowledged is sent again"
            );
        }
        let active = ActiveSegment::new(segment, self.journal, file, size, scan.end, scan.footer);
        Ok(active.packed(header.may_be_packed))
    }

    /// Begins a segment behind the newest that there is.
    pub(super) fn go_on_behind(
        &mut self,
        newest: Option<u64>,
        config: &JournalConfig,
        now: EventTime,
    ) -> io::Result<ActiveSegment> {
        // A number is never used again, not even one of a segment that is missing.
        let number = newest.max(self.kept_ids.newest()).max(self.begun()).unwrap_or(0);
        match (self.begin_segment(number + 1, config, now), newest) {
            (Err(error), Some(newest)) if is_for_want_of_space(&error) => self.stay_in(newest, number),
            (begun, _) => begun,
        }
    }

    /// There is no space for another segment yet, which comes behind this number. The backlog can be delivered all the same,
    /// which may be what makes room.
    fn stay_in(&self, last: u64, number: u64) -> io::Result<ActiveSegment> {
        let state = self.segments.get(&last).ok_or(io::ErrorKind::NotFound)?;
        let file = self.folder.open(last)?;
        Ok(ActiveSegment::sealed(number, self.journal, file, state.bytes_on_disk, state.end))
    }

    fn begin_segment(
        &mut self,
        segment: u64,
        config: &JournalConfig,
        now: EventTime,
    ) -> io::Result<ActiveSegment> {
        let file = self.folder.allocate_spare(config.segment_size)?;
        let may_be_packed = config.compression.is_some();
        let header = SegmentHeader { journal: self.journal, segment, created_at: now, may_be_packed };
        self.folder.begin_spare(file.as_ref(), &header)?;
        self.folder.name_spare(&header)?;
        Ok(ActiveSegment::begun(&header, file, config.segment_size))
    }
}
