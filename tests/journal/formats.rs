use std::fs;

use hikyaku::journal::cursor_attributes::{THROTTLE, find_attribute, write_attribute};
use hikyaku::journal::format::packed_entries::Packing;
use hikyaku::journal::{CursorFolder, OpenError, Position, Replay, Replays, SavedCursor};

use crate::{Bench, append, chunk, contents, start};

/// A data folder that format 1 wrote, kept so that every later version must read it.
const FORMAT_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/journal/format-1");

#[tokio::test]
async fn a_journal_of_format_1_reads() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("journal")).unwrap();
    for name in ["0000000000000001.seg", "0000000000000002.seg"] {
        fs::copy(format!("{FORMAT_1}/{name}"), bench.path().join("journal").join(name)).unwrap();
    }
    let journal = bench.open();
    let read = contents(&mut journal.reader(start()));
    assert_eq!(read.len(), 7);
    for (number, content) in read.iter().enumerate() {
        assert_eq!(content, &vec![number as u8; 10_000]);
    }
    journal.close().await;
}

/// Segments of format 2, with packed entries.
const FORMAT_2: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/journal/format-2");

#[tokio::test]
async fn segments_of_format_2_read_whatever_the_compression_is_now() {
    for (name, packing) in PACKED_SEGMENTS {
        for now in [None, Some(packing)] {
            let mut bench = Bench::new();
            bench.config.compression = now;
            fs::create_dir(bench.path().join("journal")).unwrap();
            fs::copy(format!("{FORMAT_2}/{name}"), bench.segment(1)).unwrap();
            let journal = bench.open();
            let mut reader = journal.reader(start());
            let found = [(); 2].map(|()| reader.try_next().unwrap().unwrap());
            assert_eq!(found.map(|chunk| chunk.entries().to_vec()), packed_contents());
            journal.close().await;
        }
    }
}

const PACKED_SEGMENTS: [(&str, Packing); 2] = [("lz4.seg", Packing::Lz4), ("zstd.seg", Packing::Zstd)];

/// The first of them is packed, the other too short.
fn packed_contents() -> [Vec<u8>; 2] {
    [b"\x92\x01\x81\xa1a\xa6packed".repeat(100), b"\x92\x01\x80".to_vec()]
}

async fn write_the_packed_fixture() {
    for (name, packing) in PACKED_SEGMENTS {
        let mut bench = Bench::new();
        bench.config.compression = Some(packing);
        let journal = bench.open();
        for content in packed_contents() {
            append(&journal, crate::chunk_with_id(&content[..3], &content)).await;
        }
        journal.close().await;
        let mut written = fs::read(bench.segment(1)).unwrap();
        let end = written.iter().rposition(|byte| *byte != 0).unwrap() + 8;
        written.truncate(end.next_multiple_of(8));
        fs::create_dir_all(FORMAT_2).unwrap();
        fs::write(format!("{FORMAT_2}/{name}"), written).unwrap();
    }
}

/// Writes the fixture of format 2 anew.
#[tokio::test]
#[ignore = "writes tests/fixtures"]
async fn write_the_fixture_of_format_2() {
    write_the_packed_fixture().await;
}

/// A segment of format 1 that refers to a file, and that file.
const LARGE_OF_FORMAT_1: [&str; 2] = ["0000000000000001.seg", "0000000000000001-0000000000000108.large"];

#[tokio::test]
async fn a_large_chunk_of_format_1_reads() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("journal")).unwrap();
    for name in LARGE_OF_FORMAT_1 {
        fs::copy(format!("{FORMAT_1}/large/{name}"), bench.path().join("journal").join(name)).unwrap();
    }
    let journal = bench.open();
    let read = contents(&mut journal.reader(start()));
    assert_eq!(read, [vec![0; 100], b"\x92\x01\x81\xa1a\xa5large".repeat(1000), vec![1; 100]]);
    journal.close().await;
}

#[tokio::test]
async fn a_synced_mark_of_format_1_reads_and_a_newer_one_is_refused() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("journal")).unwrap();
    let place = bench.path().join("journal/synced");
    fs::copy(format!("{FORMAT_1}/synced"), &place).unwrap();
    // It names the journal, and a segment that was begun.
    let journal = bench.open();
    assert_eq!(journal.newest(), Position::new(10, 64));
    assert_eq!(bench.metrics.journal.missing_segments.get(), 1);
    journal.close().await;
    drop(journal);
    let mut newer = fs::read(format!("{FORMAT_1}/synced")).unwrap();
    newer[4096 + 8] = 2;
    let checksum = crc32fast::hash(&newer[4096..4096 + 60]);
    newer[4096 + 60..4096 + 64].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&place, newer).unwrap();
    let message = bench.try_open().err().unwrap().to_string();
    assert!(message.contains("format 2") && message.contains("newer hikyaku"), "{message}");
}

#[test]
fn a_cursor_of_format_1_reads() {
    let data_dir = tempfile::tempdir().unwrap();
    fs::create_dir(data_dir.path().join("cursors")).unwrap();
    fs::copy(format!("{FORMAT_1}/archive.cursor"), data_dir.path().join("cursors/archive.cursor")).unwrap();
    let cursor = CursorFolder::new(data_dir.path()).load("archive").unwrap().unwrap();
    assert_eq!(cursor, cursor_of_the_fixture());
}

