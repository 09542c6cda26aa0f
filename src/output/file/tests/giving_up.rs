//! Files that are given up: the others go on, and each event is in its file or handed over, once, whatever dies meanwhile.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::replay::{CHUNKS, chunk, counts};
use crate::config::{Config, OutputKind, StartAt};
use crate::journal::durable::create_folder;
use crate::journal::writer::{Moment, Writer};
use crate::journal::{Journal, Position};
use crate::metrics::{JournalMetrics, Metrics};
use crate::output::file::{DeliveryError, FileOutput, Next, open_output, recover_all};
use crate::output::given_up::GivenUp;
use crate::pipeline::Pipeline;
use crate::storage::Storage;
use crate::storage::simulated::{Broken, BrokenHow, Faults, Loss, Simulated};

const AFTER: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_secs(5);
const SECOND: Duration = Duration::from_secs(1);

fn config() -> Config {
    let text = r#"
        [server]
        data_dir = "/data"
        [[input]]
        id = "edge"
        type = "forward"
        listen = "127.0.0.1:24224"
        [[output]]
        id = "archive"
        type = "file"
        match = "**"
        path = "/logs/{host}.log"
        start = "oldest"
        retry_timeout = "60s"
        retry_max_interval = "5s"
    "#;
    let mut config = Config::parse(text, None, &|_| None).unwrap();
    config.journal.segment_size = 4096;
    config.journal.max_size = 1 << 20;
    config
}

/// A server with one output that gives up.
struct Life {
    journal: Journal,
    writer: Writer,
    given_up: GivenUp,
    given_up_writer: Writer,
    output: FileOutput,
    now: Instant,
}

impl Life {
    fn start(disk: &Simulated) -> Result<Self, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let (config, metrics) = (config(), Metrics::new("test", 10));
        let (folder, given_up_folder) = (Path::new("/data"), Path::new("/data/given-up"));
        let (wall, now) = (Moment::now().wall, Moment::now().monotonic);
        for folder in [folder, given_up_folder] {
            create_folder(disk, folder).map_err(|error| text(&error))?;
        }
        let open = |folder, config: &_| {
            Journal::open_on(&storage, folder, config, JournalMetrics::unregistered(), wall)
                .map_err(|error| text(&error))
        };
        let given_up_config = GivenUp::journal_config(&config.journal, 4096);
        let (given_up, given_up_writer) = open(given_up_folder, &given_up_config)?;
        given_up.attach("@given-up", StartAt::Oldest).map_err(|error| text(&error))?;
        let given_up = GivenUp::new(given_up, given_up_folder.to_owned());
        let (journal, writer) = open(folder, &config.journal)?;
        let mut unrecovered =
            recover_all(&storage, folder, &config.outputs, &metrics).map_err(|error| text(&error))?;
        let pipeline = Pipeline::new(&[], &config.outputs, "test");
        let OutputKind::File(file) = &config.outputs[0].kind else { panic!() };
        let (output, up) = (&config.outputs[0], Some(&given_up));
        let output = open_output(output, file, folder, &journal, 1 << 20, up, &pipeline, &metrics)
            .map_err(|error| text(&error))?;
        let output = unrecovered.hand_over_to(output);
        Ok(Self { journal, writer, given_up, given_up_writer, output, now })
    }

    /// An even number is for the file `a`, an odd one for `b`.
    fn receive(&mut self, number: usize) {
        let mut context = Context::from_waker(Waker::noop());
        let appended = pin!(self.journal.append(chunk(number))).poll(&mut context);
        assert!(matches!(appended, Poll::Ready(Ok(_))));
        self.writer.step(Moment::now());
    }

    /// What is given up becomes durable.
    fn write_given_up(&mut self) {
        self.given_up_writer.step(Moment::now());
    }

    /// Delivers what is there and saves, some time after the last time.
    fn deliver(&mut self, later: Duration) -> Result<(), DeliveryError> {
        self.now += later;
        loop {
            match self.output.advance(self.now, true) {
                Ok(Next::GoOn) => {}
                Ok(Next::CaughtUp) => return Ok(()),
                Err(DeliveryError::HandingOver) if self.given_up_writer_has_work() => self.write_given_up(),
                Err(error) => return Err(error),
            }
        }
    }

    fn given_up_writer_has_work(&mut self) -> bool {
        let before = self.given_up.journal().newest();
        self.write_given_up();
        self.given_up.journal().newest() > before
    }

    /// How often each number was given up.
    fn given_up(&self) -> [usize; CHUNKS] {
        let mut counts = [0; CHUNKS];
        let mut reader = self.given_up.journal().reader(Position::new(1, 64));
        while let Some(chunk) = reader.try_next().unwrap() {
            let handed_over = chunk.handed_over().unwrap();
            assert_eq!((&*handed_over.from, &*handed_over.to), ("archive", "@dead-letters"));
            assert_eq!(handed_over.file.unwrap().path, "/logs/a.log");
            let at = chunk.entries().windows(2).position(|bytes| bytes == b"\xa1n").unwrap();
            counts[usize::from(chunk.entries()[at + 2])] += 1;
        }
        counts
    }
}

