use bytes::Bytes;

use super::*;
use crate::journal::commit_buffer::CommitBuffer;
use crate::journal::format::JournalId;
use crate::journal::format::frame::{FRAME_HEADER_LENGTH, FrameKind, NewFrame, seed};
use crate::journal::in_place::padding;

const MIB: usize = 1024 * 1024;

fn frames(length: usize) -> CommittedFrames {
    let mut memory = Vec::with_capacity(length);
    memory.resize(length, 1);
    CommittedFrames { memory, frames: 10..length, in_place: Vec::new() }
}

/// Blocks of a mebibyte each, one behind the other, as many as are given; what was given back for them.
fn push(recent: &mut Recent, numbers: std::ops::Range<u64>) -> usize {
    let start = |number| Position::new(1, 64 + number * (MIB as u64 - 10));
    numbers.map(|number| recent.push(start(number), frames(MIB), 32 * MIB as u64).len()).sum()
}

#[test]
fn the_last_reader_is_the_one_that_nobody_is_behind() {
    let mut recent = Recent::default();
    let [first, second] = [at(3), at(5)].map(|position| recent.add_reader(position));
    assert!(recent.is_last(first, at(3)) && !recent.is_last(second, at(5)));
    recent.note_reader(first, at(5));
    assert!(recent.is_last(first, at(5)) && recent.is_last(second, at(5)));
    recent.note_reader(first, at(6));
    recent.remove_reader(second);
    assert!(recent.is_last(first, at(6)));
}

fn at(number: u64) -> Position {
    Position::new(1, 64 + number * (MIB as u64 - 10) + 5)
}

#[test]
fn what_no_reader_is_before_goes_beyond_what_is_always_kept() {
    let mut recent = Recent::default();
    assert_eq!(push(&mut recent, 0..2), 0);
    assert_eq!(push(&mut recent, 2..20), 18);
    assert!(recent.find(at(17)).is_none());
    assert!((18..20).all(|number| recent.find(at(number)).is_some_and(|block| block.covers(at(number)))));
    assert!(recent.find(at(20)).is_none());
}

#[test]
fn what_a_reader_is_in_stays_with_all_behind_it_up_to_the_limit() {
    let mut recent = Recent::default();
    let reader = recent.add_reader(at(0));
    assert_eq!(push(&mut recent, 0..32), 0);
    assert!(recent.find(at(0)).is_some());
    assert_eq!(push(&mut recent, 32..33), 1);
    assert!(recent.find(at(0)).is_none());
    recent.remove_reader(reader);
    push(&mut recent, 33..40);
    assert_eq!(recent.size, ALWAYS_KEPT);
}

#[test]
fn whoever_is_a_segment_behind_keeps_nothing_in_memory() {
    let mut recent = Recent::default();
    recent.add_reader(Position::new(1, 64));
    let start = |segment, number| Position::new(segment, 64 + number * (MIB as u64 - 10));
    let mut push = |segment, numbers: std::ops::Range<u64>| {
        numbers.for_each(|number| drop(recent.push(start(segment, number), frames(MIB), 32 * MIB as u64)));
        recent.size / MIB as u64
    };
    assert_eq!(push(2, 0..20), 20);
    assert_eq!(push(3, 0..31), 32, "the oldest are of the segment behind the reader's");
    assert_eq!(push(3, 31..32), 2);
}

#[test]
fn what_a_reader_holds_on_to_is_not_used_again() {
    let mut recent = Recent::default();
    push(&mut recent, 0..2);
    let held = recent.find(at(0)).map(|block| block.memory.clone());
    assert_eq!(push(&mut recent, 2..20), 0);
    drop(held);
    assert_eq!(push(&mut recent, 20..21), 19, "all but what is always kept");
}

