//! A recovery that ends in the middle, the next one that goes to its end, and then a power failure: what the first one
//! did and could not sync must not come undone. Found by the simulation.

use std::path::Path;
use std::sync::Arc;

use crate::metrics::Metrics;
use crate::output::file::{Archive, ArchiveOptions, RecoveryOptions, recover};
use crate::storage::Storage;
use crate::storage::simulated::{Loss, Simulated};

const OLD: &str = "/old/old.log";
const NEW: &str = "/logs/new.log.gz";

/// A disk with a file from a checkpoint, and lines behind it and in a new file that no checkpoint covers.
fn after_a_crash(seed: u64) -> Simulated {
    let disk = Simulated::new(seed);
    for folder in ["/logs", "/old", "/data", "/data/undo"] {
        disk.add_folder(Path::new(folder));
    }
    let options = ArchiveOptions {
        undo_folder: "/data/undo".into(),
        generation: 0,
        max_open_files: 4,
        compression_level: crate::config::CompressionLevel::Fixed(1),
        compression_threads: 2,
        is_cautious: false,
    };
    let metrics = Metrics::new("test", 10);
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    let mut archive = Archive::new(storage, options, metrics.output("archive", "file"));
    let mut add = |path: &str, flush: &mut dyn FnMut(&mut Archive)| {
        let slot = archive.slot(Path::new(path));
        archive.append(slot, |lines| lines.extend_from_slice(b"line\n")).unwrap();
        flush(&mut archive);
    };
    add(OLD, &mut |archive| {
        archive.flush(&mut |_| Ok(())).unwrap();
        archive.checkpoint(&mut |_| Ok(())).unwrap();
    });
    add(OLD, &mut |_| ());
    add(NEW, &mut |archive| archive.flush(&mut |_| Ok(())).unwrap());
    // The kernel has written all of it in the meantime.
    disk.write_back();
    disk.restart(None);
    disk
}

fn recover_to_the_checkpoint(disk: &Simulated) -> bool {
    let options = RecoveryOptions {
        undo_folder: "/data/undo".into(),
        generation: 1,
        undone_folder: "/data/undone/archive".into(),
        undone_max_size: 0,
    };
    recover(disk, &options).is_ok()
}

#[test]
fn a_recovery_interrupted_in_any_call_and_finished_by_the_next_outlives_a_power_failure() {
    let calm = after_a_crash(0);
    let before = calm.calls();
    assert!(recover_to_the_checkpoint(&calm));
    for call in 1..=calm.calls() - before {
        for seed in 0..4 {
            let disk = after_a_crash(seed);
            disk.die_after(Some(call));
            recover_to_the_checkpoint(&disk);
            disk.restart(None);
            assert!(recover_to_the_checkpoint(&disk));
            disk.restart(Some(Loss::Everything));
            let found = (disk.content(Path::new(OLD)), disk.content(Path::new(NEW)));
            assert_eq!(found, (Some(b"line\n".to_vec()), None), "interrupted in call {call}, seed {seed}");
        }
    }
}

#[test]
fn a_file_that_somebody_removed_or_moved_does_not_come_back_with_lines_that_are_delivered_again() {
    for moved in [false, true] {
        let disk = after_a_crash(0);
        let path = Path::new(OLD);
        if moved {
            disk.move_away(path, Path::new("/logs/elsewhere.log"));
        } else {
            disk.remove_file(path);
        }
        assert!(recover_to_the_checkpoint(&disk));
        disk.restart(Some(Loss::Everything));
        assert_eq!(disk.content(path), None, "moved: {moved}");
    }
}

#[test]
fn a_file_that_somebody_cut_does_not_get_its_tail_back_with_lines_that_are_delivered_again() {
    let disk = after_a_crash(0);
    let path = Path::new(OLD);
    disk.cut(path, 2);
    assert!(recover_to_the_checkpoint(&disk));
    disk.restart(Some(Loss::Everything));
    assert_eq!(disk.content(path).as_deref(), Some(&b"li"[..]));
}
