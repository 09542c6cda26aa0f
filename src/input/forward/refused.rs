//! Messages that are refused, and what becomes of those that come again and again.
//!
//! The protocol has no way to say no: a sender whose message is refused sends the same bytes again, and holds back what
//! stands behind them. The third time within `refusal_window` they are taken as they are: into the journal, as one bad
//! entry that becomes a dead letter, and acknowledged. Messages that ask for no acknowledgement are not repeated by
//! their senders and are refused each time; so are those whose end is not known (bytes that are no msgpack, more than
//! `max_message_size`, JSON). Of a message that went through a file the entries are taken, and not what is around them. What was counted is in memory only: after a restart the count begins anew, and a message that
//! was taken before is recognised by its chunk id as any other.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use bytes::Bytes;
use prometheus::IntGauge;

use super::acker::Stored;
use super::intake::on_the_side;
use super::large::{digest_of as digest_of_spool, finish};
use super::reader::ReadError;
use super::session::{SessionError, Shared};
use super::taking::{Arrival, Taken, append, not_taken};
use crate::chunk::{Chunk, Encoding};
use crate::config::InputConfig;
use crate::input::ChunkSink;
use crate::journal::large::Spool;
use crate::metrics::InputMetrics;
use crate::wire::ack::encode_ack;
use crate::wire::large::LargeEnd;
use crate::wire::options::ChunkId;
use crate::wire::refusal::Refusal;
use crate::wire::salvage::{Salvaged, salvage};

/// How often the same bytes are to be refused, the time included at which they are taken.
const TAKEN_AT: u32 = 3;

/// When the limit is reached, this part of it is freed at once, so that the work is not done for every message.
const EVICTED_AT_ONCE: usize = 16;

/// Refuses a message, or takes it as it is, where its sender would repeat it for ever.
pub(super) async fn take_refused<J: ChunkSink>(
    message: Bytes,
    refusal: Refusal,
    arrival: &Arrival<'_>,
    shared: &Shared<J>,
) -> Result<Taken, SessionError> {
    let taken = shared.refusals.take(&arrival.sender.identity, &message, &refusal, Instant::now());
    let Some(Salvaged { tag, chunk: ChunkId { id, encoded } }) = taken else { return Err(refusal.into()) };
    let ack = encode_ack(&ChunkId { id: id.clone(), encoded });
    let chunk = Chunk { entries: message, ..dead_chunk(tag.clone(), id, 1, &refusal, arrival, shared) };
    let receipt = append(chunk, shared).await?;
    let stored = Stored { receipt, tag, entries: 1, bad_entries: 1, is_refused: true };
    Ok(Taken { ack: Some(ack), stored: Some(stored), space: None })
}

/// As [`take_refused`], of a message whose entries are in a file.
pub(super) async fn take_refused_large<J: ChunkSink>(
    end: LargeEnd,
    spool: Spool,
    refusal: Refusal,
    arrival: &Arrival<'_>,
    shared: &Shared<J>,
) -> Result<Stored, SessionError> {
    let Some(ChunkId { id, .. }) = end.options.chunk else { return Err(refusal.into()) };
    let (spool, digest) = digest_of_spool(spool).await.map_err(ReadError::from)?;
    let content = as_key(&digest);
    if shared.refusals.count(&arrival.sender.identity, content, Instant::now()) < TAKEN_AT {
        return Err(refusal.into());
    }
    let entries = finish(spool, &shared.disk_space()).await.map_err(ReadError::from)?;
    let chunk = dead_chunk(end.tag.clone(), id, entries.refused_pieces(), &refusal, arrival, shared);
    let receipt = shared.journal.append_large(chunk, entries).await.map_err(not_taken)?;
    Ok(Stored { receipt, tag: end.tag, entries: 1, bad_entries: 1, is_refused: true })
}

