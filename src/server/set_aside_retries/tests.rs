use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;

use super::*;
use crate::chunk::Chunk;
use crate::config::StartAt;
use crate::dead_letters::requests::take_answer;
use crate::event_time::EventTime;
use crate::journal::{Fate, OutputCursor, Position, Skip};
use crate::metrics::Metrics;
use crate::pipeline::Pipeline;
use crate::sender::Sender;

/// Bytes of the journal's smallest segment.
const SEGMENT_SIZE: usize = 1 << 20;

/// Chunks of a segment: each fills a twelfth of it.
const CHUNKS: u32 = 11;

/// Every other chunk was received a day later, in nanoseconds.
const DAY: i64 = 86_400_000_000_000;

/// `[1, {"n": number, "x": "xxx…"}]` twice.
fn entries(number: u32) -> Vec<u8> {
    let length = SEGMENT_SIZE / 24 - 64;
    let mut entry = b"\x92\x01\x82\xa1n\xce".to_vec();
    entry.extend_from_slice(&number.to_be_bytes());
    entry.extend_from_slice(b"\xa1x\xda");
    entry.extend_from_slice(&(length as u16).to_be_bytes());
    entry.resize(entry.len() + length, b'x');
    entry.repeat(2)
}

fn chunk(number: u32) -> Chunk {
    Chunk {
        sender: Arc::new(Sender::from_address([192, 0, 2, 1].into())),
        tag: Bytes::from_static(b"t"),
        id: Some(Bytes::copy_from_slice(&number.to_be_bytes())),
        received_at: EventTime::from_unix_nanoseconds(i64::from(number) + i64::from(number % 2) * DAY),
        entry_count: 2,
        ..Chunk::of_one(entries(number))
    }
}

/// A data folder in which output `up` has left its first two segments behind, but for the first entry, which it delivered.
struct Scene {
    folder: tempfile::TempDir,
    max_backlog: &'static str,
    filters: &'static str,
}

struct Opened {
    journal: Journal,
    cursor: OutputCursor,
    retries: Arc<SetAsideRetries>,
}

impl Scene {
    async fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap(), max_backlog: "32MiB", filters: "" };
        let Opened { journal, mut cursor, .. } = scene.open();
        let mut number = 0;
        while journal.newest().segment < 3 {
            journal.append(chunk(number)).await.unwrap().await.unwrap();
            number += 1;
        }
        assert_eq!(number, 2 * CHUNKS + 1, "two segments are full, and the third has begun");
        cursor.save(Position { entry: 1, ..start_of(1) }, 1).unwrap();
        cursor.skip(Skip { to: start_of(3), fate: Fate::SetAside }).unwrap();
        cursor.save(journal.newest(), 2).unwrap();
        journal.close().await;
        scene
    }

    fn config(&self) -> Arc<Config> {
        let text = format!(
            "[server]\ndata_dir = {:?}\n[journal]\nmax_size = \"64MiB\"\nsegment_size = \"1MiB\"\n\
             [[input]]\nid = \"edge\"\ntype = \"forward\"\nlisten = \"127.0.0.1:0\"\nmax_message_size = \"64KiB\"\n{}\n\
             [[output]]\nid = \"up\"\ntype = \"file\"\nmatch = \"**\"\nstart = \"oldest\"\npath = \"/logs/up.log\"\n\
             max_backlog = {:?}\nwhen_backlogged = \"dead_letter\"\n",
            self.folder.path(),
            self.filters,
            self.max_backlog
        );
        Arc::new(Config::parse(&text, None, &|_| None).unwrap_or_else(|errors| panic!("{errors}")))
    }

    fn open(&self) -> Opened {
        let config = self.config();
        let journal =
            Journal::open(self.folder.path(), &config.journal, Metrics::new("test", 10).journal.clone())
                .unwrap();
        let pipeline = Pipeline::new(&config.filters, &config.outputs, "test");
        super::super::changes::follow(&journal, &config, pipeline).unwrap();
        let cursor = journal.attach("up", StartAt::Oldest).unwrap();
        let retries = Arc::new(SetAsideRetries::new(&config, &journal, watch::Sender::new(0)));
        Opened { journal, cursor, retries }
    }

    fn request(&self, segments: &[u64], anyway: bool) -> PathBuf {
        let request = SegmentRequest::new("up", segments.to_vec(), anyway);
        request.place(&Requests::new(self.folder.path())).unwrap()
    }

    fn set_aside(&self) -> PathBuf {
        self.folder.path().join("dead-letters/segments/up")
    }

    fn set_aside_segments(&self) -> Vec<u64> {
        let segments = crate::journal::SetAside::new(self.folder.path()).segments("up").unwrap();
        segments.iter().map(|found| found.segment).collect()
    }

    /// All of the set aside files, as they are now.
    fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = [self.set_aside(), self.set_aside().join("journal")].into_iter().flat_map(|folder| {
            let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            paths.filter(|path| path.is_file()).collect::<Vec<_>>()
        });
        files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
    }

    fn restore(&self, snapshot: &[(PathBuf, Vec<u8>)]) {
        snapshot.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    }
}

