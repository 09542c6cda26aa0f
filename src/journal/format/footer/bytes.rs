//! The bytes of a footer: how many there are, and to and fro.

use std::sync::Arc;

use super::{Footer, SegmentCounts};
use crate::journal::format::array_at;

const FIXED_LENGTH: usize = 40;
const ID_LENGTH: usize = 32;
pub(super) const ACKNOWLEDGED_LENGTH: usize = 24;

impl Footer {
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
