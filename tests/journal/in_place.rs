//! Entries that stay in the memory that they came in until outputs have read them.

use bytes::Bytes;
use hikyaku::chunk::Chunk;
use hikyaku::journal::Appended;

use crate::{Bench, SEGMENT_SIZE, append, chunk, contents, start};

/// Entries of so many bytes that differ everywhere, somewhere in a block of memory.
fn entries(number: usize, length: usize) -> Bytes {
    let place = number * 1_231 % 4_096;
    let memory: Vec<u8> = (0..place + length).map(|at| (at * 7 + number) as u8 ^ (at >> 8) as u8).collect();
    Bytes::from(memory).slice(place..)
}

fn in_place(entries: &Bytes) -> Chunk {
    Chunk { memory: Some(entries.len()), entries: entries.clone(), ..chunk(b"") }
}

#[tokio::test]
async fn entries_read_back_from_their_own_memory_and_from_the_disk() {
    let mut bench = Bench::new();
    bench.config.max_size = 64 * SEGMENT_SIZE;
    let journal = bench.open();
    let mut reader = journal.reader(start());
    let mut sent = Vec::new();
    for number in 0..60 {
        // Some are too short for a whole block, and some were copied.
        let entries = entries(number, [12_000, 100, 4_096, 8_191, 20_001][number % 5]);
        let stays = number % 7 != 6;
        let chunk = if stays { in_place(&entries) } else { chunk(&entries) };
        assert_eq!(append(&journal, chunk).await, Appended::Written);
        let read = reader.try_next().unwrap().unwrap();
        assert!(read.entries() == entries, "{number}");
        let has_a_block = entries.as_ptr().align_offset(4_096) + 4_096 <= entries.len();
        assert_eq!(read.entries().as_ptr() == entries.as_ptr(), stays && has_a_block, "{number}");
        sent.push(entries.to_vec());
    }
    assert!(contents(&mut journal.reader(start())) == sent, "some from memory, some from the disk");
    journal.close().await;

    bench.config.memory = 0;
    let journal = bench.open();
    assert!(contents(&mut journal.reader(start())) == sent, "all from the disk");
    journal.close().await;
}

#[tokio::test]
async fn a_chunk_that_just_fits_into_a_segment_is_copied() {
    let bench = Bench::new();
    let journal = bench.open();
    let mut reader = journal.reader(start());
    // The largest that is taken, found from above.
    let mut length = SEGMENT_SIZE as usize;
    let largest = loop {
        let entries = entries(1, length);
        match journal.append(in_place(&entries)).await {
            Ok(receipt) => break receipt.await.map(|_| entries).unwrap(),
            Err(_) => length -= 8,
        }
    };
    let read = reader.try_next().unwrap().unwrap();
    assert!(read.entries() == largest);
    assert_ne!(read.entries().as_ptr(), largest.as_ptr(), "there is no room for the padding of its head");
    let shorter = entries(2, length - 5_000);
    append(&journal, in_place(&shorter)).await;
    assert_eq!(reader.try_next().unwrap().unwrap().entries().as_ptr(), shorter.as_ptr());
    journal.close().await;
}