fn start_of(segment: u64) -> Position {
    Position::new(segment, 64)
}

impl Opened {
    async fn take_up(&self, stop: &CancellationToken) {
        let (retries, stop) = (Arc::clone(&self.retries), stop.clone());
        tokio::task::spawn_blocking(move || retries.take_up(&Handle::current(), &stop))
            .await
            .unwrap()
            .unwrap();
    }

    async fn answer(&self, request: &Path) -> Vec<SegmentAnswer> {
        self.take_up(&CancellationToken::new()).await;
        take_answer(request).unwrap().expect("an answer")
    }

    /// How often each chunk was handed back, by its number, and how much of it was delivered before.
    fn handed_back(&self) -> HashMap<u32, (u32, u32)> {
        let mut reader = self.journal.reader(Position::new(0, 0));
        let mut found = HashMap::new();
        while let Some(chunk) = reader.try_next().unwrap() {
            let Some(handed_over) = chunk.handed_over() else { continue };
            let number = (chunk.received_at().unix_nanoseconds() % DAY) as u32;
            assert_eq!((&*handed_over.to, chunk.entries()), ("up", &entries(number)[..]));
            let (times, _) = found.get(&number).copied().unwrap_or_default();
            found.insert(number, (times + 1, handed_over.as_received.unwrap().delivered));
        }
        found
    }
}

