//! Dead letters that are retried come under their sender's name, and leave what is remembered of its ids alone.

use hikyaku::chunk::Chunk;
use hikyaku::event_time::EventTime;
use hikyaku::journal::Appended::{Duplicate, Written};

use crate::{Bench, append, chunk_with_id};

const QUOTA: u8 = 10;
const DAY: i64 = 86_400_000_000_000;
const NOW: i64 = 1_760_000_000_000_000_000;

fn received_at(nanoseconds: i64, chunk: Chunk) -> Chunk {
    Chunk { received_at: EventTime::from_unix_nanoseconds(nanoseconds), ..chunk }
}

/// A letter of long ago.
fn retried(number: u8) -> Chunk {
    let id = format!("hikyaku retry 20251009-1-{number}");
    received_at(NOW - DAY, chunk_with_id(id.as_bytes(), &[number]))
}

#[tokio::test]
async fn a_senders_quota_of_ids_is_its_own_however_many_of_its_letters_are_retried() {
    let mut bench = Bench::new();
    bench.config.dedup_max_ids_by_sender = usize::from(QUOTA);
    let journal = bench.open();
    for id in 0..QUOTA {
        assert_eq!(append(&journal, chunk_with_id(&[id], b"sent")).await, Written);
    }
    for letter in 0..2 * QUOTA {
        assert_eq!(append(&journal, retried(letter)).await, Written);
    }
    for id in 0..QUOTA {
        assert_eq!(append(&journal, chunk_with_id(&[id], b"sent")).await, Duplicate, "{id}");
    }
    journal.close().await;
    // By what the segment says of them.
    let journal = bench.open();
    for id in 0..QUOTA {
        assert_eq!(append(&journal, chunk_with_id(&[id], b"sent")).await, Duplicate, "{id} after a restart");
    }
    assert_eq!(append(&journal, retried(2 * QUOTA - 1)).await, Duplicate, "a retry that was interrupted");
    journal.close().await;
}

#[tokio::test]
async fn letters_of_long_ago_among_chunks_of_today_do_not_make_their_senders_ids_grow_old() {
    let bench = Bench::new();
    let journal = bench.open();
    let sent = |number: u8| received_at(NOW + i64::from(number), chunk_with_id(&[number], b"sent"));
    for number in 0..30 {
        assert_eq!(append(&journal, sent(number)).await, Written);
        assert_eq!(append(&journal, retried(number)).await, Written);
    }
    assert_eq!(append(&journal, sent(0)).await, Duplicate);
    journal.close().await;
}

#[tokio::test]
async fn a_sender_that_makes_up_ids_of_letters_keeps_nobody_elses_letter_from_being_retried() {
    let bench = Bench::new();
    let journal = bench.open();
    let sender = hikyaku::sender::Sender::from_address([127, 0, 0, 2].into());
    let made_up = Chunk { sender: std::sync::Arc::new(sender), ..retried(1) };
    assert_eq!(append(&journal, made_up).await, Written);
    assert_eq!(append(&journal, retried(1)).await, Written);
    journal.close().await;
}
