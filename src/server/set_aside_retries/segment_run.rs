//! The chunks of one segment, on their way into the journal once more.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::chunk::{AckProof, AsReceived, Chunk, HandedOver};
use crate::config::OutputConfig;
use crate::dead_letters::{FolderLock, folder};
use crate::event_time::EventTime;
use crate::journal::format::chunk_payload::ChunkPayload;
use crate::journal::{AppendError, CursorFolder, Journal, Position, Receipt, SavedCursor, SetAsideSegment};
use crate::wire::entry::Entries;

/// How long it is waited until it is looked again whether the output has got on.
const WAIT: Duration = Duration::from_millis(100);

/// Chunks, and bytes of them, that `.from` may be behind: after a crash they are read again.
const MAX_UNSETTLED_CHUNKS: usize = 64;
const MAX_UNSETTLED_BYTES: usize = 8 * 1024 * 1024;

/// When chunks may go into the journal.
#[derive(Debug)]
pub(super) struct Pace<'a> {
    pub(super) journal: &'a Journal,
    pub(super) output: &'a OutputConfig,
    pub(super) flush_requests: &'a watch::Sender<u64>,
    pub(super) runtime: &'a Handle,
    pub(super) stop: &'a CancellationToken,
}

/// What was taken of a segment.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) chunks: u64,
    pub(super) events: u64,
}

/// One segment that is retried.
#[derive(Debug)]
pub(super) struct SegmentRun<'a> {
    pace: Pace<'a>,
    /// As its `.from` says.
    from: SavedCursor,
    journal: String,
    /// Chunks that are not known to be durable yet.
    pending: Vec<Receipt>,
    pending_bytes: usize,
    taken: &'a mut Taken,
}

impl<'a> SegmentRun<'a> {
    pub(super) fn new(pace: Pace<'a>, segment: &SetAsideSegment, taken: &'a mut Taken) -> Self {
        let from = segment.from;
        let journal = format!("{:032x}", u128::from_be_bytes(from.journal));
        Self { pace, from, journal, pending: Vec::new(), pending_bytes: 0, taken }
    }

    /// Takes what is left of it, and removes it. Blocks.
    pub(super) fn execute(mut self, data_dir: &Path) -> Result<(), Failure> {
        let segment = self.from.position.segment;
        let inspection = self.pace.journal.set_aside().inspection(&self.pace.output.id);
        let mut taken = Ok(());
        inspection.chunks(segment, |place, payload| {
            taken = self.take(place, &payload, data_dir);
            taken.is_ok()
        })?;
        taken?;
        self.settle(None, data_dir)
    }

    fn take(&mut self, place: Position, payload: &ChunkPayload, data_dir: &Path) -> Result<(), Failure> {
        let Some(chunk) = self.chunk(place, payload) else { return Ok(()) };
        if self.pending.len() >= MAX_UNSETTLED_CHUNKS || self.pending_bytes >= MAX_UNSETTLED_BYTES {
            self.settle(Some(place), data_dir)?;
        }
        while self.pace.is_behind(self.pending_bytes, data_dir)? {
            if self.pending.is_empty() {
                self.pace.pause()?;
            }
            // While it waits, its ids must not grow old.
            self.settle(Some(place), data_dir)?;
        }
        (self.taken.chunks, self.taken.events) =
            (self.taken.chunks + 1, self.taken.events + u64::from(chunk.entry_count));
        self.pending_bytes += chunk.entries.len();
        let receipt = loop {
            match self.pace.runtime.block_on(self.pace.journal.append(chunk.clone())) {
                Ok(receipt) => break receipt,
                Err(AppendError::Full) => self.pace.pause()?,
                Err(error) => {
                    self.settle(Some(place), data_dir)?;
                    return Err(failure(error));
                }
            }
        };
        self.pending.push(receipt);
        Ok(())
    }

    /// Waits until all that was appended is durable; then the segment begins at a place behind it, or is not set aside any
    /// more.
    fn settle(&mut self, next: Option<Position>, data_dir: &Path) -> Result<(), Failure> {
        if self.pending.is_empty() && next.is_some() {
            return Ok(());
        }
        for receipt in self.pending.drain(..) {
            self.pace.runtime.block_on(receipt).map_err(failure)?;
        }
        self.pending_bytes = 0;
        let (id, set_aside) = (&self.pace.output.id, self.pace.journal.set_aside());
        let segment = self.from.position.segment;
        let _lock = FolderLock::take(&folder(data_dir))?;
        if set_aside.segments(id)?.iter().all(|found| found.segment != segment) {
            return Err(Failure::Refused("it was dropped meanwhile".to_owned()));
        }
        match next {
            Some(position) => {
                self.from.position = position;
                set_aside.advance(id, &self.from)?;
            }
            None => set_aside.remove(id, segment)?,
        }
        Ok(())
    }

