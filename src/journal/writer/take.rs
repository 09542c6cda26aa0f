//! Taking chunks into the next commit, unless they are kept already.

use std::sync::Arc;

use super::{Moment, Obstacle, Writer};
use crate::journal::append::Appended;
use crate::journal::dedup::{Doubt, Verdict, owner_of_id};
use crate::journal::format::footer::{ChunkKey, chunk_key};
use crate::journal::format::frame::FrameKind;
use crate::journal::in_place::MAX_PADDING;
use crate::journal::large::LargeEntries;
use crate::journal::packing::KeptChunk;

impl Writer {
    /// Adds a chunk to the next commit, unless it is kept already. Where it can't be, because there is no room, nothing
    /// has happened.
    pub(super) fn take(
        &mut self,
        chunk: &mut KeptChunk,
        large: &mut Option<Box<LargeEntries>>,
        now: Moment,
    ) -> Result<Appended, Obstacle> {
        let received_at = chunk.received_at.unix_nanoseconds();
        let identity = chunk.sender.identity.as_str();
        let (sender, received_at) =
            owner_of_id(identity, chunk.id.as_deref(), received_at, chunk.handed_over.as_deref())
                .unwrap_or_else(|| (Arc::from(identity), received_at));
        let key = chunk.id.as_ref().map(|id| chunk_key(&chunk.tag, id));
        let verdict = key.map_or(Verdict::New, |key| self.dedup.judge(&sender, key, chunk, large.is_some()));
        let acknowledged = self.dedup.newly_acknowledged(&sender, &chunk.proof);
        if let Verdict::Resend(doubt) = verdict {
            self.next_turn(&sender, acknowledged);
            self.shared.metrics.doubtful_resend(doubt.map(Doubt::label));
            return Ok(Appended::Duplicate);
        }
        // Only what is news is kept with it.
        chunk.chunk.proof.acknowledged = acknowledged;
        self.make_room(chunk, &sender, large.as_deref(), key.is_some(), now)?;
        let kind = match large {
            None => FrameKind::Chunk,
            Some(entries) => self.name_large(entries, now)?,
        };
        *large = None;
        self.active.push(kind, chunk, self.requests.len());
        self.next_turn(&sender, acknowledged);
        if let Some(key) = acknowledged {
            self.active.footer.add_acknowledged(&sender, key);
        }
        if let Some(key) = key {
            self.active.footer.add_id(&sender, received_at, key);
            self.dedup.insert(&sender, received_at, key, self.active.number);
        }
        if verdict == Verdict::Equal {
            self.shared.metrics.equal_chunks.inc();
        }
        Ok(Appended::Written)
    }

    fn next_turn(&mut self, sender: &str, acknowledged: Option<ChunkKey>) {
        self.dedup.next_turn(sender, acknowledged);
        self.shared.set_taken(self.dedup.turn());
    }

    /// Sees to it that the active segment can take a chunk, and remember its id where it has one.
    fn make_room(
        &mut self,
        chunk: &mut KeptChunk,
        sender: &str,
        large: Option<&LargeEntries>,
        has_id: bool,
        now: Moment,
    ) -> Result<(), Obstacle> {
        if let Some(large) = large {
            self.make_room_for_file(large.length(), now)?;
        }
        let shows_acknowledgement = chunk.proof.acknowledged.is_some();
        let growth = match has_id || shows_acknowledgement {
            true => self.active.footer.growth(sender, shows_acknowledgement),
            false => 0,
        };
        let (length, is_plain) = match self.active.may_be_packed() {
            true => (chunk.payload_length(), chunk.packed.is_none()),
            false => (chunk.plain_payload_length(), true),
        };
        let may_be_padded = large.is_none() && is_plain && chunk.memory.is_some();
        let padding = if may_be_padded { MAX_PADDING as u64 } else { 0 };
        if !self.active.has_room_for(length + padding, growth) {
            return self.roll(now);
        }
        if !self.active.may_be_packed() {
            // A segment that was begun before `journal.compression` was set stays readable by those who read it then.
            chunk.packed = None;
        }
        Ok(())
    }
}