/// A message that becomes a dead letter, without its bytes.
fn dead_chunk<J>(
    tag: Bytes,
    id: Bytes,
    entry_count: u32,
    refusal: &Refusal,
    arrival: &Arrival<'_>,
    shared: &Shared<J>,
) -> Chunk {
    let sender = arrival.sender;
    let reason = refusal.to_string();
    if shared.warnings.admit("dead_message", Instant::now()) {
        tracing::warn!(
            input = &*shared.id,
            sender = sender.identity,
            peer = sender.address.map(tracing::field::display),
            reason = refusal.label(),
            "took a message that was refused before into the dead letters, so that its sender goes on: {reason}"
        );
    }
    Chunk {
        sender: sender.clone(),
        input: shared.id.clone(),
        tag,
        id: Some(id).filter(|id| !id.is_empty()),
        received_at: arrival.at,
        entry_count,
        has_bad_entries: true,
        has_metadata: false,
        refusal: Some(reason.into()),
        proof: arrival.trail.next_chunk(None),
        memory: None,
        handed_over: None,
        encoding: Encoding::Plain,
        entries: Bytes::new(),
    }
}

/// Counts refused messages by sender and content.
#[derive(Debug)]
pub(super) struct Refusals {
    remembered: Mutex<Remembered>,
    gauge: IntGauge,
}

impl Refusals {
    pub(super) fn new(config: &InputConfig, metrics: &InputMetrics) -> Self {
        let remembered = Remembered {
            window: config.refusal_window,
            limit: config.max_remembered_refusals,
            by_sender: HashMap::new(),
            count: 0,
        };
        Self { remembered: Mutex::new(remembered), gauge: metrics.remembered_refusals.clone() }
    }

    /// Counts a refusal; once it is time to take the message, what is needed for that.
    fn take(&self, sender: &str, message: &Bytes, refusal: &Refusal, now: Instant) -> Option<Salvaged> {
        // Whoever asks for a handshake is a sender with another configuration, and no bad message.
        if matches!(refusal, Refusal::Handshake) {
            return None;
        }
        let salvaged = salvage(message)?;
        let content = on_the_side(message.len(), || digest_of(message));
        (self.count(sender, content, now) >= TAKEN_AT).then_some(salvaged)
    }

    /// How often this was refused, this time included.
    fn count(&self, sender: &str, content: Digest, now: Instant) -> u32 {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let count = remembered.count(digest_of(sender.as_bytes()), content, now);
        self.gauge.set(remembered.count as i64);
        count
    }
}

type Digest = [u8; SHA256_OUTPUT_LEN];

fn digest_of(bytes: &[u8]) -> Digest {
    as_key(&digest(&SHA256, bytes))
}

fn as_key(digest: &aws_lc_rs::digest::Digest) -> Digest {
    let mut out = Digest::default();
    out.copy_from_slice(digest.as_ref());
    out
}

/// By the digest of the sender's identity, which may be long, and the digest of the message.
#[derive(Debug)]
struct Remembered {
    window: Duration,
    limit: usize,
    by_sender: HashMap<Digest, HashMap<Digest, Seen>>,
    /// Over all senders.
    count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    times: u32,
    last: Instant,
}

impl Remembered {
    /// How often this sender's message was refused within the window, this time included.
    fn count(&mut self, sender: Digest, content: Digest, now: Instant) -> u32 {
        let window = self.window;
        let known = self.by_sender.get_mut(&sender).and_then(|messages| messages.get_mut(&content));
        if let Some(seen) = known {
            let within = now.saturating_duration_since(seen.last) <= window;
            *seen = Seen { times: if within { seen.times.saturating_add(1) } else { 1 }, last: now };
            return seen.times;
        }
        if self.count >= self.limit {
            self.make_room(now);
        }
        self.by_sender.entry(sender).or_default().insert(content, Seen { times: 1, last: now });
        self.count += 1;
        1
    }

