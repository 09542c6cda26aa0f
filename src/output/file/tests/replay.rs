//! A replay with a crash in every call: whenever it falls, each line of the time is in its file once more, and all others
//! are there once.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::chunk::Chunk;
use crate::config::{Config, OutputKind};
use crate::journal::replay::{Request, RequestKind};
use crate::journal::writer::{Moment, Writer};
use crate::journal::{CursorFolder, Journal, Position, Replays};
use crate::metrics::Metrics;
use crate::output::file::{FileOutput, Next, open_output, recover_all};
use crate::pipeline::Pipeline;
use crate::storage::Storage;
use crate::storage::simulated::{Loss, Simulated};

pub(super) const CHUNKS: usize = 6;

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
    "#;
    Config::parse(text, None, &|_| None).unwrap()
}

/// A server with one output.
pub(super) struct Life {
    journal: Journal,
    writer: Writer,
    pub(super) output: FileOutput,
}

impl Life {
    pub(super) fn start(disk: &Simulated) -> Result<Self, String> {
        Self::with_retain(disk, Duration::from_secs(3600))
    }

    fn with_retain(disk: &Simulated, retain: Duration) -> Result<Self, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let storage: Arc<dyn Storage> = Arc::new(disk.clone());
        let (mut config, metrics) = (config(), Metrics::new("test", 10));
        config.journal.segment_size = 4096;
        config.journal.max_size = 1 << 20;
        config.journal.retain = retain;
        let folder = Path::new("/data");
        crate::journal::durable::create_folder(disk, folder).map_err(|error| text(&error))?;
        let now = Moment::now().wall;
        let (journal, writer) =
            Journal::open_on(&storage, folder, &config.journal, metrics.journal.clone(), now)
                .map_err(|error| text(&error))?;
        let mut unrecovered =
            recover_all(&storage, folder, &config.outputs, &metrics).map_err(|error| text(&error))?;
        let pipeline = Pipeline::new(&[], &config.outputs, "test");
        let OutputKind::File(file) = &config.outputs[0].kind else { panic!() };
        let output =
            open_output(&config.outputs[0], file, folder, &journal, 1 << 20, None, &pipeline, &metrics)
                .map_err(|error| text(&error))?;
        let output = unrecovered.hand_over_to(output);
        Ok(Self { journal, writer, output })
    }

    pub(super) fn receive(&mut self, number: usize) {
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(_)) = pin!(self.journal.append(chunk(number))).poll(&mut context) else {
            panic!()
        };
        self.writer.step(Moment::now());
    }

    /// Delivers everything and saves; whether it could.
    fn deliver(&mut self, asked: bool) -> bool {
        let mut asked = asked;
        loop {
            let now = Moment::now().monotonic + Duration::from_secs(3600);
            match self.output.advance(now, asked) {
                Ok(Next::GoOn) => asked = false,
                Ok(Next::CaughtUp) if asked => asked = false,
                Ok(Next::CaughtUp) => return self.output.finish().is_ok(),
                Err(_) => return false,
            }
        }
    }
}

/// An event with this number, for one of two files.
pub(super) fn chunk(number: usize) -> Chunk {
    let mut entries = b"\x92\x01\x83\xa4host\xa1".to_vec();
    entries.push(b'a' + (number % 2) as u8);
    entries.extend_from_slice(&[0xa1, b'n', number as u8, 0xa1, b'p', 0xda, 0x03, 0xe8]);
    entries.extend_from_slice(&[b'.'; 1000]);
    Chunk { received_at: Moment::now().wall, ..Chunk::of_one(entries) }
}

/// How often each number is in the files, which must be whole.
pub(super) fn counts(disk: &Simulated) -> [usize; CHUNKS] {
    let mut counts = [0; CHUNKS];
    for path in disk.files_below(Path::new("/logs")) {
        let bytes = disk.content(&path).unwrap();
        assert!(bytes.is_empty() || bytes.ends_with(b"\n"));
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line: serde_json::Value = serde_json::from_slice(line).unwrap();
            counts[line["n"].as_u64().unwrap() as usize] += 1;
        }
    }
    counts
}

/// Four chunks delivered, the second and the third of them asked for again, and two more received.
fn prepared(seed: u64) -> Simulated {
    let disk = Simulated::new(seed);
    disk.add_folder(Path::new("/logs"));
    let mut life = Life::start(&disk).unwrap();
    let mut places = Vec::new();
    for number in 0..4 {
        places.push(life.journal.newest());
        life.receive(number);
    }
    assert!(life.deliver(false));
    for number in 4..CHUNKS {
        life.receive(number);
    }
    let cursors = CursorFolder::on(Arc::new(disk.clone()), Path::new("/data"));
    let journal = cursors.load("archive").unwrap().unwrap().journal;
    let kind = RequestKind::Replay { from: places[1], until: Some(places[3]) };
    cursors.ask("archive", &Request { journal, number: 1, kind }).unwrap();
    disk.restart(Some(Loss::Nothing));
    disk
}

const EXPECTED: [usize; CHUNKS] = [1, 2, 2, 1, 1, 1];

#[test]
fn each_line_of_the_time_is_there_once_more() {
    let disk = prepared(1);
    assert!(Life::start(&disk).unwrap().deliver(true));
    assert_eq!(counts(&disk), EXPECTED);
    // What was done is not done again.
    assert!(Life::start(&disk).unwrap().deliver(true));
    assert_eq!(counts(&disk), EXPECTED);
}

#[test]
fn a_crash_in_any_call_changes_nothing_about_it() {
    let calm = prepared(1);
    let before = calm.calls();
    assert!(Life::start(&calm).unwrap().deliver(true));
    let calls = calm.calls() - before;
    assert!(calls > 40);
    for call in 1..=calls {
        for (seed, loss) in [(1, None), (2, Some(Loss::Some)), (3, Some(Loss::Everything))] {
            let disk = prepared(seed);
            disk.die_after(Some(call));
            if let Ok(mut life) = Life::start(&disk) {
                life.deliver(true);
            }
            disk.restart(loss);
            assert!(Life::start(&disk).unwrap().deliver(true));
            assert_eq!(counts(&disk), EXPECTED, "after a crash in call {call} with {loss:?}");
        }
    }
}

#[test]
fn what_is_asked_for_is_kept_until_it_is_delivered() {
    let disk = prepared(1);
    // All outputs have passed these segments, and nothing is retained.
    let mut life = Life::with_retain(&disk, Duration::ZERO).unwrap();
    life.journal.release();
    life.writer.step(Moment::now());
    assert!(life.deliver(true));
    assert_eq!(counts(&disk), EXPECTED);
    let cursor = CursorFolder::on(Arc::new(disk), Path::new("/data")).load("archive").unwrap().unwrap();
    assert_eq!(cursor.replays, Replays { count: 1, current: None });
    assert!(cursor.position > Position::new(1, 64));
}
