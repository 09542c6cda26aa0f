//! Chunks whose entries are files.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use hikyaku::chunk::{Chunk, Encoding};
use hikyaku::config::StartAt;
use hikyaku::journal::inspect::Inspection;
use hikyaku::journal::large::LargeEntries;
use hikyaku::journal::{Appended, Journal, Position, Reader};

use crate::{Bench, SEGMENT_SIZE, append, chunk, chunk_with_id, contents, start};

/// Room for a few of the files here.
fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.config.max_size = 1 << 30;
    bench
}

/// Entries of a thousand bytes that tell their number.
fn run(entries: std::ops::Range<u32>) -> Vec<u8> {
    entries.flat_map(|number| entry(number, 1000)).collect()
}

fn entry(number: u32, length: usize) -> Vec<u8> {
    let mut entry = b"\x92\xce".to_vec();
    entry.extend_from_slice(&number.to_be_bytes());
    entry.extend_from_slice(b"\x81\xa1a\xc6");
    entry.extend_from_slice(&(length as u32 - 14).to_be_bytes());
    entry.resize(length, number as u8);
    entry
}

fn spooled(journal: &Journal, bytes: &[u8]) -> LargeEntries {
    let mut spool = journal.spools().create().unwrap();
    bytes.chunks(100_000).for_each(|part| spool.write(part).unwrap());
    spool.finish().unwrap()
}

fn large_chunk(id: &[u8], entry_count: u32, encoding: Encoding) -> Chunk {
    Chunk { entry_count, encoding, ..chunk_with_id(id, b"") }
}

async fn append_large(journal: &Journal, chunk: Chunk, bytes: &[u8]) -> Appended {
    journal.append_large(chunk, spooled(journal, bytes)).await.unwrap().await.unwrap()
}

/// Entries that were read, and in how many pieces. They must follow each other by their positions.
fn read_all(reader: &mut Reader) -> (Vec<u8>, usize) {
    let (mut entries, mut pieces) = (Vec::new(), 0);
    let mut expected = None;
    while let Some(piece) = reader.try_next().unwrap() {
        assert!(
            expected.is_none_or(|expected| expected == piece.position),
            "{expected:?} {}",
            piece.position
        );
        assert_eq!(piece.encoding(), Encoding::Plain);
        assert_eq!(piece.tag(), b"nginx.access");
        entries.extend_from_slice(piece.entries());
        pieces += 1;
        expected = Some(piece.next);
        assert_eq!(reader.position(), piece.next);
    }
    (entries, pieces)
}

fn spool_files(bench: &Bench) -> usize {
    fs::read_dir(bench.path().join("spool")).unwrap().count()
}

fn large_files(bench: &Bench) -> Vec<PathBuf> {
    let names = bench.files().into_iter().filter(|name| name.ends_with(".large"));
    names.map(|name| bench.path().join("journal").join(name)).collect()
}

fn compress(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    match encoding {
        Encoding::Plain => bytes.to_vec(),
        Encoding::Zstd => {
            bytes.chunks(3_000_000).flat_map(|part| zstd::stream::encode_all(part, 1).unwrap()).collect()
        }
        Encoding::Gzip => bytes
            .chunks(3_000_000)
            .flat_map(|part| {
                let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                member.write_all(part).unwrap();
                member.finish().unwrap()
            })
            .collect(),
    }
}

#[tokio::test]
async fn a_large_chunk_is_read_in_pieces_of_whole_plain_entries_between_the_others() {
    let bench = bench();
    let journal = bench.open();
    append(&journal, chunk(&entry(1, 100))).await;
    let mut expected = entry(1, 100);
    for encoding in [Encoding::Plain, Encoding::Gzip, Encoding::Zstd] {
        let run = run(0..9_000);
        let chunk = large_chunk(&[encoding as u8], 9_000, encoding);
        assert_eq!(append_large(&journal, chunk, &compress(encoding, &run)).await, Appended::Written);
        expected.extend_from_slice(&run);
    }
    append(&journal, chunk(&entry(2, 100))).await;
    expected.extend_from_slice(&entry(2, 100));
    let (entries, pieces) = read_all(&mut journal.reader(start()));
    assert!(entries == expected);
    assert_eq!(pieces, 2 + 3 * 3, "9 MB are three pieces");
    assert_eq!(spool_files(&bench), 0);
    assert_eq!(large_files(&bench).len(), 3);
    journal.close().await;

    let journal = bench.open();
    assert!(read_all(&mut journal.reader(start())).0 == expected, "and from disk");
    journal.close().await;
}