fn broken(how: BrokenHow) -> Option<Broken> {
    Some(Broken { below: PathBuf::from("/logs/a.log"), how })
}

/// Two chunks in their files, saved, and two more received.
fn prepared(seed: u64) -> (Simulated, Life) {
    let disk = Simulated::new(seed);
    disk.add_folder(Path::new("/logs"));
    let mut life = Life::start(&disk).unwrap();
    (0..2).for_each(|number| life.receive(number));
    life.deliver(Duration::ZERO).unwrap();
    (2..4).for_each(|number| life.receive(number));
    (disk, life)
}

#[test]
fn a_file_is_given_up_after_its_time_while_the_others_go_on_and_used_again_when_it_works() {
    for how in [BrokenHow::Locked, BrokenHow::TooLarge] {
        let (disk, mut life) = prepared(1);
        disk.set_broken(broken(how));
        for later in [Duration::ZERO, SECOND, AFTER - SECOND - Duration::from_nanos(1)] {
            let error = life.deliver(later).unwrap_err();
            assert!(error.to_string().contains("/logs/a.log"), "{error}");
            assert_eq!(life.given_up(), [0; CHUNKS], "{how:?}");
        }
        life.deliver(Duration::from_nanos(1)).unwrap();
        assert_eq!(life.given_up(), [0, 0, 1, 0, 0, 0]);
        assert_eq!(counts(&disk), [1, 1, 0, 1, 0, 0]);
        // It is tried again, and again in vain; nothing waits for it.
        life.receive(4);
        life.deliver(INTERVAL).unwrap();
        assert_eq!(life.given_up(), [0, 0, 1, 0, 1, 0]);
        disk.set_broken(None);
        life.receive(5);
        life.deliver(SECOND).unwrap();
        assert_eq!(counts(&disk), [1, 1, 0, 1, 0, 1]);
        life.receive(0);
        life.deliver(INTERVAL).unwrap();
        assert_eq!(counts(&disk), [2, 1, 0, 1, 0, 1], "{how:?}: the file is in use again");
        assert_eq!(life.given_up(), [0, 0, 1, 0, 1, 0]);
    }
}

#[test]
fn what_comes_before_the_next_try_is_handed_over_though_the_file_would_work() {
    let (disk, mut life) = prepared(1);
    disk.set_broken(broken(BrokenHow::TooLarge));
    life.deliver(Duration::ZERO).unwrap_err();
    life.deliver(AFTER).unwrap();
    disk.set_broken(None);
    life.receive(4);
    life.deliver(INTERVAL - Duration::from_nanos(1)).unwrap();
    assert_eq!(life.given_up(), [0, 0, 1, 0, 1, 0]);
    assert_eq!(counts(&disk), [1, 1, 0, 1, 0, 0]);
}

