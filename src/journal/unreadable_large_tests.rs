//! A disk that can't read a part of a large chunk: pieces are cut at the same entries by every try.

use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::power_tests::open_sized;
use super::writer::{Moment, Writer};
use super::{Journal, Position, READ_TRIES, Reader};
use crate::chunk::Chunk;
use crate::metrics::Metrics;
use crate::storage::simulated::Simulated;

const SEGMENT_SIZE: u64 = 64 * 1024;
const ENTRY: &[u8] = b"\x92\x01\x81\xa1a\xa9aaaaaaaaa";
const ENTRIES: u32 = 2_000;

/// Pieces hold about so many bytes.
const BLOCK: u32 = 1_024;

/// Within a piece, and neither in the first one nor in the last.
const BROKEN: std::ops::Range<u64> = 14_000..14_100;

fn append_large(journal: &Journal, writer: &mut Writer) {
    let mut spool = journal.spools().with_blocks_of(BLOCK).create().unwrap();
    (0..ENTRIES).for_each(|_| spool.write(ENTRY).unwrap());
    let chunk =
        Chunk { received_at: Moment::now().wall, entry_count: ENTRIES, ..Chunk::of_one(Bytes::new()) };
    let mut context = Context::from_waker(Waker::noop());
    let entries = spool.finish().unwrap();
    let Poll::Ready(receipt) = pin!(journal.append_large(chunk, entries)).poll(&mut context) else {
        panic!("there is room for it")
    };
    writer.step(Moment::now());
    assert!(pin!(receipt.unwrap()).poll(&mut context).is_ready());
}

/// Where pieces begin, until there is an error or nothing more.
fn read(reader: &mut Reader) -> Vec<u32> {
    std::iter::from_fn(|| reader.try_next().ok().flatten()).map(|piece| piece.position.entry).collect()
}

#[test]
fn what_does_not_read_for_a_moment_does_not_change_where_pieces_begin() {
    let (disk, metrics) = (Simulated::new(0), Metrics::new("test", 10));
    let (journal, mut writer) = open_sized(&disk, &metrics, SEGMENT_SIZE).unwrap();
    append_large(&journal, &mut writer);
    let all = read(&mut journal.reader(Position::new(1, 64)));
    assert!(all.len() > 5, "{all:?}");

    disk.break_bytes(&PathBuf::from("/data/journal/0000000000000001-0000000000000040.large"), BROKEN);
    let mut reader = journal.reader(Position::new(1, 64));
    let mut found = read(&mut reader);
    assert!(found.len() < all.len(), "{found:?}");
    disk.mend();
    found.extend(read(&mut reader));
    assert_eq!(found, all);
    assert_eq!(metrics.journal.damaged_bytes.get(), 0);
}

#[test]
fn what_lies_before_the_place_that_never_reads_is_given_all_the_same() {
    let (disk, metrics) = (Simulated::new(0), Metrics::new("test", 10));
    let (journal, mut writer) = open_sized(&disk, &metrics, SEGMENT_SIZE).unwrap();
    append_large(&journal, &mut writer);
    disk.break_bytes(&PathBuf::from("/data/journal/0000000000000001-0000000000000040.large"), BROKEN);
    let mut reader = journal.reader(Position::new(1, 64));
    let mut entries = 0;
    // First up to what reads, then on from there.
    for _ in 0..=2 * READ_TRIES {
        while let Ok(Some(piece)) = reader.try_next() {
            entries += piece.entry_count();
        }
    }
    // All of the blocks before the broken one, but for the entry that reaches into it.
    let blocks = BROKEN.start / u64::from(BLOCK);
    assert!(u64::from(entries) + 2 >= blocks * u64::from(BLOCK) / ENTRY.len() as u64, "{entries} entries");
    assert!(metrics.journal.damaged_bytes.get() > 0);
}