#[tokio::test]
async fn an_entry_longer_than_a_piece_is_a_piece() {
    let bench = bench();
    let journal = bench.open();
    let run = [run(0..2), entry(2, 9_000_000), run(3..5)].concat();
    append_large(&journal, large_chunk(b"id", 5, Encoding::Plain), &run).await;
    let mut reader = journal.reader(start());
    let sizes: Vec<_> = std::iter::from_fn(|| reader.try_next().unwrap())
        .map(|piece| (piece.position.entry, piece.entry_count(), piece.entries().len()))
        .collect();
    assert_eq!(sizes, [(0, 2, 2_000), (2, 3, 9_002_000)]);
    journal.close().await;
}

#[tokio::test]
async fn a_refused_message_is_read_in_pieces_that_nobody_looks_into_from_the_middle_as_well() {
    for length in [1_usize, 4 << 20, (4 << 20) + 1, 9_000_000] {
        let bench = bench();
        let journal = bench.open();
        let bytes: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let refused = Chunk {
            refusal: Some("it is garbled".into()),
            has_bad_entries: true,
            ..large_chunk(b"id", 1, Encoding::Plain)
        };
        append_large(&journal, refused, &bytes).await;
        let mut reader = journal.reader(start());
        let pieces: Vec<_> = std::iter::from_fn(|| reader.try_next().unwrap()).collect();
        assert!(pieces.iter().all(|piece| piece.is_refused() && piece.is_piece));
        assert_eq!(pieces.len(), length.div_ceil(4 << 20));
        assert!(pieces.iter().flat_map(|piece| piece.entries()).eq(&bytes));
        let last = pieces.last().unwrap();
        assert_eq!((last.first_index() as usize, last.next), (pieces.len() - 1, journal.newest()));
        let again = journal.reader(last.position).try_next().unwrap().unwrap();
        assert!(again.entries() == last.entries());
        journal.close().await;
    }
}

#[tokio::test]
async fn a_chunk_that_ends_where_a_piece_does_has_no_empty_piece_behind_it() {
    for lengths in [[4 << 20, 0], [2 << 20, 2 << 20], [4 << 20, 4 << 20], [4 << 20, 20]] {
        let bench = bench();
        let journal = bench.open();
        let entries: Vec<_> =
            lengths.into_iter().filter(|length| *length > 0).map(|length| entry(7, length)).collect();
        append_large(&journal, large_chunk(b"id", 2, Encoding::Plain), &entries.concat()).await;
        let end = journal.newest();
        let mut reader = journal.reader(start());
        let pieces: Vec<_> = std::iter::from_fn(|| reader.try_next().unwrap()).collect();
        assert!(pieces.iter().all(|piece| piece.entry_count() > 0));
        assert_eq!(pieces.last().unwrap().next, end);
        assert_eq!(pieces.len(), lengths.iter().sum::<usize>().div_ceil(4 << 20));
        journal.close().await;
    }
}

#[tokio::test]
async fn a_cursor_in_the_middle_of_a_large_chunk_goes_on_there_after_a_restart() {
    for encoding in [Encoding::Plain, Encoding::Gzip] {
        let bench = bench();
        let run = run(0..9_000);
        let journal = bench.open();
        append_large(&journal, large_chunk(b"id", 9_000, encoding), &compress(encoding, &run)).await;
        append(&journal, chunk(&entry(1, 100))).await;
        let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
        let mut reader = journal.reader(cursor.saved().position);
        let first = reader.try_next().unwrap().unwrap();
        cursor.save(first.next, 1).unwrap();
        journal.close().await;

        let journal = bench.open();
        let saved = journal.attach("archive", StartAt::Newest).unwrap().saved().position;
        assert_eq!(saved.entry, first.entry_count());
        let (rest, _) = read_all(&mut journal.reader(saved));
        assert!([first.entries(), &rest].concat() == [&run[..], &entry(1, 100)].concat());

        // A cursor of a program that cut elsewhere.
        let between = Position { entry: saved.entry + 10, ..saved };
        let (rest, _) = read_all(&mut journal.reader(between));
        assert!(rest == [&run[10_000 + first.entries().len()..], &entry(1, 100)].concat());
        journal.close().await;
    }
}

#[tokio::test]
async fn a_large_chunk_that_is_sent_again_is_recognised_and_its_file_removed() {
    let bench = bench();
    let journal = bench.open();
    let run = run(0..100);
    let chunk = large_chunk(b"id", 100, Encoding::Plain);
    assert_eq!(append_large(&journal, chunk.clone(), &run).await, Appended::Written);
    assert_eq!(append_large(&journal, chunk.clone(), &run).await, Appended::Duplicate);
    journal.close().await;
    let journal = bench.open();
    assert_eq!(append_large(&journal, chunk, &run).await, Appended::Duplicate);
    assert_eq!((spool_files(&bench), large_files(&bench).len()), (0, 1));
    journal.close().await;
}