#[test]
fn without_room_for_what_is_given_up_the_output_waits_and_saves_nothing() {
    let (disk, mut life) = prepared(1);
    disk.set_broken(broken(BrokenHow::TooLarge));
    life.deliver(Duration::ZERO).unwrap_err();
    life.now += AFTER;
    // The journal of what was given up takes nothing.
    for _ in 0..5 {
        let error = life.output.advance(life.now, true).unwrap_err();
        assert!(matches!(error, DeliveryError::HandingOver), "{error}");
    }
    drop(life);
    disk.restart(None);
    disk.set_broken(None);
    let mut life = Life::start(&disk).unwrap();
    life.deliver(Duration::ZERO).unwrap();
    assert_eq!((counts(&disk), life.given_up()), ([1, 1, 1, 1, 0, 0], [0; CHUNKS]), "nothing was given up");

    let (disk, mut life) = prepared(1);
    disk.set_broken(broken(BrokenHow::TooLarge));
    life.deliver(Duration::ZERO).unwrap_err();
    life.now += AFTER;
    life.output.advance(life.now, true).unwrap_err();
    life.deliver(Duration::ZERO).unwrap();
    assert_eq!((counts(&disk), life.given_up()), ([1, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0]));
}

#[test]
fn a_crash_in_any_call_leaves_each_event_once_though_the_file_works_afterwards() {
    let give_up = |disk: &Simulated, life: &mut Life, dies_after: Option<u64>| {
        disk.set_broken(broken(BrokenHow::TooLarge));
        life.deliver(Duration::ZERO).unwrap_err();
        let before = disk.calls();
        disk.die_after(dies_after);
        let delivered = life.deliver(AFTER);
        (disk.calls() - before, delivered.is_ok())
    };
    let (calm, mut life) = prepared(1);
    let (calls, is_delivered) = give_up(&calm, &mut life, None);
    assert!(is_delivered && calls > 10, "{calls} calls");
    let mut was_handed_over = 0;
    for call in 1..=calls {
        let loss = [None, Some(Loss::Some), Some(Loss::Everything)][call as usize % 3];
        let (disk, mut life) = prepared(call);
        give_up(&disk, &mut life, Some(call));
        drop(life);
        disk.restart(loss);
        disk.set_broken(None);
        let mut life = Life::start(&disk).unwrap();
        life.deliver(Duration::ZERO).unwrap();
        let given_up = life.given_up();
        was_handed_over += given_up[2];
        let mut all = counts(&disk);
        all.iter_mut().zip(given_up).for_each(|(count, given_up)| *count += given_up);
        assert_eq!(all, [1, 1, 1, 1, 0, 0], "a crash in call {call} and {loss:?}");
    }
    assert!(was_handed_over > 0, "some crashes came after it was durable elsewhere");
}

#[test]
fn going_back_to_the_checkpoint_passes_over_what_was_handed_over() {
    let (disk, mut life) = prepared(1);
    // Both are in memory, and the second one is written.
    while life.output.advance(life.now, false).unwrap() == Next::GoOn {}
    disk.set_broken(broken(BrokenHow::TooLarge));
    life.deliver(Duration::ZERO).unwrap_err();
    life.now += AFTER;
    life.output.advance(life.now, true).unwrap_err();
    life.write_given_up();
    disk.set_faults(Faults { failed_syncs: 1, ..Faults::default() });
    life.deliver(Duration::ZERO).unwrap_err();
    assert!(life.output.held_up().borrow().is_some(), "its checkpoint failed");
    disk.set_faults(Faults::default());
    disk.set_broken(None);
    life.deliver(SECOND).unwrap();
    assert_eq!(life.given_up(), [0, 0, 1, 0, 0, 0]);
    assert_eq!(counts(&disk), [1, 1, 0, 1, 0, 0], "what was handed over is passed over");
}

#[test]
fn what_is_given_up_keeps_its_tag() {
    let (disk, mut life) = prepared(1);
    disk.set_broken(broken(BrokenHow::TooLarge));
    let other = crate::chunk::Chunk { tag: Bytes::from_static(b"other"), ..chunk(4) };
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(life.journal.append(other)).poll(&mut context).is_ready());
    life.writer.step(Moment::now());
    life.deliver(Duration::ZERO).unwrap_err();
    life.deliver(AFTER).unwrap();
    assert_eq!(life.given_up(), [0, 0, 1, 0, 1, 0]);
    let mut reader = life.given_up.journal().reader(Position::new(1, 64));
    let tags: Vec<Vec<u8>> =
        std::iter::from_fn(|| reader.try_next().unwrap().map(|chunk| chunk.tag().to_vec())).collect();
    assert_eq!(tags, [&b"app"[..], b"other"]);
}