#[test]
fn a_cursor_with_counts_and_a_replay_reads() {
    let data_dir = tempfile::tempdir().unwrap();
    fs::create_dir(data_dir.path().join("cursors")).unwrap();
    fs::copy(format!("{FORMAT_1}/replaying.cursor"), data_dir.path().join("cursors/archive.cursor")).unwrap();
    let folder = CursorFolder::new(data_dir.path());
    assert_eq!(folder.load("archive").unwrap().unwrap(), replaying_cursor_of_the_fixture());
    let attributes = folder.load_attributes("archive").unwrap();
    assert_eq!(find_attribute(&attributes, THROTTLE), Some(&b"counts"[..]));
}

fn replaying_cursor_of_the_fixture() -> SavedCursor {
    let until = Position { segment: 2, offset: 20_400, entry: 0 };
    let resume = Position { segment: 3, offset: 64, entry: 5 };
    let replays = Replays { count: 2, current: Some(Replay { until, resume }) };
    SavedCursor { replays, ..cursor_of_the_fixture() }
}

fn cursor_of_the_fixture() -> SavedCursor {
    let position = Position { segment: 2, offset: 10_200, entry: 3 };
    SavedCursor { journal: *b"0123456789abcdef", position, generation: 42, replays: Replays::default() }
}

/// Writes the fixture of the present format anew; run by hand after a change of the format's version.
#[tokio::test]
#[ignore = "writes tests/fixtures"]
async fn write_the_fixture() {
    let bench = Bench::new();
    let journal = bench.open();
    for number in 0..7u8 {
        append(&journal, crate::chunk_with_id(&[number], &[number; 10_000])).await;
    }
    journal.close().await;
    write_the_large_fixture().await;
    let cursors = CursorFolder::new(bench.path());
    cursors.save("archive", &cursor_of_the_fixture()).unwrap();
    fs::copy(bench.path().join("cursors/archive.cursor"), format!("{FORMAT_1}/archive.cursor")).unwrap();
    let mut counts = Vec::new();
    write_attribute(&mut counts, THROTTLE, b"counts");
    cursors.save_with("archive", &replaying_cursor_of_the_fixture(), &counts).unwrap();
    fs::copy(bench.path().join("cursors/archive.cursor"), format!("{FORMAT_1}/replaying.cursor")).unwrap();
    for number in 1..=2 {
        let name = bench.segment(number);
        fs::copy(&name, format!("{FORMAT_1}/{}", name.file_name().unwrap().to_str().unwrap())).unwrap();
    }
}

async fn write_the_large_fixture() {
    let bench = Bench::new();
    let journal = bench.open();
    append(&journal, chunk(&[0; 100])).await;
    let mut spool = journal.spools().create().unwrap();
    let entries = b"\x92\x01\x81\xa1a\xa5large".repeat(1000);
    spool.write(&zstd::stream::encode_all(&entries[..], 1).unwrap()).unwrap();
    let large = hikyaku::chunk::Chunk {
        entry_count: 1000,
        encoding: hikyaku::chunk::Encoding::Zstd,
        ..crate::chunk_with_id(b"large", b"")
    };
    journal.append_large(large, spool.finish().unwrap()).await.unwrap().await.unwrap();
    append(&journal, chunk(&[1; 100])).await;
    journal.close().await;
    fs::create_dir_all(format!("{FORMAT_1}/large")).unwrap();
    for name in bench.files() {
        fs::copy(bench.path().join("journal").join(&name), format!("{FORMAT_1}/large/{name}")).unwrap();
    }
}

#[tokio::test]
async fn a_newer_format_a_foreign_file_and_another_journal_are_refused_with_their_names() {
    let refusal = |prepare: fn(&Bench)| {
        let bench = Bench::new();
        prepare(&bench);
        let error = bench.try_open().err().unwrap();
        (error.to_string(), error)
    };
    let (message, error) = refusal(|bench| {
        fs::create_dir(bench.path().join("journal")).unwrap();
        let mut bytes = fs::read(format!("{FORMAT_1}/0000000000000001.seg")).unwrap();
        bytes[8] = 3;
        fs::write(bench.segment(1), bytes).unwrap();
    });
    assert!(matches!(error, OpenError::Segment { .. }));
    assert!(message.contains("0000000000000001.seg") && message.contains("newer hikyaku"), "{message}");

    let (message, _) = refusal(|bench| {
        fs::create_dir(bench.path().join("journal")).unwrap();
        fs::write(bench.segment(1), vec![b'x'; 4096]).unwrap();
    });
    assert!(message.contains("no hikyaku segment"), "{message}");

    let (_, error) = refusal(|bench| {
        fs::create_dir(bench.path().join("journal")).unwrap();
        fs::copy(format!("{FORMAT_1}/0000000000000001.seg"), bench.segment(5)).unwrap();
    });
    assert!(matches!(error, OpenError::Mixed { .. }));
}

#[tokio::test]
async fn a_stray_file_in_the_folder_is_left_alone() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("journal")).unwrap();
    fs::write(bench.path().join("journal/notes.txt"), "mine").unwrap();
    let journal = bench.open();
    append(&journal, chunk(b"x")).await;
    journal.close().await;
    assert_eq!(fs::read(bench.path().join("journal/notes.txt")).unwrap(), b"mine");
}
