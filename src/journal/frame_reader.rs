//! Reading frames of one segment from its file, a block at a time.

use std::io;

use bytes::{Bytes, BytesMut};

use super::format::JournalId;
use super::format::frame::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, FrameHeader, seed};
use super::read_ahead::ReadAhead;
use crate::storage::{StorageFile, insist, is_for_damage, read_full_at};

/// How much is read at once; a larger frame is read whole.
const BLOCK_LENGTH: u64 = 256 * 1024;

/// How much longer than the last frame the next one is expected to be at most: by one part in so many.
const MORE_THAN_USUAL: u64 = 32;

/// What a disk reads or does not.
const PAGE: usize = 4096;

/// A frame whose checksums hold.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) header: FrameHeader,
    /// Without the entries where these are elsewhere.
    pub(super) payload: Bytes,
    /// The entries, where they are no part of the payload's memory.
    pub(super) entries: Option<Bytes>,
    /// Where the next one begins.
    pub(super) next: u64,
}

/// Takes the frame at `at` out of a block that begins at `block_start`; `None` where no valid one lies whole in it.
pub(super) fn frame_in_block(
    journal: &JournalId,
    segment: u64,
    block: &Bytes,
    block_start: u64,
    at: u64,
) -> Option<Frame> {
    let start = usize::try_from(at.checked_sub(block_start)?).ok()?;
    let seed = seed(journal, segment, at);
    let header = FrameHeader::decode(block.get(start..)?, seed)?;
    let payload_start = start + FRAME_HEADER_LENGTH as usize;
    let payload_end = payload_start.checked_add(header.payload_length as usize)?;
    if start.checked_add(header.frame_length() as usize)? > block.len() {
        return None;
    }
    let payload = block.slice(payload_start..payload_end);
    let frame = Frame { header, payload, entries: None, next: at + header.frame_length() };
    header.matches(&frame.payload, seed).then_some(frame)
}

/// Reads frames of one segment.
#[derive(Debug)]
pub(super) struct FrameReader {
    file: Box<dyn StorageFile>,
    journal: JournalId,
    segment: u64,
    block: Bytes,
    block_start: u64,
    ahead: ReadAhead,
    /// How much of the file the last frame took that was longer than what is read at once, and a little more: the next
    /// one often is as long, and need not be read twice then, to see how long it is and whole.
    usual: u64,
    /// Whether nobody reads what was read soon after this.
    lets_go: bool,
    /// Up to where the system was told that it need not keep in memory what was read.
    let_go: u64,
    /// Whether what the disk can't read is zeros.
    passes_over_damage: bool,
    /// The end of the last bytes that were taken for zeros.
    unreadable_end: u64,
}

impl FrameReader {
    /// Of a file that [`SegmentFolder::open`](super::segment_file::SegmentFolder::open) opened.
    pub(super) fn new(file: Box<dyn StorageFile>, journal: JournalId, segment: u64) -> Self {
        Self {
            ahead: ReadAhead::default(),
            file,
            journal,
            segment,
            block: Bytes::new(),
            block_start: 0,
            usual: BLOCK_LENGTH,
            lets_go: true,
            let_go: u64::MAX,
            passes_over_damage: false,
            unreadable_end: 0,
        }
    }

    /// Goes on where the disk can't read as if there were zeros, so that all frames are found that do read.
    pub(super) fn passing_over_damage(self) -> Self {
        Self { block: Bytes::new(), passes_over_damage: true, ..self }
    }

    pub(super) fn segment(&self) -> u64 {
        self.segment
    }

    /// Says whether the system need not keep in memory what was read: it should where another reader comes by.
    pub(super) fn let_go_of_what_is_read(&mut self, lets_go: bool) {
        self.lets_go = lets_go;
    }

    /// The frame at an offset, if a valid one lies there and ends at or before `end`.
    pub(super) fn frame_at(&mut self, at: u64, end: u64) -> io::Result<Option<Frame>> {
        if at + FRAME_HEADER_LENGTH > end || !self.fill(at, FRAME_HEADER_LENGTH, end)? {
            return Ok(None);
        }
        let start = (at - self.block_start) as usize;
        let Some(header) = FrameHeader::decode(&self.block[start..], seed(&self.journal, self.segment, at))
        else {
            return Ok(None);
        };
        let length = header.frame_length();
        self.usual = (length + length / MORE_THAN_USUAL).max(BLOCK_LENGTH);
        if at + length > end || !self.fill(at, length, end)? {
            return Ok(None);
        }
        Ok(frame_in_block(&self.journal, self.segment, &self.block, self.block_start, at))
    }

    /// The first valid frame at or behind an offset, and how far there is anything but zeros before it.
    pub(super) fn find_frame(&mut self, mut at: u64, end: u64) -> io::Result<Found> {
        let mut last_byte_before = at;
        while at + FRAME_HEADER_LENGTH <= end && self.fill(at, FRAME_HEADER_LENGTH, end)? {
            let start = (at - self.block_start) as usize;
            let word = &self.block[start..start + FRAME_ALIGNMENT as usize];
            if word != [0; FRAME_ALIGNMENT as usize] {
                if self.frame_at(at, end)?.is_some() {
                    return Ok(Found { frame: Some(at), last_byte_before });
                }
                last_byte_before = at + FRAME_ALIGNMENT;
            }
            at += FRAME_ALIGNMENT;
        }
        Ok(Found { frame: None, last_byte_before })
    }

