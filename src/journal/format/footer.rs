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

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::array_at;

const FIXED_LENGTH: usize = 40;
const ID_LENGTH: usize = 32;
const ACKNOWLEDGED_LENGTH: usize = 24;

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

    /// Length of the payload that [`write`](Self::write) appends.
    pub fn payload_length(&self) -> u64 {
        let ids = self.ids.len() * ID_LENGTH + self.acknowledged.len() * ACKNOWLEDGED_LENGTH;
        (FIXED_LENGTH + self.senders_length + ids) as u64
    }

    /// How much longer the payload gets by the id of one more chunk of this sender, and by the acknowledgement that it
    /// may show.
    pub fn growth(&self, sender: &str, shows_acknowledgement: bool) -> u64 {
        let sender_length = if self.indexes.contains_key(sender) { 0 } else { 4 + sender.len() };
        let acknowledged = if shows_acknowledgement { ACKNOWLEDGED_LENGTH } else { 0 };
        (ID_LENGTH + acknowledged + sender_length) as u64
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

    /// Appends the payload.
    pub fn write(&self, out: &mut Vec<u8>) {
        let counts = &self.counts;
        out.extend_from_slice(&counts.chunks.to_le_bytes());
        out.extend_from_slice(&counts.entries.to_le_bytes());
        out.extend_from_slice(&counts.first_received_at.to_le_bytes());
        out.extend_from_slice(&counts.last_received_at.to_le_bytes());
        out.extend_from_slice(&(self.senders.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.ids.len() as u32).to_le_bytes());
        for sender in &self.senders {
            out.extend_from_slice(&(sender.len() as u32).to_le_bytes());
            out.extend_from_slice(sender.as_bytes());
        }
        for (sender, received_at, key) in &self.ids {
            out.extend_from_slice(&sender.to_le_bytes());
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&received_at.to_le_bytes());
            out.extend_from_slice(&key.to_le_bytes());
        }
        for (after, sender, key) in &self.acknowledged {
            out.extend_from_slice(&after.to_le_bytes());
            out.extend_from_slice(&sender.to_le_bytes());
            out.extend_from_slice(&key.to_le_bytes());
        }
    }

    /// Reads a payload; `None` where its parts do not lie within it.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let number = |offset| array_at(payload, offset).map(u64::from_le_bytes);
        let time = |offset| array_at(payload, offset).map(i64::from_le_bytes);
        let mut footer = Self {
            counts: SegmentCounts {
                chunks: number(0)?,
                entries: number(8)?,
                first_received_at: time(16)?,
                last_received_at: time(24)?,
            },
            ..Self::default()
        };
        let sender_count = u32::from_le_bytes(array_at(payload, 32)?);
        let id_count = u32::from_le_bytes(array_at(payload, 36)?);
        let mut at = FIXED_LENGTH;
        let mut senders: Vec<Arc<str>> = Vec::new();
        for _ in 0..sender_count {
            let length = u32::from_le_bytes(array_at(payload, at)?) as usize;
            senders.push(str::from_utf8(payload.get(at + 4..at + 4 + length)?).ok()?.into());
            at += 4 + length;
        }
        for _ in 0..id_count {
            let sender = senders.get(u32::from_le_bytes(array_at(payload, at)?) as usize)?;
            let received_at = i64::from_le_bytes(array_at(payload, at + 8)?);
            let key = u128::from_le_bytes(array_at(payload, at + 16)?);
            footer.add_id(sender, received_at, key);
            at += ID_LENGTH;
        }
        while at < payload.len() {
            let after = u32::from_le_bytes(array_at(payload, at)?);
            let sender = senders.get(u32::from_le_bytes(array_at(payload, at + 4)?) as usize)?;
            let key = u128::from_le_bytes(array_at(payload, at + 8)?);
            let index = footer.index_of(sender);
            footer.acknowledged.push((after, index, key));
            at += ACKNOWLEDGED_LENGTH;
        }
        Some(footer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn footer() -> Footer {
        let mut footer = Footer::default();
        for (index, sender) in ["a", "b", "a"].into_iter().enumerate() {
            let received_at = 1_000 + index as i64;
            footer.counts.add(10, received_at);
            footer.add_id(&sender.into(), received_at, chunk_key(b"tag", &[index as u8]));
            footer.add_acknowledged(&sender.into(), index as ChunkKey);
        }
        footer
    }

    #[test]
    fn a_footer_reads_back() {
        let mut bytes = Vec::new();
        footer().write(&mut bytes);
        assert_eq!(bytes.len() as u64, footer().payload_length());
        let read = Footer::read(&bytes).unwrap();
        assert_eq!(read, footer());
        assert_eq!(read.counts.chunks, 3);
        assert_eq!(read.counts.entries, 30);
        assert_eq!((read.counts.first_received_at, read.counts.last_received_at), (1_000, 1_002));
        let noted: Vec<_> = read
            .noted()
            .map(|noted| match noted {
                Noted::Id(FooterId { sender, received_at, .. }) => (sender, received_at),
                Noted::Acknowledged { sender, key } => (sender, key as i64),
            })
            .collect();
        let expected = [("a", 1_000), ("a", 0), ("b", 1_001), ("b", 1), ("a", 1_002), ("a", 2)];
        assert_eq!(noted, expected.map(|(sender, number)| (Arc::from(sender), number)));
    }

    #[test]
    fn of_what_came_again_and_again_the_last_time_is_kept_and_what_was_known_first_behind_it() {
        let mut footer = Footer::default();
        let [a, b]: [Arc<str>; 2] = ["a".into(), "b".into()];
        for received_at in 0..3 {
            footer.add_acknowledged(&a, 7);
            footer.add_id(&a, received_at, 7);
            footer.add_id(&b, received_at, 7);
            footer.add_acknowledged(&b, 5);
            footer.add_id(&a, received_at, 8);
        }
        footer.add_acknowledged(&a, 7);
        footer.add_acknowledged(&a, 7);
        let expected = [
            Noted::Acknowledged { sender: b.clone(), key: 5 },
            Noted::Id(FooterId { sender: a.clone(), received_at: 2, key: 7 }),
            Noted::Id(FooterId { sender: b.clone(), received_at: 2, key: 7 }),
            Noted::Id(FooterId { sender: a.clone(), received_at: 2, key: 8 }),
            Noted::Acknowledged { sender: a.clone(), key: 7 },
        ];
        assert!(footer.only(|_| true).noted().eq(expected.clone()));
        assert!(footer.only(|noted| matches!(noted, Noted::Id(_))).noted().eq(expected[1..4].to_vec()));
    }

    #[test]
    fn what_was_known_before_the_first_id_stands_before_it() {
        let mut footer = Footer::default();
        footer.add_acknowledged(&"a".into(), 1);
        footer.add_acknowledged(&"b".into(), 2);
        footer.add_id(&"a".into(), 0, 3);
        let keys: Vec<_> = footer
            .noted()
            .map(|noted| match noted {
                Noted::Id(id) => id.key,
                Noted::Acknowledged { key, .. } => key,
            })
            .collect();
        assert_eq!(keys, [1, 2, 3]);
    }

    #[test]
    fn a_footer_of_before_there_were_acknowledgements_reads_as_one_without() {
        let mut bytes = Vec::new();
        footer().write(&mut bytes);
        let read = Footer::read(&bytes[..bytes.len() - 3 * ACKNOWLEDGED_LENGTH]).unwrap();
        assert!(read.acknowledged.is_empty() && read.ids == footer().ids);
    }

    #[test]
    fn growth_is_what_a_chunk_adds() {
        let mut footer = footer();
        for (sender, shows_acknowledgement) in
            [("a", false), ("a", true), ("somebody new", true), ("x", false)]
        {
            let expected = footer.payload_length() + footer.growth(sender, shows_acknowledgement);
            if shows_acknowledgement {
                footer.add_acknowledged(&sender.into(), 0);
            }
            footer.add_id(&sender.into(), 0, 0);
            assert_eq!(footer.payload_length(), expected);
        }
    }

    #[test]
    fn a_footer_cut_anywhere_is_none() {
        let mut bytes = Vec::new();
        footer().write(&mut bytes);
        let whole_without_some: Vec<_> =
            (1..=3).map(|less| bytes.len() - less * ACKNOWLEDGED_LENGTH).collect();
        for length in (0..bytes.len()).filter(|length| !whole_without_some.contains(length)) {
            assert_eq!(Footer::read(&bytes[..length]), None, "{length}");
        }
    }

    #[test]
    fn tag_and_id_do_not_run_into_each_other() {
        assert_ne!(chunk_key(b"ab", b"c"), chunk_key(b"a", b"bc"));
        assert_eq!(chunk_key(b"a", b"b"), chunk_key(b"a", b"b"));
    }
}
