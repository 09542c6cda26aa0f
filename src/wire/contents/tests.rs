use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::super::limits::INFLATE_ALLOWANCE;
use super::*;
use crate::wire::client::{Packed, encode_packed};
use crate::wire::framing::Framer;

fn contents(entries: &[u8], gzip: bool) -> Result<Contents, Refusal> {
    let bytes = encode_packed(&Packed { tag: b"t", entries, count: 0, chunk: None, gzip });
    let message = Message::decode(&Bytes::from(bytes)).unwrap();
    let whole = message.contents(&LIMITS);
    let mut parts = ContentsChecker::new(message.encoding, entries.len() as u64, &LIMITS);
    let taken = entries.chunks(7).try_for_each(|part| parts.take(part).map(drop));
    assert_eq!(taken.and_then(|()| parts.finish()).ok(), whole.clone().ok());
    whole
}

const LIMITS: ContentLimits = ContentLimits {
    max_entry_size: 1 << 16,
    max_depth: 10,
    max_inflated_size: 2 << 20,
    max_inflate_ratio: 1000,
};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bad_entries_are_counted_and_kept() {
    let run = b"\x92\x01\x80\x01\x92\xd7\x00\0\0\0\x01\x77\x35\x94\x00\x80\x92\x01\xc0";
    assert_eq!(
        contents(run, false),
        Ok(Contents { entries: 4, bad_entries: 3, has_metadata: false, bytes: run.len() as u64 })
    );
    assert_eq!(
        contents(&gzip(run), true),
        Ok(Contents { entries: 4, bad_entries: 3, has_metadata: false, bytes: run.len() as u64 })
    );
    assert_eq!(contents(b"", false), Ok(Contents::default()));
}

#[test]
fn group_marks_are_no_entries_and_tell_of_metadata() {
    let start = b"\x92\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x80\x80";
    let end = b"\x92\x92\xd7\x00\xff\xff\xff\xfe\0\0\0\0\x80\x80";
    let run = [&start[..], b"\x92\x01\x80\x92\x02\x80", end].concat();
    assert_eq!(
        contents(&run, false),
        Ok(Contents { entries: 2, bad_entries: 0, has_metadata: true, bytes: run.len() as u64 })
    );
    let marks = [&start[..], end].concat();
    assert_eq!(
        contents(&marks, false),
        Ok(Contents { entries: 0, bad_entries: 0, has_metadata: true, bytes: marks.len() as u64 })
    );
}

#[test]
fn a_run_that_cannot_be_told_apart_is_refused() {
    for run in [&b"\x92\x01\x80\x92\x01"[..], b"\x92\x01\x80\xc1", b"\x92\x01\x80\xdb\xff\xff\xff\xff"] {
        assert_eq!(contents(run, false).unwrap_err().label(), "malformed", "{run:x?}");
        let label = contents(&gzip(run), true).unwrap_err().label();
        // Of a run in parts the length of an entry is known first.
        assert_eq!(label, if run.ends_with(b"\xff") { "entry_too_large" } else { "malformed" }, "{run:x?}");
    }
    let deep = [vec![0x91; 100_000], vec![0x01]].concat();
    assert_eq!(contents(&deep, false).unwrap_err().label(), "too_deep");
}

#[test]
fn damaged_and_huge_compression_is_refused() {
    let whole = gzip(b"\x92\x01\x80");
    assert_eq!(contents(&whole[..whole.len() - 3], true).unwrap_err().label(), "corrupt_compression");
    assert_eq!(contents(b"\x92\x01\x80", true).unwrap_err().label(), "corrupt_compression");
    let entries = entries_of(2 << 20);
    assert_eq!(
        contents(&gzip(&entries), true).map(|contents| contents.entries),
        Ok(entries.len() as u32 / 8)
    );
    let more = [&entries[..], b"\x01"].concat();
    assert_eq!(contents(&gzip(&more), true).unwrap_err().label(), "too_large");
}

/// Entries of eight bytes that do not compress by a thousand.
fn entries_of(length: usize) -> Vec<u8> {
    (0..length as u32 / 8)
        .flat_map(|number| {
            let [_, a, b, c] = number.to_be_bytes();
            [0x92, 0xcd, a, b, 0x81, 0xcc, c, 0x01]
        })
        .collect()
}

#[test]
fn a_bomb_is_refused_past_the_ratio_but_for_small_ones() {
    let allowed = INFLATE_ALLOWANCE as usize;
    let bomb = gzip(&vec![0xc0; allowed]);
    assert!(allowed / bomb.len() > 10);
    assert_eq!(contents(&bomb, true).map(|contents| contents.entries), Ok(allowed as u32));
    let limits = ContentLimits { max_inflate_ratio: 10, ..LIMITS };
    for (length, refused) in [(allowed, false), (allowed + 1, true)] {
        let mut checker = ContentsChecker::new(Encoding::Gzip, bomb.len() as u64, &limits);
        let taken = checker.take(&gzip(&vec![0xc0; length]));
        assert_eq!(taken.err().map(|refusal| refusal.label()), refused.then_some("inflate_ratio"));
    }
}

#[test]
fn entries_and_their_nesting_are_allowed_up_to_the_limits() {
    let entry = |length: usize| {
        [b"\x92\x01\x81\xa1a\xc6", &(length as u32 - 10).to_be_bytes()[..], &vec![0; length - 10]].concat()
    };
    let run = |length| [entry(100), entry(length), entry(100)].concat();
    for gzipped in [false, true] {
        let contents = |run: &[u8]| contents(&if gzipped { gzip(run) } else { run.to_vec() }, gzipped);
        assert_eq!(contents(&run(1 << 16)).map(|contents| contents.entries), Ok(3));
        assert_eq!(contents(&run((1 << 16) + 1)).unwrap_err().label(), "entry_too_large");
        let nested = |depth: usize| [b"\x92\x01\x81\x01", &vec![0x91; depth - 1][..], b"\x01"].concat();
        assert_eq!(contents(&nested(10)).map(|contents| contents.bad_entries), Ok(0));
        assert_eq!(contents(&nested(11)).unwrap_err().label(), "too_deep");
    }
}

#[test]
fn entries_that_are_counted_end_behind_the_last_of_them() {
    let run = b"\x92\x01\x80\x92\x02\x81\x01\x02\x92\x03\x80";
    for length in 1..run.len() {
        let mut checker = ContentsChecker::of_entries(2, &LIMITS);
        let mut taken = 0;
        for part in run.chunks(length) {
            taken += checker.take(part).unwrap();
        }
        assert!(checker.is_complete());
        assert_eq!((taken, checker.finish().unwrap().entries), (8, 2), "in parts of {length}");
    }
}

proptest! {
    #[test]
    fn no_bytes_of_a_peer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), head in 0..4usize) {
        let start: &[u8] = [&b""[..], b"\x92\xa1t", b"\x93\xa1t\x91", b"\x93\xa1t\xa3abc"][head];
        let mut framer = Framer::new(1 << 16);
        framer.buffer().extend_from_slice(start);
        framer.buffer().extend_from_slice(&bytes);
        while let Ok(Some(message)) = framer.next_message() {
            if let Ok(message) = Message::decode(&message) {
                let _ = message.contents(&LIMITS);
            }
        }
        let _ = contents(&bytes, head % 2 == 0);
    }
}
