//! The payload of a footer's frame: what a sealed segment holds, so that a start need not read all of it.
//!
//! ```text
//!  0  8  number of chunks
//!  8  8  number of entries
//! 16  8  time of the first receipt, nanoseconds since the Unix epoch
//! 24  8  time of the last receipt
//! 32  4  number of senders
//! 36  4  number of chunk ids
//! 40  …  senders: length u32, identity
//!  …  …  chunk ids, 32 bytes each, in the order of the chunks:
//!          0  4  sender: index into the list above
//!          4  4  zero
//!          8  8  time of receipt
//!         16 16  key: the first half of SHA-256 over (length of tag u64, tag, chunk id)
//!  …  …  acknowledged: 24 bytes each, to the end of the payload; none were written at first
//!          0  4  how many of the chunk ids above came before it was known
//!          4  4  sender: index into the list above
//!          8 16  key of the chunk, in this segment or before, whose acknowledgement the sender had
//! ```

mod bytes;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::array_at;

/// What stands for a tag and a chunk id. Long enough that two never meet by chance.
pub type ChunkKey = u128;

/// The key of a chunk id under its tag.
pub fn chunk_key(tag: &[u8], id: &[u8]) -> ChunkKey {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(&(tag.len() as u64).to_le_bytes());
    context.update(tag);
    context.update(id);
    array_at(context.finish().as_ref(), 0).map_or(0, u128::from_le_bytes)
}

/// Chunks, entries and times of a segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SegmentCounts {
    pub chunks: u64,
    pub entries: u64,
    /// Nanoseconds since the Unix epoch; meaningless while there are no chunks.
    pub first_received_at: i64,
    pub last_received_at: i64,
}

impl SegmentCounts {
    /// Counts one more chunk.
    pub fn add(&mut self, entries: u32, received_at: i64) {
        if self.chunks == 0 {
            self.first_received_at = received_at;
        }
        self.last_received_at = received_at;
        self.chunks += 1;
        self.entries += u64::from(entries);
    }
}

/// A chunk id as a footer keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FooterId {
    pub sender: Arc<str>,
    pub received_at: i64,
    pub key: ChunkKey,
}

/// What dedup has to know of a segment, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Noted {
    /// A chunk with an id.
    Id(FooterId),
    /// From here on it was known that the sender had the acknowledgement of this chunk.
    Acknowledged { sender: Arc<str>, key: ChunkKey },
}

/// What a footer says; grows with the segment and is written when it is sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footer {
    pub counts: SegmentCounts,
    senders: Vec<Arc<str>>,
    senders_length: usize,
    indexes: HashMap<Arc<str>, u32>,
    ids: Vec<(u32, i64, ChunkKey)>,
    /// After how many ids, whose, and which.
    acknowledged: Vec<(u32, u32, ChunkKey)>,
}

impl Footer {
    /// Notes the id of a chunk.
    pub fn add_id(&mut self, sender: &Arc<str>, received_at: i64, key: ChunkKey) {
        let index = self.index_of(sender);
        self.ids.push((index, received_at, key));
    }

    /// Notes that a sender is known by now to have had the acknowledgement of a chunk.
    pub fn add_acknowledged(&mut self, sender: &Arc<str>, key: ChunkKey) {
        let index = self.index_of(sender);
        self.acknowledged.push((self.ids.len() as u32, index, key));
    }

    fn index_of(&mut self, sender: &Arc<str>) -> u32 {
        if let Some(index) = self.indexes.get(sender) {
            return *index;
        }
        let index = self.senders.len() as u32;
        self.senders.push(Arc::clone(sender));
        self.senders_length += 4 + sender.len();
        self.indexes.insert(Arc::clone(sender), index);
        index
    }

    /// How many chunk ids it holds.
    pub fn id_count(&self) -> usize {
        self.ids.len()
    }

    /// With the same counts, and only what is needed of what was noted: of a chunk that came again and again, its last
    /// time and what was known first behind that, which is all that counts.
    pub fn only(&self, is_needed: impl Fn(&Noted) -> bool) -> Self {
        let mut only = Self { counts: self.counts, ..Self::default() };
        let ids = self.ids.iter().zip(0..).map(|((sender, _, key), number)| ((*sender, *key), number));
        let last: HashMap<(u32, ChunkKey), u32> = ids.collect();
        let mut is_known = HashSet::new();
        let mut number = 0;
        for noted in self.noted() {
            let is_last = match &noted {
                Noted::Id(id) => {
                    number += 1;
                    last.get(&(self.indexes[&id.sender], id.key)) == Some(&(number - 1))
                }
                Noted::Acknowledged { sender, key } => {
                    let chunk = (self.indexes[sender], *key);
                    last.get(&chunk).is_none_or(|last| *last < number) && is_known.insert(chunk)
                }
            };
            match noted {
                noted if !is_last || !is_needed(&noted) => {}
                Noted::Id(FooterId { sender, received_at, key }) => only.add_id(&sender, received_at, key),
                Noted::Acknowledged { sender, key } => only.add_acknowledged(&sender, key),
            }
        }
        only
    }

    /// What was noted, oldest first.
    pub fn noted(&self) -> impl Iterator<Item = Noted> {
        let sender_of = |index: u32| Arc::clone(&self.senders[index as usize]);
        let mut acknowledged = self.acknowledged.iter().peekable();
        let mut ids = self.ids.iter().zip(1..).peekable();
        std::iter::from_fn(move || {
            let taken = ids.peek().map_or(u32::MAX, |(_, count)| *count - 1);
            if let Some((_, sender, key)) = acknowledged.next_if(|(after, ..)| *after <= taken) {
                return Some(Noted::Acknowledged { sender: sender_of(*sender), key: *key });
            }
            ids.next().map(|((sender, received_at, key), _)| {
                Noted::Id(FooterId { sender: sender_of(*sender), received_at: *received_at, key: *key })
            })
        })
    }
}
