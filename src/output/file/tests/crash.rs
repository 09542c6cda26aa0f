//! A crash before every single system call of a run, and before every one of the recoveries that follow.

use super::faulty::{Fault, Faulty};
use super::world::{Meddling, OLD, Step, World};

use Meddling::{Cut, Extend, Move, Remove};
use Step::{Checkpoint, Flush, Line, Meddle};

/// Several flushes and checkpoints over files that are old and new, plain and gzip.
pub(super) const QUIET: &[Step] = &[
    Line(OLD),
    Line("a/b/new.log.gz"),
    Line("a/new.log"),
    Flush,
    Line("a/b/new.log.gz"),
    Line(OLD),
    Line("a/b/new.log.gz"),
    Flush,
    Checkpoint,
    Line(OLD),
    Line("a/b/new.log.gz"),
    Line("c/later.log.gz"),
    Line("c/later.log"),
    Flush,
    Line("a/new.log"),
    Flush,
    Line("c/later.log.gz"),
    Flush,
    Checkpoint,
    Checkpoint,
    Line("a/b/new.log.gz"),
    Line("a/new.log"),
    Line("last.log.gz"),
    Flush,
    Checkpoint,
];

/// The same with somebody else's hands in it, both right after a checkpoint and with unsaved lines in the files.
pub(super) const MEDDLED: &[Step] = &[
    Line(OLD),
    Line("moved.log.gz"),
    Line("removed.log"),
    Line("cut.log"),
    Line("extended.log"),
    Line("mine.log.gz"),
    Flush,
    Checkpoint,
    Line("moved.log.gz"),
    Line("removed.log"),
    Line("cut.log"),
    Line("extended.log"),
    Line("mine.log.gz"),
    Flush,
    Meddle("moved.log.gz", Move),
    Line("moved.log.gz"),
    Line("mine.log.gz"),
    Flush,
    Meddle("cut.log", Cut),
    Meddle("extended.log", Extend),
    Line("extended.log"),
    Line("cut.log"),
    Line("mine.log.gz"),
    Flush,
    Line("removed.log"),
    Flush,
    Meddle("removed.log", Remove),
    Line("removed.log"),
    Line("mine.log.gz"),
    Line(OLD),
    Flush,
    Checkpoint,
];

/// How many calls a run has that nothing goes wrong in.
pub(super) fn calls(script: &[Step], max_open_files: usize) -> u64 {
    let world = World::new(script, max_open_files);
    let storage = Faulty::new(Fault::Nothing);
    world.run(&storage, 0).unwrap();
    world.check("without a crash");
    let calls = storage.state().calls.len() as u64;
    assert!(calls > 100, "{calls}");
    calls
}

fn crash_before_every_call(script: &[Step], max_open_files: usize) {
    for call in 0..calls(script, max_open_files) {
        let world = World::new(script, max_open_files);
        let storage = Faulty::new(Fault::CrashAt(call));
        // A dead process may also have come to its end: what is tidied up last may fail.
        drop(world.run(&storage, 0));
        let at = storage.state().calls[call as usize].clone();
        world.recover(&Faulty::new(Fault::Nothing)).unwrap();
        world.run(&Faulty::new(Fault::Nothing), 0).unwrap();
        world.check(&format!("after a crash before call {call} ({at})"));
    }
}

#[test]
fn a_crash_before_any_call_leaves_each_line_once() {
    crash_before_every_call(QUIET, 16);
}

#[test]
fn a_crash_before_any_call_leaves_each_line_once_with_one_file_open_at_a_time() {
    crash_before_every_call(QUIET, 1);
}

#[test]
fn a_crash_before_any_call_leaves_each_line_once_while_others_change_files() {
    crash_before_every_call(MEDDLED, 16);
}

#[test]
fn a_crash_before_any_call_leaves_each_line_once_while_others_change_files_that_are_closed() {
    crash_before_every_call(MEDDLED, 1);
}

#[test]
fn a_recovery_that_crashes_before_any_call_is_finished_by_the_next() {
    let script = QUIET;
    for call in (0..calls(script, 16)).step_by(5) {
        let world = World::new(script, 16);
        drop(world.run(&Faulty::new(Fault::CrashAt(call)), 0));
        // Each recovery gets one call further than the one before it.
        let crashes =
            (0..).find(|crash| world.recover(&Faulty::new(Fault::CrashAt(*crash))).is_ok()).unwrap();
        world.recover(&Faulty::new(Fault::Nothing)).unwrap();
        world.run(&Faulty::new(Fault::Nothing), 0).unwrap();
        world.check(&format!("after a crash before call {call} and {crashes} crashes of the recovery"));
    }
}

#[test]
fn crash_upon_crash_leaves_each_line_once() {
    for stride in [7, 23, 41] {
        let world = World::new(QUIET, 16);
        let crashes = (1..).take_while(|crash| {
            let died = world.run(&Faulty::new(Fault::CrashAt(crash * stride)), 0).is_err();
            world.recover(&Faulty::new(Fault::Nothing)).unwrap();
            died
        });
        let crashes = crashes.count();
        assert!(crashes > 0);
        world.check(&format!("after {crashes} crashes, each {stride} calls further than the one before"));
    }
}

#[test]
fn without_a_crash_lines_of_a_file_that_was_moved_are_not_written_again() {
    let world = World::new(MEDDLED, 16);
    world.run(&Faulty::new(Fault::Nothing), 0).unwrap();
    world.check("without a crash");
    assert_eq!(world.count_doubles("moved.log.gz"), 0);
}