    /// Forgets what is over the window, else the oldest of the senders that have most: whoever makes up new bad
    /// messages makes himself forgotten, and not the one that goes on repeating.
    fn make_room(&mut self, now: Instant) {
        let window = self.window;
        self.by_sender.retain(|_, messages| {
            messages.retain(|_, seen| now.saturating_duration_since(seen.last) <= window);
            !messages.is_empty()
        });
        self.count = self.by_sender.values().map(HashMap::len).sum();
        let keep = self.limit - (self.limit / EVICTED_AT_ONCE).max(1);
        let Some(too_many) = self.count.checked_sub(keep) else { return };
        let mut all: Vec<_> = self
            .by_sender
            .iter()
            .flat_map(|(sender, messages)| {
                messages.iter().map(move |(content, seen)| (messages.len(), seen.last, *sender, *content))
            })
            .collect();
        all.sort_unstable_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        for (_, _, sender, content) in all.drain(..too_many) {
            let Some(messages) = self.by_sender.get_mut(&sender) else { continue };
            messages.remove(&content);
            if messages.is_empty() {
                self.by_sender.remove(&sender);
            }
        }
        self.count = keep;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(3600);

    fn remembered(limit: usize) -> Remembered {
        Remembered { window: WINDOW, limit, by_sender: HashMap::new(), count: 0 }
    }

    fn name(number: u64) -> Digest {
        digest_of(&number.to_le_bytes())
    }

    #[test]
    fn the_same_bytes_of_the_same_sender_count() {
        let now = Instant::now();
        let mut remembered = remembered(10);
        assert_eq!(remembered.count(name(1), name(1), now), 1);
        assert_eq!(remembered.count(name(1), name(1), now), 2);
        assert_eq!(remembered.count(name(2), name(1), now), 1, "of another sender");
        assert_eq!(remembered.count(name(1), name(2), now), 1, "other bytes");
        assert_eq!(remembered.count(name(1), name(1), now), 3);
        assert_eq!(remembered.count(name(1), name(1), now), 4, "the acknowledgement was lost");
        assert_eq!(remembered.count, 3);
    }

    #[test]
    fn the_window_goes_from_one_refusal_to_the_next_and_holds_at_its_edge() {
        let now = Instant::now();
        let mut remembered = remembered(10);
        assert_eq!(remembered.count(name(1), name(1), now), 1);
        assert_eq!(remembered.count(name(1), name(1), now + WINDOW), 2);
        assert_eq!(remembered.count(name(1), name(1), now + 2 * WINDOW + Duration::from_nanos(1)), 1);
    }

    #[test]
    fn at_the_limit_what_is_over_goes_first() {
        let now = Instant::now();
        let mut remembered = remembered(2);
        remembered.count(name(1), name(1), now);
        remembered.count(name(2), name(1), now + WINDOW);
        let later = now + WINDOW + Duration::from_secs(1);
        assert_eq!(remembered.count(name(3), name(1), later), 1);
        assert_eq!(remembered.count(name(2), name(1), later), 2, "the one within its window is still known");
        assert_eq!(remembered.count, 2);
    }

    #[test]
    fn a_sender_of_many_bad_messages_pushes_nobody_else_out() {
        let now = Instant::now();
        let mut remembered = remembered(100);
        assert_eq!(remembered.count(name(1), name(1), now), 1);
        for number in 0..10_000 {
            remembered.count(name(2), name(number), now + Duration::from_millis(number));
            assert!(remembered.count <= 100);
        }
        assert_eq!(remembered.count(name(1), name(1), now + Duration::from_secs(11)), 2);
        assert_eq!(
            remembered.count(name(2), name(9_999), now + Duration::from_secs(11)),
            2,
            "its newest are known"
        );
    }

    #[test]
    fn a_limit_of_one_remembers_one() {
        let now = Instant::now();
        let mut remembered = remembered(1);
        for number in [1, 2] {
            for times in 1..=3 {
                assert_eq!(remembered.count(name(number), name(number), now), times);
            }
        }
        assert_eq!(remembered.count, 1);
    }
}