    /// A chunk that is to be delivered, in full or from some entry on; `None` where nothing of it is the output's.
    fn chunk(&self, place: Position, payload: &ChunkPayload) -> Option<Chunk> {
        let (from, id) = (self.from.position, &self.pace.output.id);
        let chunk_at = |position: Position| (position.segment, position.offset);
        if payload.is_refused() || chunk_at(place) < chunk_at(from) {
            return None;
        }
        let entries = payload.entries_bytes();
        // A piece of a large chunk may begin with the start mark of a group, once more.
        let count = match place.entry {
            0 => payload.entry_count(),
            _ => u32::try_from(Entries::new(&entries).count()).unwrap_or(u32::MAX),
        };
        let first = place.entry.wrapping_sub(count - payload.entry_count());
        let delivered = match chunk_at(place) == chunk_at(from) {
            true => from.entry.saturating_sub(first),
            false => 0,
        };
        if delivered >= count {
            return None;
        }
        let handed_over = match payload.is_handed_over() {
            // It came back to this output before, and was left behind once more.
            true => {
                let handed_over = payload.handed_over().filter(|handed_over| handed_over.to == *id)?;
                let as_received =
                    handed_over.as_received.map(|before| self.as_received(before.delivered.max(delivered)));
                HandedOver { as_received, ..handed_over }
            }
            false => self.handed_over(place, payload, first..first.wrapping_add(count), delivered),
        };
        Some(Chunk {
            sender: Arc::new(payload.to_sender()),
            input: payload.input().into(),
            tag: bytes::Bytes::copy_from_slice(payload.tag()),
            id: Some(format!("hikyaku set aside {id} {} {place}", self.journal).into()),
            received_at: payload.received_at(),
            entry_count: count,
            has_bad_entries: payload.has_bad_entries(),
            has_metadata: payload.has_metadata(),
            refusal: None,
            proof: AckProof::default(),
            memory: None,
            handed_over: Some(Arc::new(handed_over)),
            encoding: payload.encoding(),
            entries,
        })
    }

    fn handed_over(
        &self,
        place: Position,
        payload: &ChunkPayload,
        entries: std::ops::Range<u32>,
        delivered: u32,
    ) -> HandedOver {
        let id = &self.pace.output.id;
        HandedOver {
            from: id.clone(),
            to: id.clone(),
            journal: self.journal.clone(),
            segment: place.segment,
            offset: place.offset,
            first: entries.start,
            end: entries.end,
            reason: "it was set aside at max_backlog".to_owned(),
            attempts: 0,
            in_doubt: false,
            message_id: String::new(),
            chunk: payload.id().map(|id| BASE64_STANDARD.encode(id)),
            as_received: Some(self.as_received(delivered)),
            file: None,
        }
    }

    fn as_received(&self, delivered: u32) -> AsReceived {
        AsReceived { delivered, retried_at: EventTime::now().unix_nanoseconds() }
    }
}

impl Pace<'_> {
    /// Whether the output, to which so many bytes are on their way, is so far behind that more could make it leave segments
    /// behind.
    fn is_behind(&self, pending: usize, data_dir: &Path) -> Result<bool, Failure> {
        let max_size = self.journal.max_size();
        let max_behind = self.output.backlog.max_bytes(max_size).unwrap_or(max_size / 2) / 2;
        let Some(cursor) = CursorFolder::new(data_dir).load(&self.output.id)? else { return Ok(false) };
        let behind = pending as u64 + cursor.bytes_to_deliver(|position| self.journal.bytes_behind(position));
        if behind > max_behind {
            // It may be further than it has saved.
            self.flush_requests.send_modify(|count| *count += 1);
        }
        Ok(behind > max_behind)
    }

    fn pause(&self) -> Result<(), Failure> {
        let waited = self.stop.run_until_cancelled(tokio::time::sleep(WAIT));
        self.runtime.block_on(waited).ok_or(Failure::Stopped)
    }
}

fn failure(error: AppendError) -> Failure {
    match error {
        AppendError::TooLarge | AppendError::Full => Failure::Refused(error.to_string()),
        AppendError::Failed(_) | AppendError::Stopped => Failure::Stopped,
    }
}
