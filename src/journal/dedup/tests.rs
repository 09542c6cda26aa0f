use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::super::format::footer::{FooterId, chunk_key};
use super::*;

impl Dedup {
    fn contains(&self, sender: &str, key: ChunkKey) -> bool {
        self.senders.get(sender).is_some_and(|ids| ids.get(key).is_some())
    }

    fn memory(&self) -> usize {
        self.senders.values().map(SenderIds::memory).sum()
    }
}

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

#[test]
fn a_sender_is_known_after_any_time_away_and_forgets_only_as_it_sends() {
    for days in [1, 30, 365] {
        let mut dedup = dedup(10_000, 10_000);
        let sender = "a".into();
        dedup.insert(&sender, 0, 1, 1);
        // Ten pauses move its clock by the whole window, each by no more than a tenth of it.
        for pause in 1..=10 {
            assert!(dedup.contains("a", 1), "{days} days, {pause} times");
            dedup.insert(&sender, pause * days * 86_400 * SECOND, pause as ChunkKey + 1, 1);
        }
        assert!(dedup.contains("a", 1), "{days} days");
        dedup.insert(&sender, 11 * days * 86_400 * SECOND, 100, 1);
        assert!(!dedup.contains("a", 1), "{days} days");
    }
}

#[test]
fn a_window_of_nothing_remembers_nothing() {
    let mut dedup = Dedup::new(DedupLimits { window: Duration::ZERO, max_ids: 10, max_ids_by_sender: 10 });
    dedup.insert(&"a".into(), 0, 1, 1);
    assert_eq!((dedup.len(), dedup.contains("a", 1)), (0, false));
}

#[test]
fn ids_are_remembered_up_to_exactly_each_limit() {
    let mut dedup = dedup(4, 3);
    for key in 0..3 {
        dedup.insert(&"a".into(), 0, key, 1);
    }
    dedup.insert(&"b".into(), 0, 0, 1);
    assert_eq!((dedup.len(), dedup.take_evicted()), (4, 0));
    dedup.insert(&"a".into(), 0, 3, 1);
    assert_eq!((dedup.len(), dedup.take_evicted()), (4, 1), "past that of the sender");
    dedup.insert(&"b".into(), 0, 1, 1);
    assert_eq!((dedup.len(), dedup.take_evicted()), (4, 1), "past that of all");
    assert!(!dedup.contains("a", 1) && dedup.contains("b", 0), "the one with more pays");
}

/// A million in a release build; prints what an id takes with `--no-capture`.
#[test]
fn many_ids_take_less_than_64_bytes_each_and_those_past_the_limit_are_counted() {
    const IDS: usize = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    for senders in [1, 100] {
        let mut dedup = dedup(IDS, IDS);
        let names: Vec<Arc<str>> = (0..senders).map(|sender| sender.to_string().into()).collect();
        let mut largest = 0;
        for key in 0..IDS * 5 / 4 {
            dedup.insert(&names[key % senders], 0, key as ChunkKey, 1);
            if key % (IDS / 100) == IDS / 200 {
                largest = largest.max(dedup.memory() / dedup.len().max(IDS / 4));
            }
        }
        println!("{senders} senders: {} bytes an id, at most {largest}", dedup.memory() / dedup.len());
        assert!(largest < 64 && dedup.memory() / dedup.len() < 64);
        assert!(dedup.len() <= IDS && dedup.take_evicted() as usize == IDS * 5 / 4 - dedup.len());
        assert!(dedup.contains(&names[(IDS * 5 / 4 - 1) % senders], (IDS * 5 / 4 - 1) as ChunkKey));
    }
}

const CONTENT: &[u8] = b"\x92\x01\x81\xa1a\x01";

fn content_hash() -> Vec<u8> {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, CONTENT);
    STANDARD.encode(&hash.as_ref()[..16]).into_bytes()
}

fn chunk(id: &[u8], proof: AckProof) -> Chunk {
    Chunk {
        tag: Bytes::from_static(b"t"),
        id: Some(Bytes::copy_from_slice(id)),
        proof,
        ..Chunk::of_one(CONTENT)
    }
}

/// Takes a chunk as the writer does.
fn take(dedup: &mut Dedup, id: &[u8], proof: AckProof) -> Verdict {
    let (sender, key): (Arc<str>, _) = ("a".into(), chunk_key(b"t", id));
    let verdict = dedup.judge(&sender, key, &chunk(id, proof), false);
    let acknowledged = dedup.newly_acknowledged(&sender, &proof);
    dedup.next_turn(&sender, acknowledged);
    if !matches!(verdict, Verdict::Resend(_)) {
        dedup.insert(&sender, 0, key, 1);
    }
    verdict
}

/// An id, what is shown for the chunk, and what comes of it.
type Taken<'a> = (&'a [u8], AckProof, Verdict);

fn after(id: &[u8], sent_after: Turn) -> AckProof {
    AckProof { acknowledged: Some(chunk_key(b"t", id)), sent_after }
}

