//! A full disk that shows only at the sync, a crash while a segment is set aside, and what a start reads.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::power_tests::{contents, open, send};
use super::writer::{Moment, Writer};
use super::{Fate, Journal, Position, SetAside, Skip, Status};
use crate::chunk::Chunk;
use crate::config::{JournalConfig, StartAt, WhenFull};
use crate::event_time::EventTime;
use crate::metrics::Metrics;
use crate::storage::simulated::{Loss, Simulated};
use crate::storage::{Disk, Listed, Open, Stat, Storage, StorageFile};

#[test]
fn a_disk_that_is_full_at_the_sync_makes_senders_wait_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Counting::default();
    // With an empty segment, one that is half full, and at the end of one.
    for before in 0..8 {
        let data_dir = folder.path().join(before.to_string());
        let (journal, mut writer) = open_on(&disk, &data_dir);
        let mut context = Context::from_waker(Waker::noop());
        for number in 0..before {
            assert!(pin!(journal.append(chunk(&[number], CONTENT))).poll(&mut context).is_ready());
            writer.step(Moment::now());
        }
        disk.is_full.store(true, Ordering::Relaxed);
        let Poll::Ready(Ok(receipt)) = pin!(journal.append(chunk(b"waits", CONTENT))).poll(&mut context)
        else {
            panic!("the queue has room");
        };
        let mut receipt = pin!(receipt);
        for _ in 0..3 {
            writer.step(Moment::now());
        }
        assert_eq!(*journal.status().borrow(), Status::DiskFull, "after {before} chunks");
        assert!(receipt.as_mut().poll(&mut context).is_pending(), "after {before} chunks");
        assert_eq!(chunks_of(&journal), u64::from(before), "nobody sees what is not synced");

        disk.is_full.store(false, Ordering::Relaxed);
        let later = Moment::now().monotonic + super::next_segment::SPACE_POLL;
        for _ in 0..2 {
            writer.step(Moment { monotonic: later, ..Moment::now() });
        }
        assert!(matches!(receipt.as_mut().poll(&mut context), Poll::Ready(Ok(_))), "after {before} chunks");
        assert_eq!(*journal.status().borrow(), Status::Accepting);
        drop((journal, writer));
        let (journal, _writer) = open_on(&disk, &data_dir);
        assert_eq!(chunks_of(&journal), u64::from(before) + 1);
    }
}

/// Six of these are a segment.
const CONTENT: &str = match str::from_utf8(&[b'x'; 10_000]) {
    Ok(content) => content,
    Err(_) => "",
};

fn chunks_of(journal: &Journal) -> u64 {
    let mut reader = journal.reader(Position::new(1, 64));
    std::iter::from_fn(|| reader.try_next().unwrap()).count() as u64
}

#[test]
fn a_kill_in_any_call_of_a_skip_and_a_power_failure_later_leave_each_chunk_in_one_place() {
    let life = |disk: &Simulated| -> Option<()> {
        let (journal, mut writer) = open(disk).ok()?;
        let mut cursor = journal.attach("slow", StartAt::Oldest).ok()?;
        for number in 0..6 {
            send(&journal, &mut writer, &format!("chunk {number}"))?;
        }
        let to = Position::new(journal.newest().segment, 64);
        cursor.skip(Skip { to, fate: Fate::SetAside }).ok()
    };
    let calm = Simulated::new(0);
    life(&calm).unwrap();
    for call in 1..=calm.calls() {
        let disk = Simulated::new(call);
        disk.die_after(Some(call));
        life(&disk);
        disk.restart(None);
        // It settles what was set aside, and then the power goes.
        let Ok((journal, _)) = open(&disk) else { panic!("no start after a kill in call {call}") };
        let sent = contents(&journal).len();
        drop(journal);
        disk.restart(Some(Loss::Everything));
        let (journal, _) = open(&disk).unwrap();
        let cursor = journal.attach("slow", StartAt::Oldest).unwrap();
        let mut reader = journal.reader(cursor.saved().position);
        let mut places: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        while let Some(chunk) = reader.try_next().unwrap() {
            *places.entry(chunk.id().unwrap().to_vec()).or_default() += 1;
        }
        let set_aside = SetAside::on(Arc::new(disk.clone()), Path::new("/data"));
        for kept in set_aside.segments("slow").unwrap() {
            let visit = |position, chunk: super::format::chunk_payload::ChunkPayload| {
                if position >= kept.from.position {
                    *places.entry(chunk.id().unwrap().to_vec()).or_default() += 1;
                }
                true
            };
            set_aside.inspection("slow").chunks(kept.segment, visit).unwrap();
        }
        assert_eq!(places.len(), sent, "after a kill in call {call}");
        assert!(places.values().all(|count| *count == 1), "after a kill in call {call}: {places:?}");
    }
}

