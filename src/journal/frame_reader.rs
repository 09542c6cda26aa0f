//! Reading frames of one segment from its file.

use std::io;

use bytes::Bytes;

use super::block_reader::{BlockReader, Others};
use super::fetcher::Fetcher;
use super::format::JournalId;
use super::format::frame::{FRAME_ALIGNMENT, FRAME_HEADER_LENGTH, FrameHeader, seed};
use crate::storage::StorageFile;

/// How much is read at once; a larger frame is read whole.
const BLOCK_LENGTH: u64 = 256 * 1024;

/// How much longer than the last frame the next one is expected to be at most: by one part in so many.
const MORE_THAN_USUAL: u64 = 32;

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
    blocks: BlockReader,
    journal: JournalId,
    segment: u64,
    /// How much of the file is read at once: as much as so many frames take as the last one, and a little more. The next
    /// ones often are as long, and need not be read twice then, to see how long they are and whole.
    usual: u64,
}

impl FrameReader {
    /// Of a file that [`SegmentFolder::open`](super::segment_file::SegmentFolder::open) opened.
    pub(super) fn new(file: Box<dyn StorageFile>, journal: JournalId, segment: u64) -> Self {
        Self { blocks: BlockReader::new(file), journal, segment, usual: BLOCK_LENGTH }
    }

    /// For reading all of it.
    pub(super) fn fetching(self, fetcher: Fetcher) -> Self {
        Self { blocks: self.blocks.fetching(fetcher), ..self }
    }

    /// Goes on where the disk can't read as if there were zeros, so that all frames are found that do read.
    pub(super) fn passing_over_damage(self) -> Self {
        Self { blocks: self.blocks.passing_over_damage(), ..self }
    }

    pub(super) fn segment(&self) -> u64 {
        self.segment
    }

    /// Says who reads the disk beside it now.
    pub(super) fn reads_beside(&mut self, others: Others) {
        self.blocks.reads_beside(others);
    }

    /// The frame at an offset, if a valid one lies there and ends at or before `end`.
    pub(super) fn frame_at(&mut self, at: u64, end: u64) -> io::Result<Option<Frame>> {
        if at + FRAME_HEADER_LENGTH > end || !self.fill(at, FRAME_HEADER_LENGTH, end)? {
            return Ok(None);
        }
        let Some(header) = FrameHeader::decode(self.bytes_at(at), seed(&self.journal, self.segment, at))
        else {
            return Ok(None);
        };
        let length = header.frame_length();
        let frames = (BLOCK_LENGTH / length).max(1) * length;
        self.usual = frames + frames / MORE_THAN_USUAL;
        if at + length > end || !self.fill(at, length, end)? {
            return Ok(None);
        }
        // While this one is worked on, the next, which may be as long.
        self.blocks.begin(at + length, length, self.usual, end);
        let (block, start) = (self.blocks.block(), self.blocks.start());
        Ok(frame_in_block(&self.journal, self.segment, block, start, at))
    }

