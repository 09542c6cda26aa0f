//! Recognising chunks that are sent again.
//!
//! An id grows old only while its sender goes on sending: a sender's clock moves by the time between two of its
//! chunks, but by no more than a tenth of the window at a time, so that an engine that was away for a day is still
//! known by the chunk that it repeats. The clock is a function of the stored receipt times, so a restart that reads
//! the footers comes to the same state.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::format::footer::ChunkKey;

/// How far one pause of a sender moves its clock, as a part of the window.
const PAUSES_IN_A_WINDOW: i64 = 10;

/// When a limit is reached, this part of it is freed at once, so that the work is not done for every chunk.
const EVICTED_AT_ONCE: usize = 16;

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
    /// How many remembered ids lie in each segment.
    by_segment: HashMap<u64, usize>,
    evicted: u64,
}

#[derive(Debug, Default)]
struct SenderIds {
    clock: i64,
    last_received_at: i64,
    keys: HashSet<ChunkKey>,
    /// Oldest first.
    order: VecDeque<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    key: ChunkKey,
    clock: i64,
    segment: u64,
}

impl Dedup {
    pub(super) fn new(limits: DedupLimits) -> Self {
        Self { limits, senders: HashMap::new(), ids: 0, by_segment: HashMap::new(), evicted: 0 }
    }

    /// Whether this sender's chunk is kept already.
    pub(super) fn contains(&self, sender: &str, key: ChunkKey) -> bool {
        self.senders.get(sender).is_some_and(|ids| ids.keys.contains(&key))
    }

    /// Remembers a chunk. Ids that are over their window or past a limit are forgotten.
    pub(super) fn insert(&mut self, sender: &Arc<str>, received_at: i64, key: ChunkKey, segment: u64) {
        let window = i64::try_from(self.limits.window.as_nanos()).unwrap_or(i64::MAX);
        let ids = self.senders.entry(Arc::clone(sender)).or_default();
        if !ids.order.is_empty() || ids.clock != 0 {
            let pause = received_at.saturating_sub(ids.last_received_at);
            ids.clock = ids.clock.saturating_add(pause.clamp(0, window / PAUSES_IN_A_WINDOW));
        }
        ids.last_received_at = received_at;
        if ids.keys.insert(key) {
            ids.order.push_back(Remembered { key, clock: ids.clock, segment });
            self.ids += 1;
            *self.by_segment.entry(segment).or_default() += 1;
        }
        while let Some(oldest) = ids.order.front() {
            let over_window = ids.clock.saturating_sub(oldest.clock) > window;
            if !over_window && ids.order.len() <= self.limits.max_ids_by_sender {
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
        self.by_segment.get(&segment).copied().unwrap_or_default()
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
        let mut sizes: Vec<usize> = self.senders.values().map(|ids| ids.order.len()).collect();
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
            while ids.order.len() > quota.max(1) {
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
            self.ids -= ids.order.len();
            self.evicted += ids.order.len() as u64;
            while !ids.order.is_empty() {
                forget_oldest(&mut ids, &mut self.by_segment);
            }
        }
    }
}

fn forget_oldest(ids: &mut SenderIds, by_segment: &mut HashMap<u64, usize>) {
    let Some(oldest) = ids.order.pop_front() else { return };
    ids.keys.remove(&oldest.key);
    if let Some(count) = by_segment.get_mut(&oldest.segment) {
        *count -= 1;
        if *count == 0 {
            by_segment.remove(&oldest.segment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const WINDOW: i64 = 600;

    fn dedup(max_ids: usize, max_ids_by_sender: usize) -> Dedup {
        let window = Duration::from_secs(WINDOW as u64);
        Dedup::new(DedupLimits { window, max_ids, max_ids_by_sender })
    }

    #[test]
    fn a_chunk_is_known_by_its_sender_alone() {
        let mut dedup = dedup(10, 10);
        dedup.insert(&"a".into(), 0, 1, 1);
        assert!(dedup.contains("a", 1));
        assert!(!dedup.contains("b", 1));
        assert!(!dedup.contains("a", 2));
    }

    #[test]
    fn ids_are_forgotten_when_their_sender_sent_for_a_whole_window() {
        let mut dedup = dedup(10_000, 10_000);
        let sender = "a".into();
        dedup.insert(&sender, 0, 1, 1);
        for second in 1..=WINDOW {
            dedup.insert(&sender, second * SECOND, 1_000 + second as u128, 2);
            assert!(dedup.contains("a", 1), "after {second} s");
        }
        dedup.insert(&sender, (WINDOW + 1) * SECOND, 5_000, 2);
        assert!(!dedup.contains("a", 1));
        assert_eq!(dedup.ids_in_segment(1), 0);
        assert_eq!(dedup.take_evicted(), 0, "in its own time is not early");
    }

    #[test]
    fn a_sender_that_was_away_for_a_day_is_still_known() {
        let mut dedup = dedup(10, 10);
        let sender = "a".into();
        dedup.insert(&sender, 0, 1, 1);
        dedup.insert(&sender, 86_400 * SECOND, 2, 1);
        assert!(dedup.contains("a", 1));
    }

    #[test]
    fn a_clock_that_jumps_back_forgets_nothing() {
        let mut dedup = dedup(10, 10);
        let sender = "a".into();
        dedup.insert(&sender, 86_400 * SECOND, 1, 1);
        dedup.insert(&sender, 0, 2, 1);
        dedup.insert(&sender, SECOND, 3, 1);
        assert!(dedup.contains("a", 1));
    }

    #[test]
    fn one_sender_fills_its_own_quota_only() {
        let mut dedup = dedup(1_000, 3);
        dedup.insert(&"good".into(), 0, 7, 1);
        for key in 0..100 {
            dedup.insert(&"flood".into(), 0, key, 1);
        }
        assert_eq!(dedup.len(), 4);
        assert!(dedup.contains("good", 7));
        assert!(dedup.contains("flood", 97) && !dedup.contains("flood", 96));
        assert_eq!(dedup.take_evicted(), 97);
        assert_eq!(dedup.take_evicted(), 0);
    }

    #[test]
    fn past_the_limit_those_who_hold_the_most_pay() {
        let mut dedup = dedup(64, 1_000);
        for key in 0..8 {
            dedup.insert(&"small".into(), 0, key, 1);
        }
        for key in 0..200 {
            dedup.insert(&"large".into(), 0, key, 2);
            assert!(dedup.len() <= 64);
        }
        assert!((0..8).all(|key| dedup.contains("small", key)));
        assert!(dedup.contains("large", 199));
        assert_eq!(dedup.ids_in_segment(1), 8);
        assert_eq!(dedup.ids_in_segment(1) + dedup.ids_in_segment(2), dedup.len());
    }

    #[test]
    fn many_senders_with_one_id_each_stay_within_the_limit() {
        let mut dedup = dedup(64, 1_000);
        for sender in 0..1_000 {
            dedup.insert(&sender.to_string().into(), sender, 1, 1);
            assert!(dedup.len() <= 64);
            assert!(dedup.senders.len() <= 64);
        }
        assert!(dedup.contains("999", 1));
    }
}