#[tokio::test]
async fn what_a_crash_leaves_without_a_frame_is_removed_at_start_and_nothing_else() {
    let bench = bench();
    let journal = bench.open();
    append_large(&journal, large_chunk(b"id", 100, Encoding::Plain), &run(0..100)).await;
    append(&journal, chunk(&entry(1, 100))).await;
    let end = journal.newest();
    journal.close().await;
    let kept = large_files(&bench);
    // Killed while it came; named and not referred to; let go with its segment and not removed yet.
    fs::write(bench.path().join("spool/7.spool"), b"half").unwrap();
    let folder = bench.path().join("journal");
    fs::write(folder.join(format!("{:016}-{:016x}.large", end.segment, end.offset)), b"new").unwrap();
    fs::write(folder.join(format!("{:016}-{:016x}.large", 0, 64)), b"old").unwrap();

    let journal = bench.open();
    assert_eq!(spool_files(&bench), 0);
    assert_eq!(large_files(&bench), kept);
    assert_eq!(bench.metrics.journal.damaged_bytes.get(), 0);
    assert_eq!(read_all(&mut journal.reader(start())).0.len(), 100_100);
    journal.close().await;
}

#[tokio::test]
async fn a_torn_frame_takes_its_file_with_it() {
    let bench = bench();
    let journal = bench.open();
    append(&journal, chunk(&entry(1, 100))).await;
    let place = journal.newest();
    append_large(&journal, large_chunk(b"id", 100, Encoding::Plain), &run(0..100)).await;
    journal.close().await;
    bench.forget_synced();
    OpenOptions::new()
        .write(true)
        .open(bench.segment(1))
        .unwrap()
        .write_all_at(&[0xff; 8], place.offset)
        .unwrap();

    let journal = bench.open();
    assert_eq!(read_all(&mut journal.reader(start())).0, entry(1, 100));
    assert!(large_files(&bench).is_empty());
    let again = append_large(&journal, large_chunk(b"id", 100, Encoding::Plain), &run(0..100)).await;
    assert_eq!(again, Appended::Written);
    assert_eq!(read_all(&mut journal.reader(start())).0.len(), 100_100);
    journal.close().await;
}

#[tokio::test]
async fn damage_in_a_large_file_is_set_aside_from_there_on_and_everything_else_is_read() {
    type Damage = fn(&PathBuf);
    let damages: [(Damage, u64, usize); 4] = [
        // In its third MiB: the two before are read.
        (
            |path| OpenOptions::new().write(true).open(path).unwrap().write_all_at(b"x", 2_500_000).unwrap(),
            6_902_848,
            2_097,
        ),
        (
            |path| OpenOptions::new().write(true).open(path).unwrap().set_len(2_500_000).unwrap(),
            6_902_848,
            2_097,
        ),
        (|path| OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap(), 9_000_000, 0),
        (|path| fs::remove_file(path).unwrap(), 9_000_000, 0),
    ];
    for (damage, lost, kept) in damages {
        let bench = bench();
        let journal = bench.open();
        append_large(&journal, large_chunk(b"id", 9_000, Encoding::Plain), &run(0..9_000)).await;
        append(&journal, chunk(&entry(1, 100))).await;
        let path = large_files(&bench).remove(0);
        let existed = || path.exists();
        damage(&path);
        for _ in 0..2 {
            let mut reader = journal.reader(start());
            let read = contents(&mut reader).concat();
            assert!(read == [run(0..kept as u32), entry(1, 100)].concat(), "{} bytes", read.len());
            assert_eq!(bench.metrics.journal.damaged_bytes.get(), lost, "counted once");
        }
        let aside = bench.path().join("journal/damaged").join(path.file_name().unwrap());
        assert_eq!(aside.exists(), existed());
        let verdict = Inspection::new(bench.path()).verify(1).unwrap();
        assert_eq!((verdict.is_intact(), verdict.damaged_bytes, verdict.large_chunks), (false, lost, 1));
        journal.close().await;
        let journal = bench.open();
        assert_eq!(contents(&mut journal.reader(start())).last().unwrap(), &entry(1, 100));
        journal.close().await;
    }
}

#[tokio::test]
async fn a_file_whose_frame_is_damaged_is_set_aside() {
    let bench = bench();
    let journal = bench.open();
    append_large(&journal, large_chunk(b"id", 100, Encoding::Plain), &run(0..100)).await;
    append(&journal, chunk(&entry(1, 100))).await;
    append(&journal, chunk(&entry(2, 100))).await;
    journal.close().await;
    OpenOptions::new().write(true).open(bench.segment(1)).unwrap().write_all_at(&[0xff; 8], 64).unwrap();
    let path = large_files(&bench).remove(0);
    let journal = bench.open();
    assert_eq!(contents(&mut journal.reader(start())).len(), 2);
    assert!(!path.exists());
    let aside = bench.path().join("journal/damaged").join(path.file_name().unwrap());
    assert_eq!(fs::read(aside).unwrap(), run(0..100));
    journal.close().await;
}

