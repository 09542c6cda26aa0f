//! Recognising chunks that are sent again.
//!
//! An id grows old only while its sender goes on sending: a sender's clock moves by the time between two of its
//! chunks, but by no more than a tenth of the window at a time, so that an engine that was away for a day is still
//! known by the chunk that it repeats. The clock is a function of the stored receipt times, so a restart that reads
//! the footers comes to the same state.
//!
//! # Equal content
//!
//! A repeat is a resend, unless the id proves to be a hash of the content ([`content_id`](crate::wire::content_id)) and
//! the sender had the acknowledgement of the one before: who knows that a chunk is kept has no reason to send it again,
//! and so has the same to say once more. That the sender knew is shown by its connection
//! ([`AckProof`](crate::chunk::AckProof)):
//!
//! ```text
//! one connection     A ──▶   ◀── ack   M ──▶            A sender that waits for each ack before it sends the next
//!                                      │                message had that of A when it sent M. This is journalled
//!                                      ▼                with M.
//!                                      A is acknowledged, at the turn of M
//!
//! any connection             ◀── ack   R ──▶            R repeats A. It is new where it was sent after that turn:
//!                               │                       the ack before R, or the server's part of the handshake,
//!                               sent after turn …       went out at a later one, and R came after it.
//! ```
//!
//! R may be the M that comes next. Where any of it can't be shown, R is taken for a resend, and counted as doubtful.

mod owner;
mod sender_ids;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::format::footer::{ChunkKey, Noted};
use crate::chunk::{AckProof, Chunk};
use crate::wire::content_id::{ContentHash, is_content_hash, looks_like_content_hash};
pub(crate) use owner::RETRY_ID;
pub(super) use owner::owner_of_id;
use sender_ids::{Known, Remembered, SenderIds};

/// How far one pause of a sender moves its clock, as a part of the window.
const PAUSES_IN_A_WINDOW: i64 = 10;

/// Into how many ticks a window is divided. A clock wraps around after 65,536 windows.
const TICKS_IN_A_WINDOW: i64 = 1 << 16;

/// When a limit is reached, this part of it is freed at once, so that the work is not done for every chunk.
const EVICTED_AT_ONCE: usize = 16;

/// Counts what was taken, resends included.
pub(super) type Turn = u64;

/// The limits of what is remembered.
#[derive(Debug, Clone, Copy)]
pub(super) struct DedupLimits {
    pub(super) window: Duration,
    pub(super) max_ids: usize,
    pub(super) max_ids_by_sender: usize,
}

/// The chunk ids that are remembered.
#[derive(Debug)]
pub(super) struct Dedup {
    limits: DedupLimits,
    senders: HashMap<Arc<str>, SenderIds>,
    ids: usize,
    /// How many remembered ids lie in each segment, by the lower half of its number.
    by_segment: HashMap<u32, usize>,
    evicted: u64,
    turn: Turn,
}

/// What a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing like it is known.
    New,
    /// The same content once more, from a sender that knew that the other is kept.
    Equal,
    /// One that is kept already; with a reason where it may be equal content as well.
    Resend(Option<Doubt>),
}

/// Why it is not known whether a chunk is sent again or new and equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Nothing shows that the sender had the acknowledgement.
    AckNotProven,
    /// It had the acknowledgement, and may have sent this one before.
    OrderNotProven,
    /// It came with more content than is looked into.
    TooLarge,
}

impl Doubt {
    /// The word for metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::AckNotProven => "ack_not_proven",
            Self::OrderNotProven => "order_not_proven",
            Self::TooLarge => "too_large",
        }
    }
}

impl Dedup {
    pub(super) fn new(limits: DedupLimits) -> Self {
        Self { limits, senders: HashMap::new(), ids: 0, by_segment: HashMap::new(), evicted: 0, turn: 0 }
    }

    /// How many chunks were taken.
    pub(super) fn turn(&self) -> Turn {
        self.turn
    }

