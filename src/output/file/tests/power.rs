//! Power failures, which take what was not synced. A `kill` can't notice a missing sync; these do.

use std::path::Path;

use super::crash::{QUIET, calls};
use super::faulty::{Fault, Faulty, key};
use super::world::World;
use crate::storage::{Disk, Open, Storage};

/// What a power failure takes of what was not synced. The kernel may have written any of it already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// All bytes and all names; what was cut off or removed is back.
    Everything,
    /// Half of the bytes of each file.
    HalfOfTheBytes,
    /// Names only.
    Names,
}

fn fail_power(world: &World, storage: &Faulty, loss: Loss) {
    let state = storage.state();
    if loss != Loss::HalfOfTheBytes {
        for name in &state.fleeting_names {
            if name.is_dir() {
                std::fs::remove_dir_all(name).unwrap();
            } else if name.exists() {
                std::fs::remove_file(name).unwrap();
            }
        }
        for (name, grave) in &state.fleeting_removals {
            if name.parent().is_some_and(Path::exists) {
                std::fs::rename(grave, name).unwrap();
            }
        }
    }
    std::fs::remove_dir_all(world.graveyard()).unwrap();
    if loss != Loss::Names {
        lose_bytes(world.root(), &state, loss);
    }
}

fn lose_bytes(folder: &Path, state: &super::faulty::State, loss: Loss) {
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            lose_bytes(&path, state, loss);
            continue;
        }
        let file = Disk.open(&path, Open::Appending).unwrap();
        let stat = file.stat().unwrap();
        let Some(durable) = state.durable_length.get(&key(&stat)) else { continue };
        let kept = if loss == Loss::Everything { 0 } else { stat.length.saturating_sub(*durable) / 2 };
        if stat.length > durable + kept {
            file.set_len(durable + kept).unwrap();
        }
        if let Some(end) = state.fleeting_cuts.get(&key(&stat)).filter(|_| loss == Loss::Everything) {
            file.append(end).unwrap();
        }
    }
}

fn fail_power_before_every_call(loss: Loss, max_open_files: usize) {
    for call in 0..calls(QUIET, max_open_files) {
        let world = World::new(QUIET, max_open_files);
        let storage = Faulty::with_graveyard(Fault::CrashAt(call), world.graveyard());
        drop(world.run(&storage, 0));
        let at = storage.state().calls[call as usize].clone();
        fail_power(&world, &storage, loss);
        // The power fails once more in the middle of the recovery, or right behind it.
        let fault = if call % 3 == 0 { Fault::Nothing } else { Fault::CrashAt(call % 29) };
        let recovery = Faulty::with_graveyard(fault, world.graveyard());
        drop(world.recover(&recovery));
        fail_power(&world, &recovery, loss);
        world.recover(&Faulty::new(Fault::Nothing)).unwrap();
        world.run(&Faulty::new(Fault::Nothing), 0).unwrap();
        world.check(&format!("after a power failure before call {call} ({at})"));
    }
}

#[test]
fn a_power_failure_that_takes_all_that_was_not_synced_leaves_each_line_once() {
    fail_power_before_every_call(Loss::Everything, 16);
}

#[test]
fn a_power_failure_with_one_file_open_at_a_time_leaves_each_line_once() {
    fail_power_before_every_call(Loss::Everything, 1);
}

#[test]
fn a_power_failure_that_takes_half_of_the_bytes_leaves_each_line_once() {
    fail_power_before_every_call(Loss::HalfOfTheBytes, 16);
}

#[test]
fn a_power_failure_that_takes_names_leaves_each_line_once() {
    fail_power_before_every_call(Loss::Names, 16);
}
