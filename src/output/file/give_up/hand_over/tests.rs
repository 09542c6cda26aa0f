use std::path::Path;
use std::pin::pin;
use std::sync::Arc;

use super::*;
use crate::chunk::{Chunk, PartOfFile};
use crate::config::Config;
use crate::journal::Journal;
use crate::journal::writer::Moment;
use crate::metrics::{JournalMetrics, Metrics};
use crate::sender::Sender;
use crate::storage::Storage;
use crate::storage::simulated::Simulated;

fn chunk() -> Chunk {
    Chunk {
        refusal: None,
        memory: None,
        handed_over: None,
        proof: Default::default(),
        sender: Sender::from_address([127, 0, 0, 1].into()).into(),
        input: "edge".into(),
        tag: Bytes::from_static(b"app"),
        id: None,
        received_at: Moment::now().wall,
        entry_count: 1,
        has_bad_entries: false,
        has_metadata: false,
        encoding: Encoding::Plain,
        entries: Bytes::from_static(b"\x92\x01\x80"),
    }
}

/// A chunk, and the way into a journal that nobody writes.
fn stuck() -> (StoredChunk, HandOver) {
    let folder = Path::new("/data");
    let storage: Arc<dyn Storage> = Arc::new(Simulated::new(1));
    storage.create_folder(folder).unwrap();
    let mut config = Config::development().unwrap().journal;
    config.segment_size = 16 << 20;
    let (now, metrics) = (Moment::now(), JournalMetrics::unregistered());
    let (journal, mut writer) = Journal::open_on(&storage, folder, &config, metrics, now.wall).unwrap();
    let given_up = GivenUp::new(journal.clone(), folder.to_owned());
    let (hold, taken) = Hold::open(&given_up, "archive", "00").unwrap();
    let metrics = Metrics::new("test", 10).given_up("archive");
    let before = (hold, taken.into_parts());
    let hand_over = HandOver::new("archive", "rescue", "00".to_owned(), &given_up, before, metrics);
    let appended = pin!(journal.append(chunk())).poll(&mut Context::from_waker(Waker::noop()));
    assert!(appended.is_ready());
    writer.step(now);
    (journal.reader(journal.oldest()).try_next().unwrap().unwrap(), hand_over)
}

#[test]
fn so_many_parts_or_bytes_are_on_their_way_and_no_more() {
    let submit = |hand_over: &mut HandOver, chunk: &StoredChunk, length: usize| {
        let number = hand_over.pending.len() as u32;
        let file = PartOfFile { path: "/logs/a.log".to_owned(), part: number };
        let part = Part { file, tag: b"app".to_vec(), entries: vec![0xc0; length].into(), events: 1 };
        hand_over.submit(chunk, part, "it is broken", 1);
        hand_over.is_full()
    };
    let (chunk, mut hand_over) = stuck();
    assert!((1..MAX_PENDING).all(|_| !submit(&mut hand_over, &chunk, 1)));
    assert!(submit(&mut hand_over, &chunk, 1));

    let (chunk, mut hand_over) = stuck();
    const EIGHTH: usize = MAX_PENDING_BYTES / 8;
    assert!((1..8).all(|_| !submit(&mut hand_over, &chunk, EIGHTH)));
    assert!(!submit(&mut hand_over, &chunk, EIGHTH - 1));
    assert!(submit(&mut hand_over, &chunk, 1));
}