    /// The chunk of which is news that its sender had the acknowledgement.
    pub(super) fn newly_acknowledged(&self, sender: &str, proof: &AckProof) -> Option<ChunkKey> {
        let key = proof.acknowledged?;
        match self.senders.get(sender)?.get(key)?.state.known() {
            // A later one with the same key is another matter.
            Known::Taken(turn) if turn <= proof.sent_after => Some(key),
            _ => None,
        }
    }

    /// What a chunk with this key is. Looks into its content where that matters; `is_large`: it is in a file.
    pub(super) fn judge(&self, sender: &str, key: ChunkKey, chunk: &Chunk, is_large: bool) -> Verdict {
        let Some(known) = self.senders.get(sender).and_then(|ids| ids.get(key)) else { return Verdict::New };
        let id = chunk.id.as_deref().unwrap_or_default();
        let hash = match is_large {
            true if looks_like_content_hash(id) => ContentHash::TooLarge,
            true => ContentHash::Refuted,
            false => is_content_hash(id, chunk.encoding, &chunk.entries),
        };
        match (hash, known.state.known()) {
            (ContentHash::Refuted, _) => Verdict::Resend(None),
            (ContentHash::TooLarge, _) => Verdict::Resend(Some(Doubt::TooLarge)),
            (ContentHash::Proven, Known::Acknowledged(turn)) if turn <= chunk.proof.sent_after => {
                Verdict::Equal
            }
            (ContentHash::Proven, Known::Acknowledged(_)) => Verdict::Resend(Some(Doubt::OrderNotProven)),
            // It comes next on the same connection, and is itself what shows it.
            (ContentHash::Proven, Known::Taken(_))
                if self.newly_acknowledged(sender, &chunk.proof) == Some(key) =>
            {
                Verdict::Equal
            }
            (ContentHash::Proven, Known::Taken(_)) => Verdict::Resend(Some(Doubt::AckNotProven)),
        }
    }

    /// Goes on to the next turn; `acknowledged` is a chunk of which the sender is known now to have had the
    /// acknowledgement.
    pub(super) fn next_turn(&mut self, sender: &str, acknowledged: Option<ChunkKey>) {
        self.turn += 1;
        let Some(key) = acknowledged else { return };
        let known = self.senders.get_mut(sender).and_then(|ids| ids.get_mut(key));
        if let Some(known) = known
            && let Known::Taken(_) = known.state.known()
        {
            known.state = Known::Acknowledged(self.turn).into();
        }
    }

    /// Remembers the chunk of this turn. Ids that are over their window or past a limit are forgotten.
    pub(super) fn insert(&mut self, sender: &Arc<str>, received_at: i64, key: ChunkKey, segment: u64) {
        let window = i64::try_from(self.limits.window.as_nanos()).unwrap_or(i64::MAX);
        if window == 0 {
            return;
        }
        let tick = (window / TICKS_IN_A_WINDOW).max(1);
        let ids = self.senders.entry(Arc::clone(sender)).or_default();
        if ids.len() > 0 || ids.clock != 0 {
            let pause = received_at.saturating_sub(ids.last_received_at);
            ids.clock = ids.clock.saturating_add(pause.clamp(0, window / PAUSES_IN_A_WINDOW));
        }
        ids.last_received_at = received_at;
        let now = (ids.clock / tick) as u32;
        let segment = segment as u32;
        ids.push(Remembered { key, state: Known::Taken(self.turn).into(), clock: now, segment });
        self.ids += 1;
        *self.by_segment.entry(segment).or_default() += 1;
        while let Some(oldest) = ids.oldest() {
            let over_window = i64::from(now.wrapping_sub(oldest.clock)) > window / tick;
            if !over_window && ids.len() <= self.limits.max_ids_by_sender {
                break;
            }
            self.evicted += u64::from(!over_window);
            self.ids -= 1;
            forget_oldest(ids, &mut self.by_segment);
        }
        if self.ids > self.limits.max_ids {
            self.evict();
        }
    }

