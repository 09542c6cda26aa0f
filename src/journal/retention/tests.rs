use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::chunk::Chunk;
use crate::config::{JournalConfig, StartAt};
use crate::event_time::EventTime;
use crate::journal::writer::{Moment, Step, Writer};
use crate::journal::{Journal, Position, durable};
use crate::metrics::Metrics;
use crate::storage::Storage;
use crate::storage::simulated::{Simulated, Space};

const SEGMENT_SIZE: u64 = 4096;
const HOUR: i64 = 3600;

/// A journal with one output that delivers everything at once, and a clock of its own.
struct World {
    disk: Simulated,
    metrics: Arc<Metrics>,
    retain: Duration,
    journal: Journal,
    writer: Writer,
    /// Seconds since the Unix epoch.
    clock: i64,
    began: Instant,
}

fn open(disk: &Simulated, metrics: &Metrics, retain: Duration, clock: i64) -> (Journal, Writer) {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let config = JournalConfig {
        when_full: crate::config::WhenFull::Block,
        max_size: 6 * SEGMENT_SIZE,
        segment_size: SEGMENT_SIZE,
        memory: 0,
        pace: Duration::ZERO,
        retain,
        dedup_window: Duration::ZERO,
        dedup_max_ids: 1_000,
        compression: None,
        dedup_max_ids_by_sender: 1_000,
        dedup_max_size: 256 << 20,
    };
    let folder = Path::new("/data");
    durable::create_folder(disk, folder).unwrap();
    let now = EventTime::from_unix_nanoseconds(clock * 1_000_000_000);
    Journal::open_on(&storage, folder, &config, metrics.journal.clone(), now).unwrap()
}

impl World {
    fn new(retain: Duration) -> Self {
        let disk = Simulated::new(1);
        let metrics = Metrics::new("test", 10);
        let clock = 1_760_000_000;
        let (journal, writer) = open(&disk, &metrics, retain, clock);
        Self { disk, metrics, retain, journal, writer, clock, began: Instant::now() }
    }

    fn restart(&mut self) {
        self.disk.restart(None);
        (self.journal, self.writer) = open(&self.disk, &self.metrics, self.retain, self.clock);
    }

    fn now(&self) -> Moment {
        let wall = EventTime::from_unix_nanoseconds(self.clock * 1_000_000_000);
        Moment { wall, monotonic: self.began + Duration::from_secs(self.clock.unsigned_abs()) }
    }

    /// Receives something that fills a segment, and delivers it where it was taken.
    fn receive(&mut self) -> bool {
        let taken = self.take();
        if taken {
            self.deliver();
        }
        taken
    }

    /// Receives something that fills a segment; whether it was taken.
    fn take(&mut self) -> bool {
        let chunk = Chunk { received_at: self.now().wall, ..Chunk::of_one(vec![7; 3_000]) };
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(receipt)) = pin!(self.journal.append(chunk)).poll(&mut context) else {
            panic!("the queue is full")
        };
        let taken = self.writer.step(self.now()) == Step::Done;
        if taken {
            assert!(matches!(pin!(receipt).poll(&mut context), Poll::Ready(Ok(_))));
        }
        taken
    }

    fn deliver(&mut self) {
        let mut cursor = self.journal.attach("archive", StartAt::Oldest).unwrap();
        let generation = cursor.saved().generation + 1;
        cursor.save(self.journal.newest(), generation).unwrap();
        self.look();
    }

    /// Lets the writer tidy up.
    fn look(&mut self) {
        self.journal.release();
        self.writer.step(self.now());
    }

    fn segments(&self) -> Vec<u64> {
        (1..100)
            .filter(|number| {
                let path = format!("/data/journal/{number:016}.seg");
                self.disk.stat(Path::new(&path)).unwrap().is_some()
            })
            .collect()
    }
}

#[test]
fn a_delivered_segment_goes_when_its_last_chunk_was_received_so_long_ago() {
    let mut world = World::new(Duration::from_secs(3600));
    world.receive();
    world.clock += 100;
    world.receive();
    assert_eq!(world.segments(), [1, 2]);
    world.clock += HOUR - 101;
    world.look();
    assert_eq!(world.segments(), [1, 2], "one second is left");
    assert_eq!(world.metrics.journal.retained_bytes.get(), 3_240, "a sealed segment with its footer");
    world.clock += 1;
    world.look();
    assert_eq!(world.segments(), [2]);
    assert_eq!(world.metrics.journal.retained_bytes.get(), 0, "the last one is kept anyhow");
}

