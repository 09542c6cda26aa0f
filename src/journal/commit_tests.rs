//! How much the writer takes at once, and how much may wait for it.

use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::writer::{MAX_COMMIT, Moment, Writer};
use super::{AppendError, Journal, Receipt};
use crate::chunk::Chunk;
use crate::config::{JournalConfig, WhenFull};
use crate::event_time::EventTime;
use crate::metrics::JournalMetrics;

fn open(data_dir: &Path) -> (Journal, Writer) {
    let config = JournalConfig {
        retain: Duration::ZERO,
        max_size: 64 << 20,
        when_full: WhenFull::Block,
        segment_size: 16 << 20,
        memory: 0,
        pace: Duration::ZERO,
        dedup_window: Duration::ZERO,
        dedup_max_ids: 1_000,
        compression: None,
        dedup_max_ids_by_sender: 1_000,
        dedup_max_size: 256 << 20,
    };
    let now = EventTime::from_unix_nanoseconds(0);
    Journal::open_on(&crate::storage::disk(), data_dir, &config, JournalMetrics::unregistered(), now).unwrap()
}

/// Hands over a chunk with so many bytes of entries; `None` where it has to wait for that.
fn append(journal: &Journal, length: usize) -> Option<Result<Receipt, AppendError>> {
    let chunk = Chunk::of_one(vec![0xc0; length]);
    match pin!(journal.append(chunk)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(receipt) => Some(receipt),
        Poll::Pending => None,
    }
}

fn is_durable(receipt: &mut Receipt) -> bool {
    pin!(receipt).poll(&mut Context::from_waker(Waker::noop())).map(Result::unwrap).is_ready()
}

#[test]
fn a_commit_takes_chunks_until_it_has_its_size_and_the_others_wait_for_the_next() {
    const FRAME: usize = MAX_COMMIT / 4;
    let folder = tempfile::tempdir().unwrap();
    let (journal, mut writer) = open(folder.path());
    let before = journal.newest();
    drop(append(&journal, 1000));
    writer.step(Moment::now());
    let around = (journal.newest().offset - before.offset) as usize - 1000;
    for (length, at_once) in [(FRAME - around, 4), (FRAME - around - 8, 5)] {
        let mut receipts: Vec<_> = (0..6).map(|_| append(&journal, length).unwrap().unwrap()).collect();
        let before = journal.newest();
        writer.step(Moment::now());
        assert_eq!(receipts.iter_mut().map(is_durable).filter(|is| *is).count(), at_once);
        if at_once == 4 {
            assert_eq!(journal.newest().offset - before.offset, MAX_COMMIT as u64);
        }
        writer.step(Moment::now());
        assert!(receipts[at_once..].iter_mut().all(is_durable));
    }
}

#[test]
fn so_many_chunks_may_wait_for_the_writer_and_the_next_one_waits_to_be_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, mut writer) = open(folder.path());
    let receipts: Vec<_> = (0..journal.requests.max_capacity()).map(|_| append(&journal, 10)).collect();
    assert!(receipts.iter().all(Option::is_some));
    assert!(append(&journal, 10).is_none());
    writer.step(Moment::now());
    assert!(append(&journal, 10).is_some());
}

#[test]
fn what_waits_for_the_writer_takes_up_room_until_that_takes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, mut writer) = open(folder.path());
    let taken = || journal.shared.metrics.queued_bytes.get();
    let _receipts = [(); 2].map(|()| append(&journal, MAX_COMMIT).unwrap().unwrap());
    assert!(!journal.queue_room().is_free());
    assert!(taken() >= 2 * MAX_COMMIT as i64);
    writer.step(Moment::now());
    assert!(journal.queue_room().is_free());
    assert!(taken() >= MAX_COMMIT as i64);
    writer.step(Moment::now());
    assert_eq!(taken(), 0);
}
