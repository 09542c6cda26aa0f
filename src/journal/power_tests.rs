//! What was acknowledged after a start must survive the next power failure, whatever the process before had left half
//! done; and what was not written is not counted. Each of these was found by the simulation.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::writer::{Moment, Writer};
use super::{Appended, Journal};
use crate::chunk::Chunk;
use crate::config::{JournalConfig, StartAt};
use crate::metrics::Metrics;
use crate::storage::Storage;
use crate::storage::simulated::{Faults, Loss, Simulated};

const SEGMENT_SIZE: u64 = 4096;

pub(super) fn open(disk: &Simulated) -> Result<(Journal, Writer), String> {
    open_with(disk, &Metrics::new("test", 10))
}

pub(super) fn open_with(disk: &Simulated, metrics: &Metrics) -> Result<(Journal, Writer), String> {
    open_sized(disk, metrics, SEGMENT_SIZE)
}

/// With segments of so many bytes.
pub(super) fn open_sized(
    disk: &Simulated,
    metrics: &Metrics,
    segment_size: u64,
) -> Result<(Journal, Writer), String> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let config = JournalConfig {
        max_size: 8 * segment_size,
        when_full: crate::config::WhenFull::Block,
        segment_size,
        memory: 0,
        pace: Duration::ZERO,
        retain: Duration::ZERO,
        dedup_window: Duration::from_secs(600),
        dedup_max_ids: 1_000,
        compression: None,
        dedup_max_ids_by_sender: 1_000,
        dedup_max_size: 256 << 20,
    };
    let text = |error: &dyn std::error::Error| error.to_string();
    let folder = Path::new("/data");
    super::durable::create_folder(disk, folder).map_err(|error| text(&error))?;
    let (journal, writer) =
        Journal::open_on(&storage, folder, &config, metrics.journal.clone(), Moment::now().wall)
            .map_err(|error| text(&error))?;
    journal.attach("holder", StartAt::Oldest).map_err(|error| text(&error))?;
    Ok((journal, writer))
}

/// Whether it is acknowledged.
fn append(journal: &Journal, writer: &mut Writer, content: &str) -> bool {
    send(journal, writer, content).is_some()
}

/// What the journal answers; `None` where it does not acknowledge.
pub(super) fn send(journal: &Journal, writer: &mut Writer, content: &str) -> Option<Appended> {
    let chunk = Chunk {
        id: Some(Bytes::copy_from_slice(content.as_bytes())),
        received_at: Moment::now().wall,
        ..Chunk::of_one(content.repeat(300))
    };
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(receipt)) = pin!(journal.append(chunk)).poll(&mut context) else { return None };
    writer.step(Moment::now());
    match pin!(receipt).poll(&mut context) {
        Poll::Ready(Ok(appended)) => Some(appended),
        _ => None,
    }
}

pub(super) fn contents(journal: &Journal) -> Vec<String> {
    let mut reader = journal.reader(super::Position::new(1, 64));
    std::iter::from_fn(|| reader.try_next().unwrap())
        .map(|chunk| str::from_utf8(chunk.id().unwrap()).unwrap().to_owned())
        .collect()
}

/// Opens a journal and appends a few chunks, so that there are several segments.
fn first_life(disk: &Simulated) -> Vec<String> {
    let Ok((journal, mut writer)) = open(disk) else { return Vec::new() };
    let names = (0..4).map(|number| format!("first {number}"));
    names.filter(|name| append(&journal, &mut writer, name)).collect()
}

#[test]
fn what_is_acknowledged_after_a_kill_in_any_call_survives_a_power_failure() {
    let calm = Simulated::new(0);
    assert_eq!(first_life(&calm).len(), 4);
    for call in 1..=calm.calls() {
        for seed in 0..2 {
            let disk = Simulated::new(seed);
            disk.die_after(Some(call));
            let mut acknowledged = first_life(&disk);
            disk.restart(None);
            let (journal, mut writer) = open(&disk).unwrap();
            for name in ["second 1", "second 2"] {
                assert!(append(&journal, &mut writer, name));
                acknowledged.push(name.to_owned());
            }
            disk.restart(Some(Loss::Everything));
            let (journal, _) = open(&disk).unwrap();
            let kept = contents(&journal);
            let lost: Vec<_> = acknowledged.iter().filter(|name| !kept.contains(name)).collect();
            assert!(lost.is_empty(), "after a kill in call {call} (seed {seed}): {lost:?} is lost");
        }
    }
}

#[test]
fn after_a_kill_in_any_call_resends_are_recognised_when_their_segments_are_gone() {
    let calm = Simulated::new(0);
    first_life(&calm);
    for call in 1..=calm.calls() {
        let disk = Simulated::new(call);
        disk.die_after(Some(call));
        let acknowledged = first_life(&disk);
        disk.restart(None);
        let (journal, mut writer) = open(&disk).unwrap();
        for number in 0..4 {
            assert!(append(&journal, &mut writer, &format!("second {number}")));
        }
        // Everything is delivered, and the journal lets go of it.
        let mut cursor = journal.attach("holder", StartAt::Oldest).unwrap();
        cursor.save(journal.newest(), 1).unwrap();
        writer.step(Moment::now());
        assert!(acknowledged.len() < 2 || !contents(&journal).contains(&acknowledged[0]));
        disk.restart(None);
        let (journal, mut writer) = open(&disk).unwrap();
        for name in acknowledged {
            let answer = send(&journal, &mut writer, &name);
            assert_eq!(answer, Some(Appended::Duplicate), "{name} after a kill in call {call}");
        }
    }
}

#[test]
fn pages_that_a_failed_sync_lost_and_the_kernel_forgets_during_recovery_are_not_taken_for_kept() {
    for seed in 0..150 {
        let disk = Simulated::new(seed);
        let (journal, mut writer) = open(&disk).unwrap();
        disk.set_faults(Faults { failed_syncs: 1, ..Faults::default() });
        assert!(!append(&journal, &mut writer, "lost"));
        disk.restart(None);
        disk.set_faults(Faults { evictions: 20, ..Faults::default() });
        let (journal, mut writer) = open(&disk).or_else(|_| open(&disk)).unwrap();
        disk.set_faults(Faults::default());
        assert!(append(&journal, &mut writer, "lost"));
        disk.restart(Some(Loss::Everything));
        let (journal, _) = open(&disk).unwrap();
        assert_eq!(contents(&journal), ["lost"], "seed {seed}");
    }
}

#[test]
fn chunks_that_could_not_be_synced_are_not_counted_as_written() {
    let disk = Simulated::new(0);
    let metrics = Metrics::new("test", 10);
    let (journal, mut writer) = open_with(&disk, &metrics).unwrap();
    assert!(append(&journal, &mut writer, "synced"));
    disk.set_faults(Faults { failed_syncs: 1, ..Faults::default() });
    assert!(!append(&journal, &mut writer, "lost"));
    assert_eq!(metrics.journal.chunks.get(), 1);
}