#[test]
fn without_retain_it_goes_at_once() {
    let mut world = World::new(Duration::ZERO);
    world.receive();
    world.receive();
    assert_eq!(world.segments(), [2]);
}

#[test]
fn what_no_output_has_passed_is_not_touched_however_old() {
    let mut world = World::new(Duration::from_secs(3600));
    world.journal.attach("slow", StartAt::Oldest).unwrap();
    world.receive();
    world.receive();
    world.clock += 100 * HOUR;
    world.look();
    assert_eq!(world.segments(), [1, 2]);
}

#[test]
fn a_restart_changes_nothing_about_when_it_goes() {
    let mut world = World::new(Duration::from_secs(3600));
    world.receive();
    world.receive();
    world.clock += HOUR - 1;
    world.restart();
    world.deliver();
    assert_eq!(world.segments()[0], 1);
    let read = world.journal.reader(Position::new(1, 64)).try_next().unwrap().unwrap();
    assert_eq!(read.entries().len(), 3_000, "what is retained can be read");
    world.clock += 1;
    world.look();
    assert_eq!(world.segments()[0], 2);
}

#[test]
fn what_a_clock_that_was_ahead_has_stamped_is_kept_no_longer_than_from_now() {
    let mut world = World::new(Duration::from_secs(3600));
    world.clock += 10_000 * HOUR;
    world.receive();
    world.clock -= 10_000 * HOUR;
    world.receive();
    world.receive();
    world.clock += HOUR - 1;
    world.look();
    assert_eq!(world.segments(), [1, 2, 3]);
    world.clock += 1;
    world.look();
    assert_eq!(world.segments(), [3]);
}

#[test]
fn segments_go_in_order_even_if_a_later_one_is_older_by_the_clock() {
    let mut world = World::new(Duration::from_secs(3600));
    world.receive();
    world.clock -= 100 * HOUR;
    world.receive();
    world.clock += 100 * HOUR;
    world.receive();
    world.look();
    assert_eq!(world.segments(), [1, 2, 3], "no gap");
    world.clock += HOUR;
    world.look();
    assert_eq!(world.segments(), [3]);
}

#[test]
fn at_the_size_limit_the_oldest_go_and_nobody_waits() {
    let mut world = World::new(Duration::from_secs(3600));
    for _ in 0..20 {
        assert!(world.receive(), "with {:?}", world.segments());
        assert!(world.journal.bytes_on_disk() <= 6 * SEGMENT_SIZE);
    }
    let segments = world.segments();
    assert_eq!(segments.last(), Some(&20));
    assert!(segments.len() >= 4, "as much is retained as fits: {segments:?}");
}

#[test]
fn on_a_full_disk_the_oldest_go_and_nobody_waits() {
    let mut world = World::new(Duration::from_secs(3600));
    for _ in 0..4 {
        world.receive();
    }
    let before = world.segments();
    // The next segment is there already; the one after it finds no space, whatever is let go.
    world.disk.set_space(Space::Full);
    assert!(world.take());
    assert!(world.segments().len() < before.len(), "{:?}", world.segments());
    world.disk.set_space(Space::Enough);
    world.clock += 2;
    assert!(world.receive());
}

#[test]
fn segments_are_removed_one_by_one_while_somebody_waits_for_the_writer() {
    let mut world = World::new(Duration::ZERO);
    let mut cursor = world.journal.attach("archive", StartAt::Oldest).unwrap();
    for _ in 0..4 {
        assert!(world.take());
    }
    let generation = cursor.saved().generation + 1;
    cursor.save(world.journal.newest(), generation).unwrap();
    // That asked the writer to look, and it has not done so yet.
    let now = world.now();
    world.writer.may_remove = 1;
    world.writer.release(now);
    assert_eq!(world.segments(), [2, 3, 4]);
    world.writer.release(now);
    assert_eq!(world.segments(), [2, 3, 4]);
    let removable = || world.metrics.journal.removable_bytes.get();
    assert_eq!(removable(), world.writer.shared.bytes_of(&[2, 3]) as i64);
    world.writer.step(now);
    assert_eq!(world.segments(), [4], "nobody waits");
    assert_eq!(removable(), 0);
}
