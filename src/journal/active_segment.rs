//! The segment that is being written.

use std::io;

use super::commit_buffer::{BLOCK, CommitBuffer, CommittedFrames};
use super::dedup::owner_of_id;
use super::format::JournalId;
use super::format::chunk_payload::{self, write_chunk_head, write_padded_head};
use super::format::footer::Footer;
use super::format::frame::{FRAME_HEADER_LENGTH, FrameKind, NewFrame, frame_length, seed};
use super::format::segment_header::{SEGMENT_HEADER_LENGTH, SegmentHeader};
use super::format::trailer::{TRAILER_LENGTH, write_trailer};
use super::in_place;
use super::packing::KeptChunk;
use super::shared::SegmentState;
use super::writer::MAX_COMMIT;
use crate::chunk::Chunk;
use crate::planted::{Bug, is_planted};
use crate::storage::{StorageFile, write_all_blocks_at, write_all_parts_at};

/// An unsealed segment, and the frames that are to be written to it next.
#[derive(Debug)]
pub(super) struct ActiveSegment {
    pub(super) number: u64,
    pub(super) footer: Footer,
    journal: JournalId,
    file: Box<dyn StorageFile>,
    /// Bytes that are allocated.
    size: u64,
    /// Where the next frame goes.
    end: u64,
    /// Up to where everything is synced.
    synced: u64,
    /// Frames from `synced` to `end`.
    pending: CommitBuffer,
    /// From where on it is known what the file holds, and so what lies before the frames in their block.
    known_from: u64,
    /// Whether the footer goes with what is pending.
    is_sealing: bool,
    is_sealed: bool,
    /// Whether its header says that entries may be packed.
    may_be_packed: bool,
}

impl ActiveSegment {
    /// A segment of which only the header was written.
    pub(super) fn begun(header: &SegmentHeader, file: Box<dyn StorageFile>, size: u64) -> Self {
        let SegmentHeader { segment, journal, may_be_packed, .. } = *header;
        Self {
            pending: CommitBuffer::new(&header.encode()),
            known_from: 0,
            may_be_packed,
            ..Self::new(segment, journal, file, size, SEGMENT_HEADER_LENGTH, Footer::default())
        }
    }

    /// Goes on behind `end`, up to where everything must be synced already.
    pub(super) fn new(
        number: u64,
        journal: JournalId,
        file: Box<dyn StorageFile>,
        size: u64,
        end: u64,
        footer: Footer,
    ) -> Self {
        Self {
            number,
            footer,
            journal,
            file,
            size,
            end,
            synced: end,
            pending: CommitBuffer::new(&vec![0; (end % BLOCK as u64) as usize]),
            known_from: end,
            is_sealing: false,
            is_sealed: false,
            may_be_packed: false,
        }
    }

    /// With what the header says of packed entries.
    pub(super) fn packed(self, may_be_packed: bool) -> Self {
        Self { may_be_packed, ..self }
    }

    /// Whether entries in it may be packed.
    pub(super) fn may_be_packed(&self) -> bool {
        self.may_be_packed
    }

    /// Stands in for the next segment while the disk has no space for one: the last one, which takes nothing more.
    pub(super) fn sealed(
        number: u64,
        journal: JournalId,
        file: Box<dyn StorageFile>,
        size: u64,
        end: u64,
    ) -> Self {
        Self { is_sealed: true, ..Self::new(number, journal, file, size, end, Footer::default()) }
    }

    /// Whether it takes nothing more.
    pub(super) fn is_sealed(&self) -> bool {
        self.is_sealed
    }

    /// Whether a chunk fits and still leaves room for the footer that it makes longer.
    pub(super) fn has_room_for(&self, payload_length: u64, footer_growth: u64) -> bool {
        let footer = frame_length(self.footer.payload_length() + footer_growth);
        !self.is_sealed
            && !self.is_sealing
            && self.end + frame_length(payload_length) + footer + TRAILER_LENGTH <= self.size
    }

    /// Where the next frame goes.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Adds a chunk to what is to be written, while so many others wait for the same.
    pub(super) fn push(&mut self, kind: FrameKind, chunk: &KeptChunk, waiting: usize) {
        self.end += match chunk.memory_in_place(kind) {
            None => self.push_copy(kind, chunk, waiting),
            Some(memory) => self.push_in_place(chunk, memory, waiting),
        };
        self.footer.counts.add(chunk.entry_count, chunk.received_at.unix_nanoseconds());
    }

    /// Gives the length of the frame, as the next.
    fn push_copy(&mut self, kind: FrameKind, chunk: &KeptChunk, waiting: usize) -> u64 {
        let length = frame_length(chunk.payload_length());
        let frame = self.next_frame(kind);
        let more = waiting.saturating_mul(length as usize).min(MAX_COMMIT);
        let out = self.pending.room_for(length as usize, more);
        let packed = chunk.packed.as_ref();
        let entries = chunk_payload::kept_entries(chunk, packed);
        frame.write(out, |out| write_chunk_head(out, chunk, packed), entries);
        length
    }

