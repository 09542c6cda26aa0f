//! Syncs that fail, of files, of folders, and for want of space: the output goes back to its last checkpoint and on from
//! there by itself, whatever fails or dies meanwhile.

use std::path::Path;
use std::time::Duration;

use super::replay::{CHUNKS, Life, counts};
use crate::journal::writer::Moment;
use crate::output::file::Next;
use crate::storage::simulated::{Faults, Loss, Simulated, Space};

/// What keeps a checkpoint from holding.
type Trouble = fn(&Simulated);

const TROUBLES: [(&str, Trouble); 3] = [
    ("a disk that is full at the sync", |disk| disk.set_space(Space::FullAtSync)),
    ("a disk that can't sync", |disk| disk.set_faults(Faults { failed_syncs: 1, ..Faults::default() })),
    ("folders that can't be synced", |disk| {
        disk.set_faults(Faults { failed_folder_syncs: 1, ..Faults::default() });
    }),
];

fn end_of_trouble(disk: &Simulated) {
    disk.set_space(Space::Enough);
    disk.set_faults(Faults::default());
}

/// Two chunks in their files, saved, and the others received.
fn prepared(seed: u64) -> (Simulated, Life) {
    let disk = Simulated::new(seed);
    disk.add_folder(Path::new("/logs"));
    let mut life = Life::start(&disk).unwrap();
    (0..2).for_each(|number| life.receive(number));
    deliver(&mut life).unwrap();
    (2..CHUNKS).for_each(|number| life.receive(number));
    (disk, life)
}

/// Delivers what is there, with a checkpoint after each chunk.
fn deliver(life: &mut Life) -> Result<(), String> {
    loop {
        match life.output.advance(Moment::now().monotonic, true) {
            Ok(Next::GoOn) => {}
            Ok(Next::CaughtUp) => return Ok(()),
            Err(error) => {
                life.output.make_room_after(&error);
                return Err(error.to_string());
            }
        }
    }
}

#[test]
fn after_a_sync_that_failed_the_output_goes_on_by_itself_and_each_line_is_there_once() {
    for (what, begin) in TROUBLES {
        let (disk, mut life) = prepared(1);
        let held_up = life.output.held_up();
        assert_eq!(*held_up.borrow(), None);
        begin(&disk);
        for attempt in 0..5 {
            let error = deliver(&mut life).expect_err(what);
            // A file that can't even be made is no reason to go back.
            if let Some(reason) = &*held_up.borrow() {
                assert_eq!(*reason, format!("the output archive is held up: {error}"));
            } else {
                assert!(attempt < 4 && error.contains("cannot write the undo log"), "{what}: {error}");
            }
        }
        end_of_trouble(&disk);
        deliver(&mut life).expect(what);
        assert_eq!(*held_up.borrow(), None, "{what}");
        assert_eq!(counts(&disk), [1; CHUNKS], "{what}");
        // What a failed sync left in the page cache alone would be gone.
        drop(life);
        disk.restart(Some(Loss::Everything));
        deliver(&mut Life::start(&disk).unwrap()).expect(what);
        assert_eq!(counts(&disk), [1; CHUNKS], "{what}, and then a power failure");
    }
}

#[test]
fn a_crash_in_any_call_of_going_back_leaves_each_line_once() {
    for (what, begin) in &TROUBLES[1..] {
        let fail_and_go_on = |disk: &Simulated, life: &mut Life, dies_after: Option<u64>| {
            (*begin)(disk);
            deliver(life).expect_err(what);
            end_of_trouble(disk);
            let before = disk.calls();
            disk.die_after(dies_after);
            let delivered = deliver(life);
            (disk.calls() - before, delivered.is_ok())
        };
        let (calm, mut life) = prepared(1);
        let (calls, is_delivered) = fail_and_go_on(&calm, &mut life, None);
        assert!(is_delivered && calls > 30, "{what}: {calls} calls");
        for call in 1..=calls {
            let loss = [None, Some(Loss::Some), Some(Loss::Everything)][call as usize % 3];
            let (disk, mut life) = prepared(call);
            fail_and_go_on(&disk, &mut life, Some(call));
            drop(life);
            disk.restart(loss);
            deliver(&mut Life::start(&disk).unwrap()).expect(what);
            assert_eq!(counts(&disk), [1; CHUNKS], "{what}, a crash in call {call} and {loss:?}");
        }
    }
}

#[test]
fn a_start_on_a_full_disk_comes_up_and_recovers_when_there_is_space() {
    let (disk, mut life) = prepared(1);
    // Lines that are in their files and in no checkpoint.
    let mut now = Moment::now().monotonic;
    while life.output.advance(now, false).unwrap() == Next::GoOn {}
    now += Duration::from_secs(11);
    life.output.advance(now, false).unwrap();
    assert_eq!(counts(&disk), [1; CHUNKS]);
    drop(life);
    disk.restart(None);

    disk.set_space(Space::FullAtSync);
    // Only where a name that nobody synced yet can't be, it is tried again.
    let mut life = std::iter::repeat_with(|| Life::start(&disk)).take(10).find_map(Result::ok).unwrap();
    let held_up = life.output.held_up();
    for _ in 0..3 {
        let reason = held_up.borrow().clone().unwrap();
        assert!(reason.contains("cannot keep what is cut off the archive file"), "{reason}");
        deliver(&mut life).unwrap_err();
    }
    disk.set_space(Space::Enough);
    deliver(&mut life).unwrap();
    assert_eq!(*held_up.borrow(), None);
    assert_eq!(counts(&disk), [1; CHUNKS]);
}

#[test]
fn an_output_with_nothing_more_to_deliver_is_not_held_up_for_ever() {
    let (disk, mut life) = prepared(1);
    deliver(&mut life).unwrap();
    drop(life);
    // A recovery is due, and there is nothing behind the cursor.
    let mut life = Life::start(&disk).unwrap();
    life.receive(0);
    disk.set_faults(Faults { failed_folder_syncs: 1, ..Faults::default() });
    deliver(&mut life).unwrap_err();
    assert!(life.output.held_up().borrow().is_some());
    end_of_trouble(&disk);
    deliver(&mut life).unwrap();
    assert_eq!(*life.output.held_up().borrow(), None);
}
