use std::path::Path;

use super::*;
use crate::journal::format::reference::BLOCK_LENGTH;

fn folder() -> (tempfile::TempDir, SpoolFolder) {
    let data_dir = tempfile::tempdir().unwrap();
    let folder = SpoolFolder::new(data_dir.path());
    folder.prepare().unwrap();
    (data_dir, folder)
}

fn files(folder: &SpoolFolder) -> usize {
    std::fs::read_dir(folder.path()).unwrap().count()
}

#[test]
fn blocks_are_checked_wherever_the_bytes_are_cut() {
    let (_data_dir, folder) = folder();
    let bytes: Vec<u8> = (0..2 * BLOCK_LENGTH + 77).map(|number| (number % 251) as u8).collect();
    let expected: Vec<u32> = bytes.chunks(BLOCK_LENGTH as usize).map(crc32fast::hash).collect();
    for part in [1_000_003, BLOCK_LENGTH as usize, bytes.len()] {
        let mut spool = folder.create().unwrap();
        bytes.chunks(part).for_each(|part| spool.write(part).unwrap());
        let entries = spool.finish().unwrap();
        assert_eq!(entries.reference().checksums, expected);
        assert_eq!(std::fs::read(entries.path()).unwrap(), bytes);
    }
}

#[test]
fn after_a_sync_that_failed_what_was_not_durable_is_written_again_unless_it_was_lost() {
    let (_data_dir, folder) = folder();
    for length in [77, BLOCK_LENGTH as usize, 2 * BLOCK_LENGTH as usize + 77] {
        let bytes: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
        let mut spool = folder.create().unwrap();
        spool.write(&bytes).unwrap();
        spool.must_rewrite = true;
        let entries = spool.finish().unwrap();
        assert_eq!(std::fs::read(entries.path()).unwrap(), bytes);

        let mut spool = folder.create().unwrap();
        spool.write(&bytes).unwrap();
        spool.must_rewrite = true;
        // As if the kernel had dropped the last page.
        write_all_at(spool.file.as_ref(), &[0], length as u64 - 2).unwrap();
        let error = spool.finish().unwrap_err();
        assert!(error.to_string().contains("no longer reads"), "{error}");
    }
    assert_eq!(files(&folder), 0);
}

#[test]
fn who_waits_for_space_is_counted_over_all_clones() {
    let (_data_dir, folder) = folder();
    let waits = [folder.wait_for_space(), folder.clone().wait_for_space()];
    assert_eq!(folder.waiting(), 2);
    drop(waits);
    assert_eq!(folder.waiting(), 0);
    assert!(!folder.refuses() && folder.refusing(true).refuses());
}

#[test]
fn a_spool_goes_with_its_owner_and_what_a_crash_left_at_start() {
    let (_data_dir, folder) = folder();
    let mut spool = folder.create().unwrap();
    spool.write(b"half").unwrap();
    assert_eq!(files(&folder), 1);
    drop(spool);
    drop(folder.create().unwrap().finish().unwrap());
    assert_eq!(files(&folder), 0);
    std::mem::forget(folder.create().unwrap());
    folder.prepare().unwrap();
    assert_eq!(files(&folder), 0);
}

#[test]
fn only_the_server_may_read_it_and_what_was_allocated_too_much_is_given_back() {
    use std::os::unix::fs::MetadataExt;
    let (_data_dir, folder) = folder();
    let mut spool = folder.create().unwrap();
    spool.write(&[7; 10_000]).unwrap();
    let metadata = |path: &Path| std::fs::metadata(path).unwrap();
    assert_eq!(metadata(&spool.path.path).mode() & 0o777, 0o600);
    assert!(metadata(&spool.path.path).blocks() * 512 >= spool.step());
    let step = spool.step();
    let mut read = [0; 20_000];
    assert_eq!(spool.read_at(&mut read, 4_000).unwrap(), 6_000);
    let entries = spool.finish().unwrap();
    assert!(metadata(entries.path()).blocks() * 512 < step);
    assert_eq!(entries.length(), 10_000);
}
