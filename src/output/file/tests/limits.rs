//! Limits, at their edge.

use std::io::Read;

use super::faulty::{Fault, Faulty};
use super::world::World;
use crate::metrics::Metrics;
use crate::output::file::Archive;
use crate::output::file::gzip::Gzip;

fn flush_files(archive: &mut Archive, world: &World, count: usize) {
    for number in 0..count {
        let slot = archive.slot(&world.path(&format!("{number}.log")));
        archive.append(slot, |lines| lines.extend_from_slice(b"line 1\n")).unwrap();
    }
    archive.flush(&mut |_| panic!("no checkpoint is due")).unwrap();
}

fn count_calls(storage: &Faulty, name: &str) -> usize {
    storage.state().calls.iter().filter(|call| call.split(' ').next() == Some(name)).count()
}

#[test]
fn one_sync_of_the_file_system_does_from_64_files_and_folders_on() {
    let metrics = Metrics::new("test", 10);
    for (unsynced, whole) in [(63, 0), (64, 1)] {
        let world = World::new(&[], 1000);
        let storage = Faulty::new(Fault::Nothing);
        let mut archive = world.archive(storage.clone(), &metrics);
        // The folders of the files count too, as far as they are on the same file system.
        let file = world.path("0.log");
        let device =
            |path: &std::path::Path| std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(path).unwrap());
        let here = device(world.root());
        let folders = file.ancestors().skip(1).filter(|folder| device(folder) == here).count();
        flush_files(&mut archive, &world, unsynced - folders);
        archive.checkpoint(&mut |_| Ok(())).unwrap();
        assert_eq!(count_calls(&storage, "sync_filesystem"), whole, "{unsynced}");
        let undo_syncs = 2;
        let single = if whole == 0 { unsynced - folders } else { 0 };
        assert_eq!(count_calls(&storage, "sync"), undo_syncs + single, "{unsynced}");
    }
}

#[test]
fn no_more_files_are_open_than_allowed_and_a_flush_needs_two_undo_syncs_for_any_number() {
    let metrics = Metrics::new("test", 10);
    let world = World::new(&[], 100);
    let storage = Faulty::new(Fault::Nothing);
    let mut archive = world.archive(storage.clone(), &metrics);
    flush_files(&mut archive, &world, 100);
    assert_eq!(count_calls(&storage, "sync"), 2);
    assert!(metrics.render().unwrap().contains("hikyaku_output_open_files{output=\"archive\"} 100\n"));
    // The one file too many makes room by one sync for all.
    let slot = archive.slot(&world.path("one more.log"));
    archive.append(slot, |lines| lines.extend_from_slice(b"line 1\n")).unwrap();
    archive.flush(&mut |_| Ok(())).unwrap();
    assert_eq!(count_calls(&storage, "sync_filesystem"), 1);
    assert!(metrics.render().unwrap().contains("hikyaku_output_open_files{output=\"archive\"} 100\n"));
}

#[test]
fn a_flush_begins_with_a_checkpoint_once_as_many_files_are_known_as_may_be() {
    let metrics = Metrics::new("test", 10);
    let world = World::new(&[], 100);
    let mut archive = world.archive(Faulty::new(Fault::Nothing), &metrics);
    archive.set_max_known_files(10);
    flush_files(&mut archive, &world, 9);
    flush_files(&mut archive, &world, 10);
    let slot = archive.slot(&world.path("one more.log"));
    archive.append(slot, |lines| lines.extend_from_slice(b"line 1\n")).unwrap();
    archive.flush(&mut |_| Ok(())).unwrap();
    assert_eq!(archive.generation(), 1);
}

#[test]
fn files_are_compressed_on_as_many_threads_as_allowed_and_no_more() {
    let metrics = Metrics::new("test", 10);
    let world = World::new(&[], 100);
    // Two threads.
    let mut archive = world.archive(Faulty::new(Fault::Nothing), &metrics);
    let text = |number: usize| -> Vec<u8> {
        (0..20_000).flat_map(|line| format!("{number}: line {line}\n").into_bytes()).collect()
    };
    for number in 0..20 {
        let slot = archive.slot(&world.path(&format!("{number}.log.gz")));
        archive.append(slot, |lines| lines.extend_from_slice(&text(number))).unwrap();
    }
    archive.flush(&mut |_| panic!("no checkpoint is due")).unwrap();
    assert!(metrics.render().unwrap().contains("hikyaku_output_compression_threads{output=\"archive\"} 2\n"));
    for number in 0..20 {
        let file = std::fs::File::open(world.path(&format!("{number}.log.gz"))).unwrap();
        let mut read = Vec::new();
        flate2::read::MultiGzDecoder::new(file).read_to_end(&mut read).unwrap();
        assert!(read == text(number), "{number}");
    }
}

#[test]
fn a_file_is_compressed_at_the_level_that_is_small_enough_for_what_it_gets() {
    let random = (0..30_000u32)
        .map(|at| format!("{:08x}\n", at.wrapping_mul(0x9e37_79b1) ^ at.rotate_left(13)))
        .collect();
    let alike =
        (0..4_000u32).map(|at| format!("{} GET /a/{}/b 200 {}\n", at / 7, at % 13, at * at)).collect();
    for text in [random, alike] {
        let text: String = text;
        let expected = Gzip::default().fastest_within(text.as_bytes());
        let metrics = Metrics::new("test", 10);
        let world = World::new(&[], 100);
        let mut archive = world.archive(Faulty::new(Fault::Nothing), &metrics);
        for times in 1..=2 {
            let slot = archive.slot(&world.path("a.log.gz"));
            archive.append(slot, |lines| lines.extend_from_slice(text.as_bytes())).unwrap();
            archive.flush(&mut |_| panic!("no checkpoint is due")).unwrap();
            let found = metrics.render().unwrap();
            let length = std::fs::metadata(world.path("a.log.gz")).unwrap().len();
            for (what, bytes) in [("uncompressed", (text.len() * times) as u64), ("compressed", length)] {
                let labels = format!("{{level=\"{expected}\",output=\"archive\"}}");
                assert!(
                    found.contains(&format!("hikyaku_output_{what}_bytes_total{labels} {bytes}\n")),
                    "{found}"
                );
            }
        }
        let mut read = String::new();
        let file = std::fs::File::open(world.path("a.log.gz")).unwrap();
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut read).unwrap();
        assert!(read == text.repeat(2));
    }
}