/// Each once, the first one from its second entry on.
fn all_of(chunks: u32) -> HashMap<u32, (u32, u32)> {
    (0..chunks).map(|number| (number, (1, u32::from(number == 0)))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_behind_goes_into_the_journal_for_its_output_once_and_is_gone() {
    let scene = Scene::new().await;
    let opened = scene.open();
    let request = scene.request(&[1, 2, 7], false);
    let answers = opened.answer(&request).await;
    let said: Vec<_> = answers.iter().map(|answer| (answer.segment, answer.retried, answer.chunks)).collect();
    assert_eq!(said, [(1, true, u64::from(CHUNKS)), (2, true, u64::from(CHUNKS)), (7, false, 0)]);
    assert!(answers[2].detail.contains("retried or dropped before"), "{}", answers[2].detail);
    assert_eq!(opened.handed_back(), all_of(2 * CHUNKS));
    assert_eq!(scene.set_aside_segments(), [0u64; 0]);
    assert!(scene.snapshot().is_empty(), "their space came back");
    opened.journal.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_a_crash_falls_each_chunk_is_handed_back_once() {
    let scene = Scene::new().await;
    let before = scene.snapshot();
    let mut opened = scene.open();
    opened.answer(&scene.request(&[1, 2], false)).await;
    // Everything was appended, and `.from` had got as far as this: to no chunk, some, or all of them.
    let mut places = vec![start_of(1)];
    let mut froms = Vec::new();
    scene.restore(&before);
    let inspection = crate::journal::SetAside::new(scene.folder.path()).inspection("up");
    inspection
        .chunks(1, |place, _| {
            places.push(place);
            true
        })
        .unwrap();
    for (path, _) in before.iter().filter(|(path, _)| path.ends_with("0000000000000001.from")) {
        froms.push(path.clone());
    }
    assert_eq!(froms.len(), 1);
    for place in places.into_iter().step_by(3) {
        opened.journal.close().await;
        scene.restore(&before);
        let set_aside = crate::journal::SetAside::new(scene.folder.path());
        if place != start_of(1) {
            let from = set_aside.segments("up").unwrap()[0].from;
            set_aside.advance("up", &crate::journal::SavedCursor { position: place, ..from }).unwrap();
        }
        opened = scene.open();
        let answers = opened.answer(&scene.request(&[1, 2], false)).await;
        assert!(answers.iter().all(|answer| answer.retried), "{answers:?}");
        assert_eq!(opened.handed_back(), all_of(2 * CHUNKS), "from {place}");
    }
    opened.journal.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_handed_back_while_the_output_is_behind_and_a_stop_meanwhile_loses_nothing() {
    let mut scene = Scene::new().await;
    // Half of this, and less than a segment, may be under way.
    scene.max_backlog = "1MiB";
    let opened = scene.open();
    let request = scene.request(&[1, 2], false);
    let stop = CancellationToken::new();
    let until_behind = async {
        let set_aside = opened.journal.set_aside();
        while set_aside.segments("up").unwrap()[0].from.position < Position::new(1, 1000) {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };
    tokio::join!(opened.take_up(&stop), until_behind);
    let partly = opened.handed_back().len();
    assert!(partly > 0 && partly < CHUNKS as usize, "{partly}");
    assert!(
        take_answer::<SegmentAnswer>(&request).unwrap().is_none() && request.exists(),
        "the request stays"
    );
    opened.journal.close().await;

    // The output gets on.
    let mut opened = scene.open();
    let done = CancellationToken::new();
    let mut cursor = opened.journal.attach("up", StartAt::Oldest).unwrap();
    std::mem::swap(&mut cursor, &mut opened.cursor);
    let journal = opened.journal.clone();
    let delivers = async {
        while !done.is_cancelled() {
            if cursor.saved().position != journal.newest() {
                let generation = cursor.saved().generation + 1;
                cursor.save(journal.newest(), generation).unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    // Whatever the output has delivered stays in the journal's files for as long as it is looked at here.
    let hold = journal.attach("hold", StartAt::Oldest).unwrap();
    let retried = async {
        let answers = opened.answer(&request).await;
        done.cancel();
        answers
    };
    let (answers, ()) = tokio::join!(retried, delivers);
    assert!(answers.iter().all(|answer| answer.retried), "{answers:?}");
    assert_eq!(opened.handed_back(), all_of(2 * CHUNKS));
    drop(hold);
    opened.journal.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_other_rules_it_is_delivered_only_where_that_is_said() {
    let mut scene = Scene::new().await;
    scene.filters = "[[filter]]\nmatch = \"t\"\ntype = \"remove\"\nfields = [\"x\"]\n";
    let opened = scene.open();
    let [answer] = &opened.answer(&scene.request(&[1], false)).await[..] else { panic!() };
    assert!(!answer.retried && answer.detail.contains("--anyway"), "{answer:?}");
    assert_eq!((opened.handed_back().len(), scene.set_aside_segments()), (0, vec![1, 2]));
    assert!(opened.answer(&scene.request(&[1], true)).await[0].retried);
    assert_eq!((opened.handed_back(), scene.set_aside_segments()), (all_of(CHUNKS), vec![2]));
    opened.journal.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_segment_is_delivered_only_where_that_is_said_and_what_checks_of_it() {
    let scene = Scene::new().await;
    let path = scene.set_aside().join("journal/0000000000000002.seg");
    let mut bytes = fs::read(&path).unwrap();
    bytes[SEGMENT_SIZE / 2] ^= 1;
    fs::write(&path, bytes).unwrap();
    let opened = scene.open();
    let [answer] = &opened.answer(&scene.request(&[2], false)).await[..] else { panic!() };
    assert!(!answer.retried && answer.detail.contains("damaged"), "{answer:?}");
    let [answer] = &opened.answer(&scene.request(&[2], true)).await[..] else { panic!() };
    assert_eq!((answer.retried, answer.chunks), (true, u64::from(CHUNKS) - 1));
    assert_eq!(opened.handed_back().len(), CHUNKS as usize - 1);
    opened.journal.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_its_output_has_not_left_yet_stays() {
    let scene = Scene::new().await;
    let mut opened = scene.open();
    // The process before ended between the two.
    opened.cursor.save(Position { entry: 1, ..start_of(1) }, 3).unwrap();
    let [answer] = &opened.answer(&scene.request(&[1], true)).await[..] else { panic!() };
    assert!(!answer.retried && answer.detail.contains("just leaving"), "{answer:?}");
    assert_eq!(scene.set_aside_segments(), [1, 2]);
    opened.journal.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_retried_chunks_do_not_make_those_of_their_sender_grow_old() {
    let scene = Scene::new().await;
    let opened = scene.open();
    let now = EventTime::now();
    let live = || Chunk { received_at: now, ..chunk(1_000) };
    opened.journal.append(live()).await.unwrap().await.unwrap();
    // Eleven steps of a day, each of which counts for a tenth of the window.
    opened.answer(&scene.request(&[1, 2], false)).await;
    opened.journal.append(Chunk { received_at: now, ..chunk(1_001) }).await.unwrap().await.unwrap();
    let resent = opened.journal.append(live()).await.unwrap().await.unwrap();
    assert_eq!(resent, crate::journal::Appended::Duplicate);
    opened.journal.close().await;
}
