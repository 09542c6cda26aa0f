//! Calls that fail while the process goes on.

use std::io;

use super::crash::{MEDDLED, QUIET, calls};
use super::faulty::{Fault, Faulty};
use super::world::{OLD, Step, World};
use crate::metrics::Metrics;
use crate::output::file::{Archive, ArchiveError, SaveCursorError};
use crate::storage::Disk;

/// Tries again after errors that allow it, and recovers after those that do not.
fn go_on_until_done(world: &World, storage: &Faulty) {
    if let Err(error) = world.run(storage, 2) {
        assert!(error.needs_recovery(), "{error}");
        world.recover(storage).or_else(|_| world.recover(storage)).unwrap();
        world.run(storage, 0).unwrap();
    }
}

fn fail_every_call(script: &[Step], max_open_files: usize, fault: fn(u64) -> Fault) {
    for call in 0..calls(script, max_open_files) {
        let world = World::new(script, max_open_files);
        let storage = Faulty::new(fault(call));
        go_on_until_done(&world, &storage);
        let at = storage.state().calls[call as usize].clone();
        world.check(&format!("after call {call} ({at}) failed"));
    }
}

#[test]
fn any_call_that_fails_once_leaves_each_line_once() {
    fail_every_call(QUIET, 16, Fault::FailAt);
}

#[test]
fn any_two_calls_that_fail_one_after_the_other_leave_each_line_once() {
    fail_every_call(QUIET, 16, Fault::FailTwiceAt);
}

#[test]
fn any_call_that_fails_once_while_others_change_files_leaves_each_line_once() {
    fail_every_call(MEDDLED, 2, Fault::FailAt);
}

#[test]
fn a_crash_soon_after_a_call_that_failed_leaves_each_line_once() {
    for call in 0..calls(QUIET, 16) {
        for later in [3 + call % 5, 12 + call % 17] {
            let world = World::new(QUIET, 16);
            let storage = Faulty::new(Fault::FailAtThenCrashAt(call, call + later));
            drop(world.run(&storage, 1));
            world.recover(&Faulty::new(Fault::Nothing)).unwrap();
            world.run(&Faulty::new(Fault::Nothing), 0).unwrap();
            world.check(&format!("after call {call} failed and a crash {later} calls later"));
        }
    }
}

#[test]
fn writes_that_come_to_an_end_after_one_byte_go_on() {
    let world = World::new(QUIET, 16);
    world.run(&Faulty::new(Fault::ShortFrom(0)), 0).unwrap();
    world.check("with writes of one byte");
}

#[test]
fn only_failures_of_syncs_and_uncertain_cursors_need_recovery() {
    for call in 0..calls(QUIET, 1) {
        let world = World::new(QUIET, 1);
        let storage = Faulty::new(Fault::FailAt(call));
        let result = world.run(&storage, 1);
        let at = storage.state().calls[call as usize].clone();
        let is_final = at.starts_with("sync") || at == "replaced cursor";
        assert_eq!(result.is_err(), is_final, "call {call} ({at}): {result:?}");
    }
}

fn archive(world: &World, metrics: &Metrics) -> Archive {
    world.archive(Disk, metrics)
}

fn add(archive: &mut Archive, world: &World, name: &str) {
    let slot = archive.slot(&world.path(name));
    archive.append(slot, |lines| lines.extend_from_slice(b"line 1\n")).unwrap();
}

#[test]
fn one_file_that_fails_holds_nobody_up_and_is_named() {
    let metrics = Metrics::new("test", 10);
    let world = World::new(&[], 16);
    let mut archive = archive(&world, &metrics);
    // A file where a folder must be, and a folder where a file must be.
    std::fs::write(world.path("blocked"), "in the way").unwrap();
    std::fs::create_dir(world.path("folder.log")).unwrap();
    for name in ["blocked/1.log.gz", "folder.log", "free.log", OLD] {
        add(&mut archive, &world, name);
    }
    let mut save = |_| panic!("there is nothing to save");
    let error = archive.flush(&mut save).unwrap_err();
    assert!(matches!(&error, ArchiveError::File { files: 2, .. }), "{error}");
    assert!(error.to_string().contains("folder.log (2 files in all)"), "{error}");
    assert_eq!(std::fs::read_to_string(world.path("free.log")).unwrap(), "line 1\n");

    let error = archive.checkpoint(&mut |_| panic!("the files are at no position")).unwrap_err();
    assert!(matches!(error, ArchiveError::Unfinished), "{error}");

    std::fs::remove_file(world.path("blocked")).unwrap();
    std::fs::remove_dir(world.path("folder.log")).unwrap();
    archive.flush(&mut save).unwrap();
    assert_eq!(archive.buffered_bytes(), 0);
    assert_eq!(std::fs::read_to_string(world.path("free.log")).unwrap(), "line 1\n");
    assert_eq!(std::fs::read_to_string(world.path("folder.log")).unwrap(), "line 1\n");
    archive.checkpoint(&mut |_| Ok(())).unwrap();
}

