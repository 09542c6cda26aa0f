use super::super::in_place::padding;
use super::*;

fn push(buffer: &mut CommitBuffer, bytes: &[u8]) {
    buffer.room_for(bytes.len(), 0).extend_from_slice(bytes);
}

/// What would be written, and whether it lies where it must.
fn blocks(buffer: &mut CommitBuffer) -> Vec<u8> {
    buffer.with_blocks(|parts| {
        for part in &*parts {
            assert_eq!((part.as_ptr().align_offset(BLOCK), part.len() % BLOCK), (0, 0));
        }
        concat(parts)
    })
}

fn concat(parts: &[IoSlice<'_>]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.iter().copied()).collect()
}

fn frames(buffer: &CommitBuffer) -> Vec<u8> {
    buffer.with_frames(|parts| concat(parts))
}

#[test]
fn frames_are_written_in_whole_blocks_with_what_the_file_has_before_them() {
    for (before, frames) in [(0, 1), (64, 4032), (64, 4033), (4095, 1), (100, 200_000)] {
        let mut buffer = CommitBuffer::new(&vec![1; before]);
        push(&mut buffer, &vec![2; frames]);
        let blocks = blocks(&mut buffer);
        assert!(blocks.len() - before - frames < BLOCK);
        let expected = [vec![1; before], vec![2; frames], vec![0; blocks.len() - before - frames]].concat();
        assert!(blocks == expected, "{before} {frames}");
        assert!(super::tests::frames(&buffer).iter().all(|byte| *byte == 2));
        assert_eq!(buffer.len(), frames);
    }
}

#[test]
fn the_next_commit_has_the_last_block_of_this_one_before_it() {
    let mut buffer = CommitBuffer::new(&[1; 64]);
    push(&mut buffer, &[2; 2 * BLOCK]);
    let taken = buffer.take();
    assert!(taken.memory[taken.frames] == [2; 2 * BLOCK]);
    push(&mut buffer, &[3; 10]);
    assert_eq!(blocks(&mut buffer)[..80], [&[2; 64][..], &[3; 10], &[0; 6]].concat());
    buffer.take();
    push(&mut buffer, &[4; 10]);
    assert_eq!(blocks(&mut buffer)[..90], [&[2; 64][..], &[3; 10], &[4; 10], &[0; 6]].concat());
}

#[test]
fn entries_stay_where_they_are_but_for_what_shares_its_block() {
    let message = Bytes::from((0..10 * BLOCK).map(|number| (number % 251) as u8).collect::<Vec<_>>());
    for (start, length) in [(0, 2 * BLOCK), (1, 2 * BLOCK), (4095, 2 * BLOCK + 1), (77, 5 * BLOCK + 4019)] {
        let mut buffer = CommitBuffer::new(&[1; 64]);
        push(&mut buffer, &[2; 1000]);
        let entries = message.slice(start..start + length);
        let padding = padding((64 + 1000 + 24) as u64, &entries);
        buffer.room_for(24 + padding + 2 * BLOCK, 0);
        buffer.push_in_place(&entries, 0, |out| out.resize(out.len() + 24 + padding, 3));
        push(&mut buffer, &[4; 8]);

        let frame = [vec![3; 24 + padding], entries.to_vec()].concat();
        let zeros = vec![0; frame.len().next_multiple_of(8) - frame.len()];
        let expected = [vec![2; 1000], frame, zeros, vec![4; 8]].concat();
        assert_eq!(buffer.len(), expected.len());
        assert!(frames(&buffer) == expected, "{start} {length}");
        let blocks = blocks(&mut buffer);
        assert!(blocks[64..64 + expected.len()] == expected);
        let [in_place] = &buffer.take().in_place[..] else { panic!("one is in place") };
        assert_eq!((in_place.frame, in_place.head_end), (1000, 1024 + padding));
        assert_eq!(in_place.entries, entries);
        assert!(length - in_place.blocks.len() < 2 * BLOCK);
        push(&mut buffer, &[5; 1]);
        let before = (64 + expected.len()) % BLOCK;
        assert!(
            super::tests::blocks(&mut buffer)[..before]
                == blocks[64 + expected.len() - before..64 + expected.len()]
        );
    }
}

#[test]
fn memory_is_used_again_whatever_was_in_it() {
    let mut buffer = CommitBuffer::new(&[1; 64]);
    push(&mut buffer, &[2; 100_000]);
    let taken = buffer.take();
    let (address, capacity) = (taken.memory.as_ptr(), taken.memory.capacity());
    buffer.reuse(taken.memory);
    push(&mut buffer, &[3; 100_000]);
    let (before, frames) = ((64 + 100_000) % BLOCK, 100_000);
    assert_eq!(blocks(&mut buffer)[..before + frames], [vec![2; before], vec![3; frames]].concat());
    let again = buffer.take().memory;
    assert_eq!((again.as_ptr(), again.capacity()), (address, capacity));
}

#[test]
fn memory_is_taken_for_all_that_is_expected_and_of_what_is_kept_the_smallest_that_will_do() {
    let mut buffer = CommitBuffer::new(&[]);
    assert!(buffer.room_for(1, 1_000_000).capacity() > 1_000_000);
    let mut buffer = CommitBuffer::new(&[]);
    for size in [5, 3, 2, 4, 1].map(|number| number * STEP) {
        buffer.reuse(Vec::with_capacity(size));
    }
    assert_eq!(buffer.spares.iter().map(Vec::capacity).collect::<Vec<_>>(), [2, 3, 4, 5].map(|n| n * STEP));
    assert_eq!(buffer.room_for(1, 2 * STEP).capacity(), 3 * STEP);
    assert_eq!(buffer.room_for(4 * STEP, 100 * STEP).capacity(), 5 * STEP, "enough for what there is");
    assert_eq!(buffer.into_spares().len(), 3, "what was left is kept");
}

#[test]
fn memory_beyond_a_limit_is_given_back_but_for_the_largest_piece() {
    let mut buffer = CommitBuffer::new(&[]);
    (1..4).for_each(|number| buffer.reuse(Vec::with_capacity(number * STEP)));
    let spares = |buffer: &CommitBuffer| buffer.spares.iter().map(Vec::capacity).collect::<Vec<_>>();
    buffer.shrink_to(6 * STEP);
    assert_eq!(spares(&buffer), [STEP, 2 * STEP, 3 * STEP]);
    buffer.shrink_to(6 * STEP - 1);
    assert_eq!(spares(&buffer), [2 * STEP, 3 * STEP]);
    buffer.shrink_to(0);
    assert_eq!(spares(&buffer), [3 * STEP]);
}

#[test]
fn what_is_cut_off_is_not_written() {
    let mut buffer = CommitBuffer::new(&[]);
    push(&mut buffer, &[1; 10]);
    push(&mut buffer, &[2; BLOCK]);
    buffer.truncate(10);
    assert_eq!(blocks(&mut buffer), [&[1; 10][..], &[0; BLOCK - 10]].concat());
}
