//! Whether the simulation finds what it is there to find.

use hikyaku::planted::Bug;
use hikyaku::simulation::{Options, run};

/// Worlds in which a mistake must show.
const SEEDS: u64 = 100;

fn assert_found(bug: Bug) {
    let options = Options { bug: Some(bug), ..Options::default() };
    let is_found = (0..SEEDS).any(|seed| run(seed, &options).is_err());
    assert!(is_found, "{bug:?} was not found within {SEEDS} seeds");
}

#[test]
fn a_missing_sync_of_the_journal_is_found() {
    assert_found(Bug::MissingSync);
}

#[test]
fn an_ack_before_the_sync_is_found() {
    assert_found(Bug::AckBeforeSync);
}

#[test]
fn a_cursor_saved_before_its_files_is_found() {
    assert_found(Bug::CursorBeforeFiles);
}

#[test]
fn a_cursor_saved_before_large_pieces_are_whole_is_found() {
    assert_found(Bug::CursorBeforePieces);
}

#[test]
fn an_unsynced_folder_is_found() {
    assert_found(Bug::UnsyncedFolder);
}

#[test]
fn an_unsynced_undo_log_is_found() {
    assert_found(Bug::UnsyncedUndoLog);
}

#[test]
fn a_large_file_that_is_not_synced_before_its_frame_is_found() {
    assert_found(Bug::UnsyncedLargeFile);
}

#[test]
fn a_large_file_whose_name_is_not_synced_before_its_frame_is_found() {
    assert_found(Bug::UnsyncedLargeName);
}

#[test]
fn an_output_that_goes_on_before_what_it_gave_up_is_durable_is_found() {
    assert_found(Bug::UnsyncedGivenUp);
}

#[test]
fn an_output_that_forgets_over_a_restart_what_it_gave_up_is_found() {
    assert_found(Bug::ForgottenGivenUp);
}

#[test]
fn a_file_output_that_goes_on_before_what_it_gave_up_is_durable_is_found() {
    assert_found(Bug::CheckpointBeforeHandOver);
}

#[test]
fn filters_that_see_only_the_first_piece_of_a_large_chunk_are_found() {
    assert_found(Bug::UnfilteredPieces);
}

#[test]
fn a_file_output_that_gives_up_what_filters_drop_is_found() {
    assert_found(Bug::UnfilteredHandOver);
}

#[test]
fn letting_go_too_early_of_what_was_given_up_is_found() {
    assert_found(Bug::EarlyRelease);
}

#[test]
fn entries_that_are_written_from_a_wrong_place_are_found() {
    assert_found(Bug::ShiftedBlocks);
}

#[test]
fn ids_that_a_restart_forgets_are_found() {
    assert_found(Bug::ForgottenIds);
}

#[test]
fn an_output_that_leaves_its_files_as_they_are_after_a_failed_sync_is_found() {
    assert_found(Bug::NotTakenBack);
}
