//! What is done, and in which order, when somebody else changed a file.

use std::cell::Cell;
use std::io::Write;
use std::path::Path;

use super::world::{OLD, World};
use crate::metrics::Metrics;
use crate::output::file::Archive;
use crate::storage::Disk;

fn add(archive: &mut Archive, path: &Path, line: &str) {
    let slot = archive.slot(path);
    archive.append(slot, |lines| lines.extend_from_slice(line.as_bytes())).unwrap();
}

fn extend(path: &Path) {
    let mut file = std::fs::File::options().append(true).open(path).unwrap();
    file.write_all(b"theirs\n").unwrap();
}

#[test]
fn a_checkpoint_of_the_last_flush_comes_before_anything_new_is_written() {
    let world = World::new(&[], 16);
    let metrics = Metrics::new("test", 10);
    let mut archive = world.archive(Disk, &metrics);
    let (changed, untouched) = (world.path("changed.log"), world.path("untouched.log"));
    for path in [&changed, &untouched] {
        add(&mut archive, path, "1\n");
    }
    archive.flush(&mut |_| panic!("nothing is surprising yet")).unwrap();
    extend(&changed);
    for path in [&changed, &untouched] {
        add(&mut archive, path, "2\n");
    }
    let saved = Cell::new(0);
    let mut save = |generation| {
        assert_eq!(std::fs::read_to_string(&untouched).unwrap(), "1\n");
        saved.set(generation);
        Ok(())
    };
    archive.flush(&mut save).unwrap();
    assert_eq!((saved.get(), archive.generation()), (1, 1));
    assert_eq!(std::fs::read_to_string(&changed).unwrap(), "1\ntheirs\n2\n");
    // A crash now goes back to the file as somebody else had left it.
    drop(archive);
    world.cursor.set((1, 0));
    world.recover(&Disk).unwrap();
    assert_eq!(std::fs::read_to_string(&changed).unwrap(), "1\ntheirs\n");
    assert_eq!(std::fs::read_to_string(&untouched).unwrap(), "1\n");
}

#[test]
fn a_file_that_was_not_written_since_the_checkpoint_needs_no_other_one() {
    let world = World::new(&[], 16);
    let metrics = Metrics::new("test", 10);
    let mut archive = world.archive(Disk, &metrics);
    add(&mut archive, &world.path(OLD), "1\n");
    archive.flush(&mut |_| panic!("nothing to save")).unwrap();
    archive.checkpoint(&mut |_| Ok(())).unwrap();
    extend(&world.path(OLD));
    add(&mut archive, &world.path(OLD), "2\n");
    archive.flush(&mut |_| panic!("nothing to save")).unwrap();
    assert!(std::fs::read_to_string(world.path(OLD)).unwrap().ends_with("1\ntheirs\n2\n"));
    assert!(metrics.render().unwrap().contains("what=\"extended\"} 1"));
}

#[test]
fn each_kind_of_change_is_counted_under_its_name() {
    let world = World::new(&[], 16);
    let metrics = Metrics::new("test", 10);
    let mut archive = world.archive(Disk, &metrics);
    let path = |name: &str| world.path(name);
    for name in ["moved", "removed", "cut", "extended", "replaced"] {
        add(&mut archive, &path(name), "1\n");
    }
    archive.flush(&mut |_| Ok(())).unwrap();
    std::fs::rename(path("moved"), path("elsewhere")).unwrap();
    std::fs::remove_file(path("removed")).unwrap();
    std::fs::File::options().write(true).open(path("cut")).unwrap().set_len(1).unwrap();
    extend(&path("extended"));
    std::fs::write(path("other"), "theirs\n").unwrap();
    std::fs::rename(path("other"), path("replaced")).unwrap();
    for name in ["moved", "removed", "cut", "extended", "replaced"] {
        add(&mut archive, &path(name), "2\n");
    }
    archive.flush(&mut |_| Ok(())).unwrap();
    let text = metrics.render().unwrap();
    for (what, count) in [("moved", 2), ("removed", 1), ("cut", 1), ("extended", 1)] {
        assert!(text.contains(&format!("what=\"{what}\"}} {count}")), "{what}: {text}");
    }
    let contents = [
        ("elsewhere", "1\n"),
        ("moved", "2\n"),
        ("removed", "2\n"),
        ("cut", "12\n"),
        ("replaced", "theirs\n2\n"),
    ];
    for (name, content) in contents {
        assert_eq!(std::fs::read_to_string(path(name)).unwrap(), content, "{name}");
    }
}

#[test]
fn a_file_in_the_place_of_a_folder_hinders_neither_a_checkpoint_nor_a_recovery() {
    for recovers in [false, true] {
        let world = World::new(&[], 16);
        let metrics = Metrics::new("test", 10);
        let mut archive = world.archive(Disk, &metrics);
        let names = ["folder/1.log", "folder/below/2.log", "other.log"];
        for name in names {
            add(&mut archive, &world.path(name), "1\n");
        }
        archive.flush(&mut |_| Ok(())).unwrap();
        std::fs::rename(world.path("folder"), world.path("elsewhere")).unwrap();
        std::fs::write(world.path("folder"), "in the way").unwrap();
        if recovers {
            drop(archive);
            world.recover(&Disk).unwrap();
        } else {
            archive.checkpoint(&mut |_| Ok(())).unwrap();
        }
        assert_eq!(world.path("other.log").exists(), !recovers);
        assert_eq!(std::fs::read(world.path("folder")).unwrap(), b"in the way");
        assert_eq!(std::fs::read(world.path("elsewhere/1.log")).unwrap(), b"1\n");
    }
}
