use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::chunk::Chunk;
use crate::config::{JournalConfig, StartAt, WhenFull};
use crate::event_time::EventTime;
use crate::journal::{Journal, Receipt};
use crate::metrics::JournalMetrics;
use crate::storage::{Disk, Listed, Open, Stat, Storage, StorageFile};

const ENTRY: &[u8] = b"\x92\x01\x81\xa1a\x01";
const NONE: i32 = 0;
/// What Linux says, on most architectures.
const NO_SPACE: i32 = 28;
const NO_QUOTA: i32 = 122;

/// The real disk, but for what becomes of the names of large files.
#[derive(Debug, Clone, Default)]
struct Names {
    /// What a renaming fails with.
    rename: Arc<AtomicI32>,
    /// What the sync of the journal's folder fails with.
    sync: Arc<AtomicI32>,
    removed: Arc<Mutex<Vec<std::path::PathBuf>>>,
}

fn fails_with(errno: &AtomicI32) -> io::Result<()> {
    match errno.load(Ordering::Relaxed) {
        NONE => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

impl Storage for Names {
    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        Disk.stat(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn StorageFile>> {
        Disk.open(path, how)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        Disk.create_folder(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if to.extension().is_some_and(|extension| extension == "large") {
            fails_with(&self.rename)?;
        }
        Disk.rename(from, to)
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        Disk.link(file, name)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.removed.lock().unwrap().push(path.to_owned());
        Disk.remove(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        Disk.list(folder)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if path.ends_with("journal") {
            fails_with(&self.sync)?;
        }
        Disk.sync_folder(path)
    }

    fn draw(&self) -> u128 {
        Disk.draw()
    }
}

fn chunk(id: &'static [u8]) -> Chunk {
    Chunk { id: Some(Bytes::from_static(id)), ..Chunk::of_one(ENTRY) }
}

fn open(names: &Names, data_dir: &Path) -> (Journal, Writer) {
    open_with(1 << 30, names, data_dir)
}

fn open_with(max_size: u64, names: &Names, data_dir: &Path) -> (Journal, Writer) {
    let storage: Arc<dyn Storage> = Arc::new(names.clone());
    let config = JournalConfig {
        retain: Duration::ZERO,
        max_size,
        when_full: WhenFull::Block,
        segment_size: 64 * 1024,
        memory: 0,
        pace: Duration::ZERO,
        dedup_window: Duration::from_secs(600),
        dedup_max_ids: 1_000,
        compression: None,
        dedup_max_ids_by_sender: 1_000,
        dedup_max_size: 256 << 20,
    };
    let now = EventTime::from_unix_nanoseconds(0);
    let opened = Journal::open_on(&storage, data_dir, &config, JournalMetrics::unregistered(), now).unwrap();
    opened.0.attach("holder", StartAt::Oldest).unwrap();
    opened
}

fn handed_over<E: std::fmt::Debug>(sending: impl Future<Output = Result<Receipt, E>>) -> Receipt {
    match pin!(sending).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(receipt) => receipt.unwrap(),
        Poll::Pending => panic!("the queue has room"),
    }
}

fn is_acknowledged(receipt: &mut Receipt) -> bool {
    match pin!(receipt).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(appended) => appended.map(|_| true).unwrap(),
        Poll::Pending => false,
    }
}

#[test]
fn a_large_message_without_room_for_its_name_waits_and_what_came_before_it_does_not() {
    for (rename, sync) in [(NO_SPACE, NONE), (NO_QUOTA, NONE), (NONE, NO_SPACE), (NONE, NO_QUOTA)] {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::default();
        let (journal, mut writer) = open(&names, folder.path());
        // So that the next segment is there, and nothing but the name is wanted.
        let mut first = handed_over(journal.append(chunk(b"first")));
        writer.step(Moment::now());
        assert!(is_acknowledged(&mut first));

        let mut small = handed_over(journal.append(chunk(b"small")));
        let mut spool = journal.spools().create().unwrap();
        spool.write(ENTRY).unwrap();
        let mut large = handed_over(journal.append_large(chunk(b"large"), spool.finish().unwrap()));
        names.rename.store(rename, Ordering::Relaxed);
        names.sync.store(sync, Ordering::Relaxed);
        for _ in 0..3 {
            writer.step(Moment::now());
        }
        assert_eq!(*journal.status().borrow(), Status::DiskFull, "{rename} {sync}");
        assert!(is_acknowledged(&mut small), "{rename} {sync}");
        assert!(!is_acknowledged(&mut large), "{rename} {sync}");

        names.rename.store(NONE, Ordering::Relaxed);
        names.sync.store(NONE, Ordering::Relaxed);
        writer.step(Moment::now());
        assert!(is_acknowledged(&mut large), "{rename} {sync}");
        assert_eq!(*journal.status().borrow(), Status::Accepting);
        let removed = names.removed.lock().unwrap();
        let is_large = |path: &std::path::PathBuf| path.extension().is_some_and(|name| name == "large");
        assert!(!removed.iter().any(is_large), "{rename} {sync}");
        drop((journal, writer));
        let (journal, _writer) = open(&Names::default(), folder.path());
        let mut reader = journal.reader(journal.oldest());
        let mut chunks = 0;
        while reader.try_next().unwrap().is_some() {
            chunks += 1;
        }
        assert_eq!(chunks, 3, "{rename} {sync}");
    }
}

#[test]
fn a_segment_takes_large_messages_up_to_its_part_of_the_journal_or_one() {
    const MAX_SIZE: u64 = 1 << 20;
    const PART: u64 = MAX_SIZE / SEGMENTS_OF_LARGE_FILES;
    let folder = tempfile::tempdir().unwrap();
    let (journal, mut writer) = open_with(MAX_SIZE, &Names::default(), folder.path());
    let mut segment_of = |id, length: u64| {
        let mut spool = journal.spools().create().unwrap();
        spool.write(&vec![0xc0; length as usize]).unwrap();
        let mut receipt = handed_over(journal.append_large(chunk(id), spool.finish().unwrap()));
        writer.step(Moment::now());
        assert!(is_acknowledged(&mut receipt));
        journal.newest().segment
    };
    assert_eq!(segment_of(b"half", PART / 2), 1);
    assert_eq!(segment_of(b"the other half", PART / 2), 1);
    assert_eq!(segment_of(b"a byte more", 1), 2);
    assert_eq!(segment_of(b"more than a part", PART), 3);
    assert_eq!(segment_of(b"alone", PART + 1), 4);
}
