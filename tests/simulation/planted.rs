//! Whether the simulation finds what it is there to find.

use hikyaku::planted::Bug;
use hikyaku::simulation::{Options, run};

/// Worlds in which a mistake must show.
const SEEDS: u64 = 100;

/// The same where two things have to go wrong one after the other, each at the right time.
const SEEDS_FOR_TWO_FAULTS: u64 = 400;

fn assert_found(bug: Bug, seeds: u64) {
    let options = Options { bug: Some(bug), ..Options::default() };
    let is_found = (0..seeds).any(|seed| run(seed, &options).is_err());
    assert!(is_found, "{bug:?} was not found within {seeds} seeds");
}

#[test]
fn a_missing_sync_of_the_journal_is_found() {
    assert_found(Bug::MissingSync, SEEDS);
}

#[test]
fn an_ack_before_the_sync_is_found() {
    assert_found(Bug::AckBeforeSync, SEEDS);
}

#[test]
fn a_cursor_saved_before_its_files_is_found() {
    assert_found(Bug::CursorBeforeFiles, SEEDS);
}

#[test]
fn an_unsynced_folder_is_found() {
    assert_found(Bug::UnsyncedFolder, SEEDS);
}

#[test]
fn an_unsynced_undo_log_is_found() {
    assert_found(Bug::UnsyncedUndoLog, SEEDS);
}

#[test]
fn pages_that_a_failed_sync_lost_and_nobody_writes_again_are_found() {
    assert_found(Bug::NotWrittenAgain, SEEDS_FOR_TWO_FAULTS);
}

#[test]
fn ids_that_a_restart_forgets_are_found() {
    assert_found(Bug::ForgottenIds, SEEDS);
}