    /// How many remembered ids lie in a segment: as long as there are any, its footer is needed.
    pub(super) fn ids_in_segment(&self, segment: u64) -> usize {
        self.by_segment.get(&(segment as u32)).copied().unwrap_or_default()
    }

    /// Whether what a segment noted is still needed to come to the same state from it.
    pub(super) fn needs(&self, noted: &Noted, segment: u64) -> bool {
        let (sender, key) = match noted {
            Noted::Id(id) => (&id.sender, id.key),
            Noted::Acknowledged { sender, key } => (sender, *key),
        };
        let Some(known) = self.senders.get(sender).and_then(|ids| ids.get(key)) else { return false };
        match noted {
            // One that came once more is what it was last.
            Noted::Id(_) => known.segment == segment as u32,
            Noted::Acknowledged { .. } => is_up_to(known.segment, segment),
        }
    }

    /// Forgets the ids of a segment, and of those before it, though their window is not over.
    pub(super) fn forget_up_to(&mut self, segment: u64) {
        let Self { senders, ids, by_segment, evicted, .. } = self;
        senders.retain(|_, of_sender| {
            while of_sender.oldest().is_some_and(|oldest| is_up_to(oldest.segment, segment)) {
                forget_oldest(of_sender, by_segment);
                *ids -= 1;
                *evicted += 1;
            }
            of_sender.len() > 0
        });
    }

    /// How many ids are remembered.
    pub(super) fn len(&self) -> usize {
        self.ids
    }

    /// How many ids were forgotten before their window was over, since the last call.
    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Frees a part of the limit, from those who hold the most.
    fn evict(&mut self) {
        let keep = self.limits.max_ids - self.limits.max_ids / EVICTED_AT_ONCE;
        let mut sizes: Vec<usize> = self.senders.values().map(|ids| ids.len()).collect();
        sizes.sort_unstable();
        // The largest quota under which all senders together keep no more than that.
        let mut left = keep;
        let mut quota = 0;
        for (index, size) in sizes.iter().enumerate() {
            quota = left / (sizes.len() - index);
            if *size > quota {
                break;
            }
            left -= size;
        }
        for ids in self.senders.values_mut() {
            while ids.len() > quota.max(1) {
                forget_oldest(ids, &mut self.by_segment);
                self.ids -= 1;
                self.evicted += 1;
            }
        }
        if self.ids > keep {
            self.evict_whole_senders(keep);
        }
    }

    /// More senders than ids may be kept: those that were silent for longest go.
    fn evict_whole_senders(&mut self, keep: usize) {
        let mut silent: Vec<(i64, Arc<str>)> =
            self.senders.iter().map(|(sender, ids)| (ids.last_received_at, Arc::clone(sender))).collect();
        silent.sort_unstable();
        for (_, sender) in silent {
            if self.ids <= keep {
                break;
            }
            let Some(mut ids) = self.senders.remove(&sender) else { continue };
            self.ids -= ids.len();
            self.evicted += ids.len() as u64;
            while ids.len() > 0 {
                forget_oldest(&mut ids, &mut self.by_segment);
            }
        }
    }
}

/// Whether the segment with this lower half of a number is that one, or comes before it.
fn is_up_to(lower_half: u32, segment: u64) -> bool {
    lower_half.wrapping_sub(segment as u32).cast_signed() <= 0
}

fn forget_oldest(ids: &mut SenderIds, by_segment: &mut HashMap<u32, usize>) {
    let Some(oldest) = ids.pop() else { return };
    if let Some(count) = by_segment.get_mut(&oldest.segment) {
        *count -= 1;
        if *count == 0 {
            by_segment.remove(&oldest.segment);
        }
    }
}

#[cfg(test)]
mod tests;