#[test]
fn a_start_reads_footers_and_the_last_segment_however_much_lies_before() {
    let (few, many) = (bytes_read_at_start(4), bytes_read_at_start(40));
    // A header, a trailer and a footer with its ids for each segment more.
    let by_segment = (many - few) / 36;
    assert!(by_segment < 1024, "{by_segment} bytes of each segment are read at start");
    assert!(few < 8 * u64::from(SEGMENT), "{few} bytes are read");
}

const SEGMENT: u32 = 64 * 1024;

/// Bytes that a start reads of a journal with so many segments and a few more chunks.
fn bytes_read_at_start(segments: u64) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let counting = Counting::default();
    let (journal, mut writer) = open_on(&counting, folder.path());
    let mut context = Context::from_waker(Waker::noop());
    let mut number = 0u64;
    while journal.newest().segment <= segments {
        let chunk = chunk(&number.to_le_bytes(), CONTENT);
        number += 1;
        assert!(pin!(journal.append(chunk)).poll(&mut context).is_ready());
        writer.step(Moment::now());
    }
    drop((journal, writer));
    counting.read.store(0, Ordering::Relaxed);
    let (journal, _writer) = open_on(&counting, folder.path());
    let at_start = counting.read.load(Ordering::Relaxed);
    assert!(journal.bytes_behind(Position::new(1, 64)) > segments * 50_000);
    at_start
}

/// A journal that an output holds.
fn open_on(disk: &Counting, data_dir: &Path) -> (Journal, Writer) {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let config = JournalConfig {
        retain: std::time::Duration::ZERO,
        max_size: 1 << 30,
        when_full: WhenFull::Block,
        segment_size: u64::from(SEGMENT),
        memory: 0,
        pace: Duration::ZERO,
        dedup_window: std::time::Duration::from_secs(600),
        dedup_max_ids: 1_000,
        compression: None,
        dedup_max_ids_by_sender: 1_000,
        dedup_max_size: 256 << 20,
    };
    let metrics = Metrics::new("test", 10);
    super::durable::create_folder(disk, data_dir).unwrap();
    let now = EventTime::from_unix_nanoseconds(0);
    let opened = Journal::open_on(&storage, data_dir, &config, metrics.journal.clone(), now).unwrap();
    opened.0.attach("holder", StartAt::Oldest).unwrap();
    opened
}

fn chunk(id: &[u8], content: &str) -> Chunk {
    Chunk { id: Some(bytes::Bytes::copy_from_slice(id)), ..Chunk::of_one(content.to_owned()) }
}

/// The real disk, how many bytes were read of it, and whether it says at each sync that it is full.
#[derive(Debug, Clone, Default)]
struct Counting {
    read: Arc<AtomicU64>,
    is_full: Arc<AtomicBool>,
}

#[derive(Debug)]
struct CountingFile {
    file: Box<dyn StorageFile>,
    disk: Counting,
}

impl Storage for Counting {
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        Disk.stat(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(CountingFile { file: Disk.open(path, how)?, disk: self.clone() }))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        Disk.create_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Disk.rename(from, to)
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        Disk.link(file, name)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Disk.remove(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        Disk.list(folder)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        Disk.sync_folder(path)
    }

    fn draw(&self) -> u128 {
        Disk.draw()
    }
}

impl StorageFile for CountingFile {
    fn stat(&self) -> io::Result<Stat> {
        self.file.stat()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let count = self.file.read_at(buffer, offset)?;
        self.disk.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        self.file.append(bytes)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.file.allocate(offset, length)
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.is_full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.sync()
    }

    fn sync_filesystem(&self) -> io::Result<()> {
        self.file.sync_filesystem()
    }
}