    fn push_in_place(&mut self, chunk: &KeptChunk, memory: usize, waiting: usize) -> u64 {
        let entries = &chunk.entries;
        let unpadded = chunk.payload_length();
        let head = FRAME_HEADER_LENGTH + unpadded - entries.len() as u64;
        let padding = in_place::padding(self.end + head, entries);
        let frame = self.next_frame(FrameKind::Chunk);
        let copied = head as usize + padding + 2 * BLOCK;
        self.pending.room_for(copied, waiting.saturating_mul(copied).min(MAX_COMMIT));
        self.pending.push_in_place(entries, memory, |out| {
            frame.write_head(out, |out| write_padded_head(out, chunk, None, padding), entries);
        });
        frame_length(unpadded + padding as u64)
    }

    /// The frame that begins where the others end.
    fn next_frame(&self, kind: FrameKind) -> NewFrame {
        NewFrame { kind, synced_mark: self.synced, seed: seed(&self.journal, self.number, self.end) }
    }

    /// Bytes that are to be written.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Whether anything is to be written or synced.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.len() > 0 || (self.is_sealing && !self.is_sealed)
    }

    /// Writes what is pending, in whole blocks where it can. May be called again after an error: the same bytes go to the same place.
    pub(super) fn write(&mut self) -> io::Result<()> {
        if self.is_sealing && !self.is_sealed {
            return self.seal();
        }
        let block = self.synced - self.synced % BLOCK as u64;
        let file = self.file.as_ref();
        match block >= self.known_from && self.end.next_multiple_of(BLOCK as u64) <= self.size {
            true => self.pending.with_blocks(|blocks| write_all_blocks_at(file, blocks, block)),
            false => self.pending.with_frames(|frames| write_all_parts_at(file, frames, self.synced)),
        }
    }

    /// Syncs what was written. After an error nothing can be said of it any more: all of it is to be written again.
    pub(super) fn sync(&mut self) -> io::Result<Written> {
        if !is_planted(Bug::MissingSync) {
            self.file.sync()?;
        }
        self.is_sealed |= self.is_sealing;
        let start = self.synced;
        self.synced = self.end;
        // Readers have these bytes from memory. Where they went through the page cache, the pages that the next commits
        // need would each have to be found, and filled with zeros, anew: that costs more than the write.
        self.file.let_go(start, self.end - start);
        Ok(Written { start, frames: self.pending.take() })
    }

    /// Takes memory for the next frames, of frames that nobody reads any more, and keeps no more than so many bytes of it.
    pub(super) fn reuse(&mut self, memory: Vec<Vec<u8>>, limit: usize) {
        memory.into_iter().for_each(|memory| self.pending.reuse(memory));
        self.pending.shrink_to(limit);
    }

    /// The memory that is left for frames, of a segment that takes no more of them.
    pub(super) fn into_memory(self) -> Vec<Vec<u8>> {
        self.pending.into_spares()
    }

    /// Writes the footer behind what is pending and gives the rest of the allocated space back. What was pending
    /// is synced with it, and then it is sealed.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        self.is_sealing = true;
        let chunks = self.pending.copied();
        let frame = self.next_frame(FrameKind::Footer);
        let footer = &self.footer;
        let out = self.pending.room_for((frame_length(footer.payload_length()) + TRAILER_LENGTH) as usize, 0);
        frame.write(out, |out| footer.write(out), &[]);
        write_trailer(out, self.end, frame.seed);
        let size = self.synced + self.pending.len() as u64;
        let file = self.file.as_ref();
        let written = self.pending.with_frames(|frames| write_all_parts_at(file, frames, self.synced));
        self.pending.truncate(chunks);
        written?;
        self.file.set_len(size)?;
        self.size = size;
        Ok(())
    }

    /// What readers and the size limit see of it.
    pub(super) fn state(&self) -> SegmentState {
        SegmentState {
            end: self.synced,
            sealed: self.is_sealed,
            bytes_on_disk: self.size,
            last_received_at: self.footer.counts.last_received_at,
        }
    }
}

/// Frames that are synced.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) start: u64,
    pub(super) frames: CommittedFrames,
}

/// Whether a chunk, whose payload is so long, fits into an empty segment of this size.
pub(super) fn fits_into_segment(chunk: &Chunk, payload_length: u64, segment_size: u64) -> bool {
    let mut footer = Footer::default();
    let (sender, handed_over) = (chunk.sender.identity.as_str(), chunk.handed_over.as_deref());
    let owner = owner_of_id(sender, chunk.id.as_deref(), 0, handed_over);
    let owner = owner.as_ref().map_or(sender, |(owner, _)| owner);
    let growth = footer.growth(owner, chunk.proof.acknowledged.is_some());
    footer.counts.chunks = 1;
    SEGMENT_HEADER_LENGTH
        + frame_length(payload_length)
        + frame_length(footer.payload_length() + growth)
        + TRAILER_LENGTH
        <= segment_size
}
