//! Large pieces of plain text, which are written behind the output's back.

use super::faulty::{Fault, Faulty};
use super::world::World;
use crate::metrics::Metrics;
use crate::output::file::{Archive, ArchiveError, ArchiveOptions};
use crate::storage::{Disk, LargeWrites, Storage};

/// Bytes of a line.
const LINE: usize = 700;

/// Lines that make a large piece.
fn large() -> usize {
    LargeWrites::default().from / LINE + 1
}

fn lines(from: usize, count: usize) -> String {
    (from..from + count).map(|number| format!("{number:0width$}\n", width = LINE - 1)).collect()
}

fn add(archive: &mut Archive, world: &World, text: &str) {
    let slot = archive.slot(&world.path("all.log"));
    archive.append(slot, |lines| lines.extend_from_slice(text.as_bytes())).unwrap();
}

fn flush(archive: &mut Archive) -> Result<(), ArchiveError> {
    archive.flush(&mut |_| panic!("no checkpoint is due"))
}

fn read(world: &World) -> String {
    std::fs::read_to_string(world.path("all.log")).unwrap()
}

/// As it is after the output went back to its last checkpoint.
fn cautious(world: &World, storage: impl Storage + 'static, metrics: &Metrics) -> Archive {
    let options = ArchiveOptions { is_cautious: true, ..world.options() };
    Archive::new(std::sync::Arc::new(storage), options, metrics.output("archive", "file"))
}

#[test]
fn pieces_of_all_sizes_come_one_behind_the_other() {
    let metrics = Metrics::new("test", 10);
    let world = World::new(&[], 16);
    let mut archive = world.archive(Disk, &metrics);
    let mut written = String::new();
    for count in [large(), 2 * large() + 3, 1, large(), 1, 1, large() + 100, 3 * large(), 5] {
        let text = lines(written.len() / LINE, count);
        add(&mut archive, &world, &text);
        flush(&mut archive).unwrap();
        written += &text;
    }
    archive.checkpoint(&mut |_| Ok(())).unwrap();
    assert!(read(&world) == written, "the file is not what was written to it");
}

#[test]
fn an_archive_that_is_dropped_has_written_what_was_flushed() {
    let metrics = Metrics::new("test", 10);
    let world = World::new(&[], 16);
    let mut archive = world.archive(Disk, &metrics);
    add(&mut archive, &world, &lines(0, large()));
    flush(&mut archive).unwrap();
    drop(archive);
    assert_eq!(read(&world).len(), large() * LINE);
}

#[test]
fn a_file_that_is_moved_away_has_whole_lines_and_the_next_ones_go_into_a_new_one() {
    let metrics = Metrics::new("test", 10);
    let world = World::new(&[], 16);
    let mut archive = world.archive(Disk, &metrics);
    add(&mut archive, &world, &lines(0, large()));
    flush(&mut archive).unwrap();
    let moved = world.path("moved.log");
    std::fs::rename(world.path("all.log"), &moved).unwrap();
    add(&mut archive, &world, &lines(large(), large()));
    let mut checkpoints = 0;
    let mut save = |_| {
        checkpoints += 1;
        Ok(())
    };
    archive.flush(&mut save).unwrap();
    archive.checkpoint(&mut save).unwrap();
    assert_eq!(checkpoints, 2, "what was moved is saved before anything else is written");
    assert!(std::fs::read_to_string(moved).unwrap() == lines(0, large()));
    assert!(read(&world) == lines(large(), large()));
}

/// The number of the call that writes the blocks of the first piece.
fn call_that_writes_blocks() -> u64 {
    let storage = Faulty::new(Fault::Nothing);
    let world = World::new(&[], 16);
    let mut archive = world.archive(storage.clone(), &Metrics::new("test", 10));
    add(&mut archive, &world, &lines(0, large()));
    flush(&mut archive).unwrap();
    archive.checkpoint(&mut |_| Ok(())).unwrap();
    let state = storage.state();
    state.calls.iter().position(|call| call == "append_blocks ").unwrap() as u64
}

#[test]
fn a_piece_that_fails_is_noticed_by_the_next_checkpoint_and_nothing_is_trusted_any_more() {
    let world = World::new(&[], 16);
    let storage = Faulty::new(Fault::FailAt(call_that_writes_blocks()));
    let mut archive = world.archive(storage, &Metrics::new("test", 10));
    add(&mut archive, &world, &lines(0, large()));
    flush(&mut archive).unwrap();
    let error = archive.checkpoint(&mut |_| panic!("a cursor was saved")).unwrap_err();
    assert!(error.needs_recovery(), "{error}");
    assert!(error.to_string().contains("all.log"), "{error}");
    assert!(flush(&mut archive).unwrap_err().needs_recovery());
}

#[test]
fn after_going_back_lines_stay_in_memory_until_they_are_written_and_pieces_begin_with_a_checkpoint() {
    let metrics = Metrics::new("test", 10);
    let world = World::new(&[], 16);
    std::fs::create_dir_all(world.path("all.log")).unwrap();
    let storage = Faulty::new(Fault::Nothing);
    let mut archive = cautious(&world, storage.clone(), &metrics);
    add(&mut archive, &world, &lines(0, large()));
    let error = flush(&mut archive).unwrap_err();
    assert!(!error.needs_recovery(), "{error}");
    std::fs::remove_dir(world.path("all.log")).unwrap();
    flush(&mut archive).unwrap();
    assert_eq!(read(&world).len(), large() * LINE);
    let blocks = || storage.state().calls.iter().filter(|call| call.starts_with("append_blocks")).count();
    archive.checkpoint(&mut |_| Ok(())).unwrap();
    assert_eq!(blocks(), 0);
    add(&mut archive, &world, &lines(large(), large()));
    flush(&mut archive).unwrap();
    archive.checkpoint(&mut |_| Ok(())).unwrap();
    assert_eq!(blocks(), 1);
    assert!(read(&world) == lines(0, 2 * large()));
}

#[test]
fn pieces_begin_at_their_size() {
    for (less, is_large) in [(1, false), (0, true)] {
        let world = World::new(&[], 16);
        let storage = Faulty::new(Fault::Nothing);
        let mut archive = world.archive(storage.clone(), &Metrics::new("test", 10));
        add(&mut archive, &world, &lines(0, large())[..LargeWrites::default().from - less]);
        flush(&mut archive).unwrap();
        archive.checkpoint(&mut |_| Ok(())).unwrap();
        assert_eq!(storage.state().calls.iter().any(|call| call.starts_with("append_blocks")), is_large);
    }
}

#[test]
fn operators_see_what_is_under_way_and_the_memory_that_is_kept_of_it() {
    let metrics = Metrics::new("test", 10);
    let world = World::new(&[], 16);
    let mut archive = world.archive(Disk, &metrics);
    let shown = metrics.output("archive", "file");
    let shown = || (shown.under_way_bytes.get() as usize, shown.spare_bytes.get() as usize);
    add(&mut archive, &world, &lines(0, large()));
    flush(&mut archive).unwrap();
    let (under_way, spare) = shown();
    assert!(under_way >= large() * LINE, "{under_way}");
    assert_eq!(spare, 0);
    archive.checkpoint(&mut |_| Ok(())).unwrap();
    assert_eq!(shown(), (0, under_way));
}
