use std::fs;

use bytes::Bytes;
use hikyaku::chunk::{Chunk, Encoding};
use hikyaku::journal::Appended;
use hikyaku::journal::format::packed_entries::Packing;
use hikyaku::journal::inspect::Inspection;

use crate::{Bench, SEGMENT_SIZE, append, chunk, chunk_with_id, contents, start};

const BOTH: [Packing; 2] = [Packing::Lz4, Packing::Zstd];

fn log(number: u8) -> Vec<u8> {
    let event = format!("\u{12}GET /catalogue/items/{number} and what is the same in every line of a log");
    event.repeat(150).into_bytes()
}

fn bench(packing: Option<Packing>) -> Bench {
    let mut bench = Bench::new();
    bench.config.compression = packing;
    bench
}

/// Where a segment keeps its format version.
fn format_of(bench: &Bench, segment: u64) -> u8 {
    fs::read(bench.segment(segment)).unwrap()[8]
}

#[tokio::test]
async fn entries_are_read_as_they_were_sent_from_memory_and_from_disk_and_take_less_space() {
    for packing in BOTH {
        for memory in [0, 1 << 20] {
            let mut bench = bench(Some(packing));
            bench.config.memory = memory;
            let journal = bench.open();
            for number in 0..10 {
                append(&journal, chunk(&log(number))).await;
            }
            let sent: Vec<_> = (0..10).map(log).collect();
            assert_eq!(contents(&mut journal.reader(start())), sent);
            let bytes: usize = sent.iter().map(Vec::len).sum();
            let behind = journal.bytes_behind(start());
            assert!(behind < bytes as u64 / 4, "{packing:?}: {behind} of {bytes}");
            assert_eq!(bench.metrics.journal.unpacked_bytes.get(), bytes as u64);
            assert!(bench.metrics.journal.packed_bytes.get() < behind);
            journal.close().await;

            let verdict = Inspection::new(bench.path()).verify(1).unwrap();
            assert!(verdict.is_intact());
            assert_eq!((verdict.packed.chunks, verdict.packed.bytes_as_sent), (10, bytes as u64));
            assert_eq!(verdict.packed.bytes, bench.metrics.journal.packed_bytes.get());
        }
    }
}

#[tokio::test]
async fn what_is_recognised_as_a_resend_does_not_hang_on_the_compression() {
    let mut bench = bench(Some(Packing::Zstd));
    let journal = bench.open();
    assert_eq!(append(&journal, chunk_with_id(b"one", &log(1))).await, Appended::Written);
    assert_eq!(append(&journal, chunk_with_id(b"one", &log(1))).await, Appended::Duplicate);
    journal.close().await;
    bench.config.compression = None;
    let journal = bench.open();
    assert_eq!(append(&journal, chunk_with_id(b"one", &log(1))).await, Appended::Duplicate);
    assert_eq!(append(&journal, chunk_with_id(b"two", &log(2))).await, Appended::Written);
    journal.close().await;
    bench.config.compression = Some(Packing::Lz4);
    let journal = bench.open();
    assert_eq!(append(&journal, chunk_with_id(b"two", &log(2))).await, Appended::Duplicate);
    assert_eq!(append(&journal, chunk_with_id(b"three", &log(3))).await, Appended::Written);
    assert_eq!(contents(&mut journal.reader(start())), [log(1), log(2), log(3)]);
    journal.close().await;
}

#[tokio::test]
async fn a_segment_that_was_begun_without_compression_goes_on_without_and_the_next_one_says_so() {
    let mut bench = bench(None);
    let journal = bench.open();
    append(&journal, chunk(&log(0))).await;
    journal.close().await;
    bench.config.compression = Some(Packing::Lz4);
    let journal = bench.open();
    let mut sent = vec![log(0)];
    while !bench.segment(2).exists() {
        sent.push(log(sent.len() as u8));
        append(&journal, chunk(sent.last().unwrap())).await;
    }
    assert_eq!((format_of(&bench, 1), format_of(&bench, 2)), (1, 2));
    assert_eq!(contents(&mut journal.reader(start())), sent);
    journal.close().await;
    let verdicts = [1, 2].map(|segment| Inspection::new(bench.path()).verify(segment).unwrap());
    assert!(verdicts.iter().all(|verdict| verdict.is_intact()));
    assert_eq!(verdicts.map(|verdict| verdict.packed.chunks), [0, 1]);
    assert_eq!(sent.len() as u64, SEGMENT_SIZE / log(0).len() as u64 + 1);
}

#[tokio::test]
async fn what_came_compressed_and_what_does_not_get_smaller_is_kept_as_it_is() {
    for packing in BOTH {
        let bench = bench(Some(packing));
        let journal = bench.open();
        let compressed = zstd::stream::encode_all(&log(1)[..], 1).unwrap();
        let entries = Bytes::from(compressed.clone());
        append(&journal, Chunk { encoding: Encoding::Zstd, entries, ..chunk(b"") }).await;
        append(&journal, chunk(b"short")).await;
        let mut reader = journal.reader(start());
        let [first, second] = [(); 2].map(|()| reader.try_next().unwrap().unwrap());
        assert_eq!((first.encoding(), first.entries()), (Encoding::Zstd, &compressed[..]));
        assert_eq!((second.encoding(), second.entries()), (Encoding::Plain, &b"short"[..]));
        assert_eq!([first.packing(), second.packing()], [None, None]);
        journal.close().await;
    }
}