#[tokio::test]
async fn large_files_count_into_the_size_of_the_journal_and_go_with_their_segment() {
    let mut bench = Bench::new();
    bench.config.max_size = 4 * SEGMENT_SIZE;
    let journal = bench.open();
    let mut holder = journal.attach("holder", StartAt::Oldest).unwrap();
    let file_length = 2 * SEGMENT_SIZE as usize - 1_000;
    let large =
        |number: u32| (large_chunk(&number.to_le_bytes(), 1, Encoding::Plain), entry(number, file_length));
    let (chunk, run) = large(1);
    append_large(&journal, chunk, &run).await;
    let summary = Inspection::new(bench.path()).summary(1).unwrap();
    assert_eq!(summary.large_bytes(), file_length as u64);
    assert!(journal.bytes_on_disk() > file_length as u64);
    assert!(journal.bytes_behind(start()) > file_length as u64);

    // One more does not fit beside it: it waits until the first is delivered.
    let (chunk, run) = large(2);
    let second = journal.append_large(chunk, spooled(&journal, &run)).await.unwrap();
    let mut status = journal.status();
    status.wait_for(|status| *status == hikyaku::journal::Status::Full).await.unwrap();
    assert_eq!(large_files(&bench).len(), 1);
    let mut reader = journal.reader(start());
    assert!(reader.try_next().unwrap().unwrap().entries() == entry(1, file_length));
    holder.save(Position::new(2, 64), 1).unwrap();
    assert_eq!(second.await.unwrap(), Appended::Written);
    assert_eq!(large_files(&bench).len(), 1, "the first went with its segment");
    assert!(read_all(&mut journal.reader(Position::new(2, 64))).0 == entry(2, file_length));
    journal.close().await;
}

#[tokio::test]
async fn looking_in_from_outside_sees_the_pieces() {
    let bench = bench();
    let journal = bench.open();
    append_large(
        &journal,
        large_chunk(b"id", 9_000, Encoding::Zstd),
        &compress(Encoding::Zstd, &run(0..9_000)),
    )
    .await;
    let mut seen = Vec::new();
    let mut firsts = Vec::new();
    Inspection::new(bench.path())
        .chunks(1, |position, chunk| {
            firsts.push(position.entry);
            seen.extend_from_slice(chunk.entries());
            true
        })
        .unwrap();
    assert!(seen == run(0..9_000));
    assert_eq!(firsts.len(), 3);
    assert!(Inspection::new(bench.path()).verify(1).unwrap().is_intact());
    journal.close().await;
}

#[tokio::test]
async fn a_file_that_the_journal_does_not_take_is_removed() {
    let bench = bench();
    let journal = bench.open();
    let entries = spooled(&journal, b"\x92\x01\x80");
    let tag = Bytes::from(vec![b'x'; SEGMENT_SIZE as usize]);
    let chunk = Chunk { tag, ..large_chunk(b"id", 1, Encoding::Plain) };
    assert!(journal.append_large(chunk, entries).await.is_err());
    let entries = spooled(&journal, b"\x92\x01\x80");
    journal.close().await;
    assert!(journal.append_large(large_chunk(b"id", 1, Encoding::Plain), entries).await.is_err());
    assert_eq!(spool_files(&bench), 0);
}

#[tokio::test]
async fn what_is_only_retained_makes_room_while_somebody_waits_for_space_on_the_disk() {
    let mut bench = bench();
    bench.config.retain = std::time::Duration::from_secs(100 * 365 * 86_400);
    let journal = bench.try_open().unwrap();
    let mut cursor = journal.attach("archive", StartAt::Oldest).unwrap();
    let content = vec![b'x'; SEGMENT_SIZE as usize / 4];
    while journal.newest().segment < 3 {
        append(&journal, chunk(&content)).await;
    }
    cursor.save(journal.newest(), 1).unwrap();
    append(&journal, chunk(b"small")).await;
    assert!(bench.segment(1).exists(), "it is retained");
    let waiting = journal.spools().wait_for_space();
    cursor.save(journal.newest(), 2).unwrap();
    // Behind what the writer was asked by that.
    append(&journal, chunk(b"small")).await;
    assert!(!bench.segment(1).exists());
    assert!(bench.segment(2).exists(), "one at a time");
    drop(waiting);
    cursor.save(journal.newest(), 3).unwrap();
    append(&journal, chunk(b"small")).await;
    assert!(bench.segment(2).exists());
    journal.close().await;
}