#[test]
fn entries_in_place_are_found_behind_the_head_of_their_frame_and_count_with_all_their_memory() {
    const JOURNAL: JournalId = [7; 16];
    let mut buffer = CommitBuffer::new(&[1; 64]);
    let mut offsets = Vec::new();
    for start in [1, 4096, 100] {
        for in_place in [false, true] {
            let message = Bytes::from(vec![7; 24_576]);
            let entries = message.slice(start..start + 8192 + start);
            let offset = 64 + buffer.len() as u64;
            let padding = padding(offset + FRAME_HEADER_LENGTH, &entries);
            let seed = seed(&JOURNAL, 1, offset);
            let frame = NewFrame { kind: FrameKind::Chunk, synced_mark: 64, seed };
            let head = |out: &mut Vec<u8>| out.resize(out.len() + padding, 3);
            let out = buffer.room_for(FRAME_HEADER_LENGTH as usize + padding + entries.len() + 8, 0);
            if in_place {
                buffer.push_in_place(&entries, 2 * MIB, |out| frame.write_head(out, head, &entries));
            } else {
                frame.write(out, |_| {}, &entries);
            }
            offsets.push((offset, entries.clone(), in_place.then_some(padding)));
        }
    }
    let end = 64 + buffer.len() as u64;
    let mut recent = Recent::default();
    recent.push(Position::new(1, 64), buffer.take(), 32 * MIB as u64);
    assert!((6 * MIB as u64..7 * MIB as u64).contains(&recent.size));
    let ends = offsets.iter().skip(1).map(|(offset, ..)| *offset).chain([end]);
    for ((offset, entries, padding), end) in offsets.iter().zip(ends) {
        let block = recent.find(Position::new(1, *offset)).unwrap();
        let frame = block.frame_at(&JOURNAL, *offset).unwrap();
        assert_eq!(frame.next, end);
        match padding {
            Some(padding) => {
                assert_eq!(frame.payload.len(), *padding);
                assert_eq!(frame.entries.as_ref().map(|entries| entries.as_ptr()), Some(entries.as_ptr()));
            }
            None => assert_eq!((frame.payload, frame.entries), (entries.clone(), None)),
        }
        assert!(block.frame_at(&JOURNAL, offset + 8).is_none());
    }
    assert!(recent.find(Position::new(1, end)).is_none());
    let held = recent.find(at(0)).map(|block| block.in_place[2].entries.slice(5..6));
    drop(offsets);
    recent.push(Position::new(1, end), frames(MIB), 32 * MIB as u64);
    assert_eq!(recent.blocks.len(), 2, "somebody has a part of it");
    drop(held);
    recent.push(Position::new(1, end + MIB as u64), frames(MIB), 32 * MIB as u64);
    assert_eq!(recent.blocks.len(), 2);
}

#[test]
fn the_straggler_is_furthest_behind_of_those_in_memory() {
    let mut recent = Recent::default();
    let [behind, ahead, elsewhere] =
        [at(3), at(6), Position::new(1, 64)].map(|position| recent.add_reader(position));
    push(&mut recent, 1..8);
    let straggler = |recent: &Recent, mebibytes: u64| {
        recent.straggler(mebibytes * MIB as u64).map(|straggler| straggler.reader)
    };
    assert_eq!([4, 5].map(|limit| straggler(&recent, limit)), [Some(behind), None]);
    recent.note_reader(behind, at(7));
    assert_eq!([1, 2].map(|limit| straggler(&recent, limit)), [Some(ahead), None]);
    recent.note_reader(elsewhere, at(1));
    assert_eq!(straggler(&recent, 6), Some(elsewhere));
}

#[test]
fn a_few_frames_in_much_memory_are_copied_out_of_it() {
    let mut recent = Recent::default();
    let mut little = frames(MIB);
    little.frames = MIB - 100..MIB;
    let unused = recent.push(Position::new(1, 64), little, 32 * MIB as u64);
    assert_eq!(unused.iter().map(Vec::capacity).collect::<Vec<_>>(), [MIB]);
    assert_eq!(recent.size, 100);
    assert!(recent.find(Position::new(1, 163)).is_some_and(|block| block.memory.len() == 100));
    assert!(recent.find(Position::new(1, 164)).is_none());
}