#[test]
fn a_repeat_is_new_only_where_id_and_order_prove_it() {
    use Doubt::{AckNotProven, OrderNotProven};
    use Verdict::{Equal, New, Resend};
    let (hash, own) = (content_hash(), STANDARD.encode([9; 16]).into_bytes());
    let first_of_its_connection = |sent_after| AckProof { acknowledged: None, sent_after };
    let nothing = AckProof::default();
    // What is taken one after the other, at the turns 1, 2, 3 …
    let cases: &[(&str, &[Taken<'_>])] = &[
        ("at once", &[(&hash, nothing, New), (&hash, after(&hash, 1), Equal)]),
        ("an id of its own", &[(&own, nothing, New), (&own, after(&own, 1), Resend(None))]),
        (
            "after another chunk",
            &[(&hash, nothing, New), (b"other", after(&hash, 1), New), (&hash, after(b"other", 2), Equal)],
        ),
        (
            "on a connection that began later",
            &[
                (&hash, nothing, New),
                (b"other", after(&hash, 1), New),
                (&hash, first_of_its_connection(2), Equal),
            ],
        ),
        (
            "on a connection of before",
            &[
                (&hash, nothing, New),
                (b"other", after(&hash, 1), New),
                (&hash, first_of_its_connection(1), Resend(Some(OrderNotProven))),
            ],
        ),
        (
            "without a later message",
            &[(&hash, nothing, New), (&hash, first_of_its_connection(1), Resend(Some(AckNotProven)))],
        ),
        (
            "each of three, and the resend of the last",
            &[
                (&hash, nothing, New),
                (&hash, after(&hash, 1), Equal),
                (&hash, after(&hash, 2), Equal),
                (&hash, first_of_its_connection(3), Resend(Some(AckNotProven))),
            ],
        ),
        (
            "a resend, and then what is equal to it",
            &[
                (&hash, nothing, New),
                (&hash, first_of_its_connection(1), Resend(Some(AckNotProven))),
                (&hash, after(&hash, 2), Equal),
            ],
        ),
        (
            "what another connection knows of the one before says nothing of the last",
            &[
                (&hash, nothing, New),
                (&hash, first_of_its_connection(0), Resend(Some(AckNotProven))),
                (&hash, after(&hash, 1), Equal),
                (b"other", after(&hash, 2), New),
                (&hash, first_of_its_connection(4), Resend(Some(AckNotProven))),
            ],
        ),
    ];
    for (name, taken) in cases {
        let mut dedup = dedup(10, 10);
        for (turn, (id, proof, expected)) in (1..).zip(taken.iter()) {
            assert_eq!(take(&mut dedup, id, *proof), *expected, "{name}, turn {turn}");
        }
    }
}

#[test]
fn what_is_in_a_file_is_not_looked_into() {
    let hash = content_hash();
    let mut dedup = dedup(10, 10);
    take(&mut dedup, &hash, AckProof::default());
    let judge = |id: &[u8]| dedup.judge("a", chunk_key(b"t", &hash), &chunk(id, after(&hash, 1)), true);
    assert_eq!(judge(&hash), Verdict::Resend(Some(Doubt::TooLarge)));
    assert_eq!(judge(b"an id of its own"), Verdict::Resend(None));
}

#[test]
fn an_id_that_came_once_more_needs_the_segment_of_its_last_chunk() {
    let mut dedup = dedup(2, 2);
    for (key, segment) in [(7, 1), (7, 2), (8, 3)] {
        dedup.insert(&"a".into(), 0, key, segment);
    }
    assert_eq!((dedup.ids_in_segment(1), dedup.ids_in_segment(2)), (0, 1));
    assert!(dedup.contains("a", 7));
}

#[test]
fn a_segment_is_forgotten_with_those_before_it_and_what_else_its_senders_said_is_not() {
    // Numbers of segments count on where their lower halves wrap around.
    for first in [1, u64::from(u32::MAX) - 1] {
        let mut dedup = dedup(10, 10);
        for (sender, key, segment) in [("a", 1, 0), ("b", 2, 1), ("a", 3, 2), ("c", 4, 2), ("a", 5, 3)] {
            dedup.insert(&sender.into(), 0, key, first + segment);
        }
        dedup.forget_up_to(first + 2);
        assert!(dedup.contains("a", 5) && !dedup.contains("a", 3) && !dedup.contains("b", 2));
        assert_eq!((dedup.len(), dedup.senders.len(), dedup.take_evicted()), (1, 1, 4));
        assert_eq!((0..4).map(|segment| dedup.ids_in_segment(first + segment)).sum::<usize>(), 1);
    }
}

#[test]
fn of_a_segment_is_needed_what_is_remembered_from_there() {
    let mut dedup = dedup(10, 2);
    let id = |key| Noted::Id(FooterId { sender: "a".into(), received_at: 0, key });
    let acknowledged = |key| Noted::Acknowledged { sender: "a".into(), key };
    for (key, segment) in [(1, 1), (2, 1), (3, 2)] {
        dedup.insert(&"a".into(), 0, key, segment);
    }
    assert!(!dedup.needs(&id(1), 1) && !dedup.needs(&acknowledged(1), 1), "forgotten: the quota");
    assert!(dedup.needs(&id(2), 1) && !dedup.needs(&id(2), 2) && dedup.needs(&id(3), 2));
    assert!(dedup.needs(&acknowledged(2), 1) && dedup.needs(&acknowledged(2), 2), "known later on");
    dedup.insert(&"a".into(), 0, 2, 3);
    assert!(!dedup.needs(&id(2), 1) && dedup.needs(&id(2), 3), "it came once more");
    assert!(!dedup.needs(&acknowledged(2), 2), "that was the one before");
}