/// A flush into two files, the second of which fails in the middle of its write and can't be cut back.
fn leave_a_torn_end(world: &World, metrics: &Metrics, fault: Fault) -> (Archive, Faulty) {
    let storage = Faulty::new(fault);
    let mut archive = world.archive(storage.clone(), metrics);
    for name in ["torn.log.gz", "changed.log"] {
        add(&mut archive, world, name);
    }
    archive.flush(&mut |_| Ok(())).unwrap();
    add(&mut archive, world, "torn.log.gz");
    drop(archive.flush(&mut |_| Ok(())));
    (archive, storage)
}

#[test]
fn a_checkpoint_never_covers_what_a_failed_write_left() {
    let metrics = Metrics::new("test", 10);
    let (_, calm) = leave_a_torn_end(&World::new(&[], 16), &metrics, Fault::Nothing);
    let last_write = calm.state().calls.iter().rposition(|call| call.starts_with("append")).unwrap();

    let world = World::new(&[], 16);
    let whole = || std::fs::metadata(world.path("torn.log.gz")).unwrap().len();
    let (mut archive, _) = leave_a_torn_end(&world, &metrics, Fault::FailTwiceAt(last_write as u64));
    let torn = whole();
    // A file that somebody else extends makes the next flush begin with a checkpoint.
    let mut changed = std::fs::File::options().append(true).open(world.path("changed.log")).unwrap();
    io::Write::write_all(&mut changed, b"theirs\n").unwrap();
    add(&mut archive, &world, "changed.log");
    let mut length = 0;
    let mut save = |_| {
        length = whole();
        Ok(())
    };
    archive.flush(&mut save).unwrap();
    assert!(0 < length && length < torn, "{length} of {torn}");
    assert_eq!(whole(), 2 * length);
}

#[test]
fn without_an_undo_log_nothing_is_written_until_there_can_be_one() {
    let world = World::new(&[], 16);
    let metrics = Metrics::new("test", 10);
    let mut archive = archive(&world, &metrics);
    add(&mut archive, &world, "a.log");
    let folder = world.root().join("outputs/archive");
    std::fs::remove_dir(&folder).unwrap();
    let error = archive.flush(&mut |_| Ok(())).unwrap_err();
    assert!(matches!(error, ArchiveError::UndoLog { .. }), "{error}");
    assert!(!world.path("a.log").exists());
    std::fs::create_dir(&folder).unwrap();
    archive.flush(&mut |_| Ok(())).unwrap();
    assert_eq!(std::fs::read_to_string(world.path("a.log")).unwrap(), "line 1\n");
}

#[test]
fn a_cursor_that_was_not_replaced_for_certain_can_be_saved_again() {
    let world = World::new(&[], 16);
    let metrics = Metrics::new("test", 10);
    let mut archive = archive(&world, &metrics);
    let full = || io::Error::from(io::ErrorKind::StorageFull);
    let error = archive.checkpoint(&mut |_| Err(SaveCursorError::Unchanged(full()))).unwrap_err();
    assert!(!error.needs_recovery(), "{error}");
    archive.checkpoint(&mut |_| Ok(())).unwrap();
    assert_eq!(archive.generation(), 1);
    let error = archive.checkpoint(&mut |_| Err(SaveCursorError::Uncertain(full()))).unwrap_err();
    assert!(error.needs_recovery(), "{error}");
    // From now on nothing is trusted.
    let error = archive.checkpoint(&mut |_| Ok(())).unwrap_err();
    assert!(error.needs_recovery(), "{error}");
    add(&mut archive, &world, "a.log");
    assert!(archive.flush(&mut |_| Ok(())).unwrap_err().needs_recovery());
    assert!(!world.path("a.log").exists());
}