    /// Up to where there was something that the disk can't read; 0 where there was nothing.
    pub(super) fn unreadable_end(&self) -> u64 {
        self.unreadable_end
    }

    /// The bytes of a range, whatever they are; shorter where the file ends.
    pub(super) fn bytes(&mut self, from: u64, to: u64) -> io::Result<Bytes> {
        self.read_block(BytesMut::new(), from, to.saturating_sub(from))
    }

    /// Sees to it that the block holds `length` bytes from `at`; false where the file ends before.
    fn fill(&mut self, at: u64, length: u64, end: u64) -> io::Result<bool> {
        let block_end = self.block_start + self.block.len() as u64;
        if at < self.block_start || at + length > block_end {
            let wanted = length.max(self.usual.min(end - at));
            self.ahead.before_reading(self.file.as_ref(), at, at + wanted, end);
            // Its memory is at hand again where nobody holds a frame of it any more.
            let memory = std::mem::take(&mut self.block).try_into_mut().unwrap_or_default();
            self.block = match self.read_block(memory, at, wanted) {
                // What lies ahead is no matter of this frame.
                Err(error) if is_for_damage(&error) && length < wanted => {
                    self.read_block(BytesMut::new(), at, length)?
                }
                read => read?,
            };
            self.block_start = at;
            self.let_go_before(at);
        }
        Ok(at + length <= self.block_start + self.block.len() as u64)
    }

    /// Lets the system use the pages for something else that were read on the way to `at`. The next ones would each have
    /// to be found anew else, which costs more than reading them.
    fn let_go_before(&mut self, at: u64) {
        let page = at - at % PAGE as u64;
        if self.let_go == u64::MAX {
            self.let_go = page;
        }
        if self.lets_go && self.let_go < page {
            self.file.let_go(self.let_go, page - self.let_go);
            self.let_go = page;
        }
    }

    fn read_block(&mut self, mut block: BytesMut, at: u64, length: u64) -> io::Result<Bytes> {
        if block.capacity() < length as usize {
            // So that the next block has room as well, if it is a little longer.
            block = BytesMut::with_capacity(length.next_multiple_of(BLOCK_LENGTH) as usize);
        }
        block.resize(length as usize, 0);
        let filled = match read_full_at(self.file.as_ref(), &mut block, at) {
            Err(error) if self.passes_over_damage && is_for_damage(&error) => {
                self.read_what_reads(&mut block, at)?
            }
            read => read?,
        };
        block.truncate(filled);
        Ok(block.freeze())
    }

    /// Fills a block page by page, with zeros where the disk can't read one; gives how much of it is in the file.
    fn read_what_reads(&mut self, block: &mut [u8], at: u64) -> io::Result<usize> {
        let rest = insist(|| self.file.stat())?.length.saturating_sub(at);
        let within = usize::try_from(rest).unwrap_or(usize::MAX).min(block.len());
        let mut from = 0;
        while from < within {
            // To the end of the page in the file.
            let to = (from + PAGE - (at as usize + from) % PAGE).min(within);
            // Once: whoever passes over damage has tried before, and a dead disk takes seconds for each.
            match read_full_at(self.file.as_ref(), &mut block[from..to], at + from as u64) {
                Err(error) if is_for_damage(&error) => {
                    block[from..to].fill(0);
                    self.unreadable_end = self.unreadable_end.max(at + to as u64);
                }
                read => drop(read?),
            }
            from = to;
        }
        Ok(within)
    }
}

/// What [`FrameReader::find_frame`] found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) frame: Option<u64>,
    /// The end of the last bytes before it that are not zero.
    pub(super) last_byte_before: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::fake_segment::FakeSegment;
    use crate::journal::format::frame::{FrameKind, NewFrame};

    const JOURNAL: JournalId = [7; 16];

    #[test]
    fn large_frames_are_read_once_and_let_go_of() {
        let mut bytes = Vec::new();
        for number in 0..20u8 {
            let seed = seed(&JOURNAL, 1, bytes.len() as u64);
            let length = 3 * BLOCK_LENGTH as usize + 1_000 * usize::from(number % 5);
            let frame = NewFrame { kind: FrameKind::Chunk, synced_mark: 0, seed };
            frame.write(&mut bytes, |_| {}, &vec![number; length]);
        }
        let end = bytes.len() as u64;
        let segment = FakeSegment::new(bytes);
        let mut reader = FrameReader::new(Box::new(segment.clone()), JOURNAL, 1);
        let (mut at, mut memory) = (0, None);
        for number in 0..20 {
            let frame = reader.frame_at(at, end).unwrap().unwrap();
            assert!(frame.payload.iter().all(|byte| *byte == number));
            assert!(segment.let_go_to() <= at, "what is not read is not let go of");
            let place = frame.payload.as_ptr();
            assert_eq!(*memory.get_or_insert(place), place, "the memory is used again");
            at = frame.next;
            // Others that are behind read it before it goes.
            reader.let_go_of_what_is_read(number % 7 > 2);
        }
        assert_eq!(at, end);
        let read = segment.bytes_read();
        assert!(read < end + end / 16, "{read} bytes of {end} were read");
        assert!(segment.let_go_to() > end - 4 * BLOCK_LENGTH);
    }
}
