//! What a removed segment leaves behind: its footer, as long as the chunk ids in it are needed to recognise resends.
//!
//! ```text
//! DATA_DIR/journal/0000000000000001.ids
//!
//!  0 64  the segment's header
//! 64  8  where the footer's frame began in the segment (its checksums depend on that)
//! 72  …  the footer's frame; written anew, of what was noted only what is still needed (kept_ids.rs)
//! ```

use std::io;

use bytes::Bytes;

use super::format::JournalId;
use super::format::footer::Footer;
use super::format::frame::{FrameKind, NewFrame, seed};
use super::format::segment_header::{SEGMENT_HEADER_LENGTH, SegmentHeader};
use super::format::trailer::{TRAILER_LENGTH, read_trailer};
use super::frame_reader::{FrameReader, frame_in_block};
use super::scan::{Standing, scan};
use super::segment_file::{SegmentFolder, read_header};
use crate::event_time::EventTime;
use crate::storage::{insist, is_for_damage, read_file, read_full_at};

/// Length of what stands before the footer's frame.
const PREFIX_LENGTH: usize = SEGMENT_HEADER_LENGTH as usize + 8;

/// What a removed segment left behind.
#[derive(Debug)]
pub(super) struct LeftBehind {
    header: [u8; SEGMENT_HEADER_LENGTH as usize],
    /// Where the footer's frame began in the segment.
    offset: u64,
    pub(super) footer: Footer,
}

/// A file of chunk ids.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdsFile {
    pub(super) bytes: u64,
    pub(super) ids: usize,
}

/// Where the footer of a sealed segment begins, and the footer; `None` where the segment is not sealed or the footer
/// is damaged.
pub(super) fn read_footer(
    folder: &SegmentFolder,
    journal: &JournalId,
    segment: u64,
) -> io::Result<Option<(u64, Footer)>> {
    let file = folder.open(segment)?;
    let length = file.stat()?.length;
    let mut trailer = [0; TRAILER_LENGTH as usize];
    if length < SEGMENT_HEADER_LENGTH + TRAILER_LENGTH {
        return Ok(None);
    }
    read_full_at(file.as_ref(), &mut trailer, length - TRAILER_LENGTH)?;
    let Some(offset) = read_trailer(&trailer, journal, segment) else { return Ok(None) };
    let frame = FrameReader::new(file, *journal, segment).frame_at(offset, length)?;
    Ok(frame
        .filter(|frame| frame.header.kind == FrameKind::Footer)
        .and_then(|frame| Footer::read(&frame.payload))
        .map(|footer| (offset, footer)))
}

/// Removes a segment; with `keep_ids` its footer is durably left behind first, and what that makes is returned. A damaged one,
/// or one that the disk can't read, is made anew from the chunks that are left.
pub(super) fn remove_segment(
    folder: &SegmentFolder,
    journal: &JournalId,
    segment: u64,
    keep_ids: bool,
) -> io::Result<Option<IdsFile>> {
    let mut kept = None;
    if keep_ids {
        let (offset, footer) = match unless_damaged(insist(|| read_footer(folder, journal, segment)))? {
            Some(Some(found)) => found,
            Some(None) | None => {
                let file = folder.open(segment)?;
                let length = file.stat()?.length;
                let mut reader = FrameReader::new(file, *journal, segment).passing_over_damage();
                let scan = scan(&mut reader, length, Standing::Followed)?;
                (scan.end, scan.footer)
            }
        };
        let read = unless_damaged(insist(|| read_header(folder.open(segment)?.as_ref())))?;
        let header = read.unwrap_or_else(|| anonymous(*journal, segment).encode());
        kept = Some(put_ids(folder, journal, segment, &LeftBehind { header, offset, footer })?);
    }
    folder.remove(&folder.segment_path(segment))?;
    Ok(kept)
}

/// Durably writes what a segment left behind, in place of what is there.
pub(super) fn put_ids(
    folder: &SegmentFolder,
    journal: &JournalId,
    segment: u64,
    left: &LeftBehind,
) -> io::Result<IdsFile> {
    let LeftBehind { header, offset, footer } = left;
    let mut bytes = header.to_vec();
    bytes.extend_from_slice(&offset.to_le_bytes());
    let seed = seed(journal, segment, *offset);
    let frame = NewFrame { kind: FrameKind::Footer, synced_mark: *offset, seed };
    frame.write(&mut bytes, |out| footer.write(out), &[]);
    folder.put(&folder.ids_path(segment), &bytes)?;
    Ok(IdsFile { bytes: bytes.len() as u64, ids: footer.id_count() })
}

/// `None` where the disk can't read.
fn unless_damaged<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if is_for_damage(&error) => Ok(None),
        read => read.map(Some),
    }
}

/// In the place of a header that does not read.
fn anonymous(journal: JournalId, segment: u64) -> SegmentHeader {
    SegmentHeader { journal, segment, created_at: EventTime::from_unix_nanoseconds(0), may_be_packed: false }
}

/// Reads what a segment left behind; `None` where it is damaged or belongs to another journal.
pub(super) fn read_ids(
    folder: &SegmentFolder,
    journal: &JournalId,
    segment: u64,
) -> io::Result<Option<LeftBehind>> {
    let Some(bytes) = read_file(folder.storage().as_ref(), &folder.ids_path(segment))? else {
        return Ok(None);
    };
    let bytes = Bytes::from(bytes);
    let header = SegmentHeader::decode(&bytes).ok();
    if header.is_none_or(|header| header.journal != *journal || header.segment != segment) {
        return Ok(None);
    }
    let Some(offset) =
        super::format::array_at(&bytes, SEGMENT_HEADER_LENGTH as usize).map(u64::from_le_bytes)
    else {
        return Ok(None);
    };
    let frame = frame_in_block(journal, segment, &bytes.slice(PREFIX_LENGTH..), offset, offset);
    let footer = frame.and_then(|frame| Footer::read(&frame.payload));
    let header = super::format::array_at(&bytes, 0);
    Ok(header.zip(footer).map(|(header, footer)| LeftBehind { header, offset, footer }))
}