    /// The first valid frame at or behind an offset, and how far there is anything but zeros before it.
    pub(super) fn find_frame(&mut self, mut at: u64, end: u64) -> io::Result<Found> {
        let mut last_byte_before = at;
        while at + FRAME_HEADER_LENGTH <= end && self.fill(at, FRAME_HEADER_LENGTH, end)? {
            let word = &self.bytes_at(at)[..FRAME_ALIGNMENT as usize];
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
        self.blocks.unreadable_end()
    }

    /// The bytes of a range, whatever they are; shorter where the file ends.
    pub(super) fn bytes(&mut self, from: u64, to: u64) -> io::Result<Bytes> {
        self.blocks.bytes(from, to)
    }

    fn fill(&mut self, at: u64, length: u64, end: u64) -> io::Result<bool> {
        self.blocks.fill(at, length, self.usual, end)
    }

    /// Those of the block from there on, which it was filled with.
    fn bytes_at(&self, at: u64) -> &[u8] {
        &self.blocks.block()[(at - self.blocks.start()) as usize..]
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
    use crate::storage::{Disk, Open, Storage, is_for_damage};

    const JOURNAL: JournalId = [7; 16];

    /// Twenty frames of about so many bytes, each with its own number in it, and where they end.
    fn segment(length: u64) -> (FakeSegment, u64) {
        let mut bytes = Vec::new();
        for number in 0..20u8 {
            let seed = seed(&JOURNAL, 1, bytes.len() as u64);
            let length = length as usize + 1_000 * usize::from(number % 5);
            let frame = NewFrame { kind: FrameKind::Chunk, synced_mark: 0, seed };
            frame.write(&mut bytes, |_| {}, &vec![number; length]);
        }
        let end = bytes.len() as u64;
        (FakeSegment::new(bytes), end)
    }

    fn fetcher(segment: &FakeSegment, on_a_thread: bool) -> Fetcher {
        Fetcher::new(Box::new(segment.clone()), on_a_thread)
    }

    #[test]
    fn large_frames_are_read_once_and_let_go_of() {
        let (segment, end) = segment(3 * BLOCK_LENGTH);
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
            reader.reads_beside(if number % 7 > 2 { Others::Ahead } else { Others::Behind });
        }
        assert_eq!(at, end);
        let read = segment.bytes_read();
        assert!(read < end + end / 16, "{read} bytes of {end} were read");
        assert!(segment.let_go_to() > end - 4 * BLOCK_LENGTH);
    }
    #[test]
    fn whoever_reads_alone_reads_past_the_page_cache_and_each_frame_once() {
        for (length, on_a_thread) in [10, 60, 100, 250, 700]
            .into_iter()
            .flat_map(|kibibytes| [true, false].map(|on_a_thread| (kibibytes * 1024, on_a_thread)))
        {
            let (segment, end) = segment(length);
            let file = Box::new(segment.clone());
            let mut reader = FrameReader::new(file, JOURNAL, 1).fetching(fetcher(&segment, on_a_thread));
            reader.reads_beside(Others::Nobody);
            let mut at = 0;
            for number in 0..20 {
                let frame = reader.frame_at(at, end).unwrap().unwrap();
                assert!(frame.payload.iter().all(|byte| *byte == number));
                at = frame.next;
            }
            assert_eq!(at, end);
            assert_eq!(segment.let_go_to(), 0, "nothing is to be let go of");
            let read = segment.bytes_read();
            assert!(
                read < end + end / 8 + BLOCK_LENGTH,
                "{read} bytes of {end} were read at {length} a frame"
            );
        }
    }

    #[test]
    fn the_frame_that_the_disk_can_not_read_says_so_and_comes_when_it_can() {
        let (segment, end) = segment(3 * BLOCK_LENGTH);
        let mut reader =
            FrameReader::new(Box::new(segment.clone()), JOURNAL, 1).fetching(fetcher(&segment, true));
        reader.reads_beside(Others::Nobody);
        let next = reader.frame_at(0, end).unwrap().unwrap().next;
        // The next one may have come before.
        let next = reader.frame_at(next, end).unwrap().unwrap().next;
        segment.break_disk(true);
        let mut at = next;
        let error = loop {
            match reader.frame_at(at, end) {
                Ok(frame) => at = frame.unwrap().next,
                Err(error) => break error,
            }
        };
        assert!(is_for_damage(&error));
        segment.break_disk(false);
        assert_eq!(reader.frame_at(at, end).unwrap().unwrap().payload[0] as u64, at / (3 * BLOCK_LENGTH));
    }

    #[test]
    fn others_come_and_go_while_a_block_is_read_ahead() {
        let (segment, end) = segment(3 * BLOCK_LENGTH);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        std::fs::write(&path, segment.bytes()).unwrap();
        let open = || Disk.open(&path, Open::Reading).unwrap();
        let mut reader = FrameReader::new(open(), JOURNAL, 1).fetching(Fetcher::new(open(), true));
        let mut at = 0;
        for number in 0..20 {
            let others = if number % 3 == 0 { Others::Nobody } else { Others::Ahead };
            reader.reads_beside(others);
            let frame = reader.frame_at(at, end).unwrap().unwrap();
            assert!(frame.payload.iter().all(|byte| *byte == number));
            at = frame.next;
        }
    }
}
