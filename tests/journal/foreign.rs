//! What others put into the journal's folder: told, left alone, and never taken for something of ours.

use std::fs;

use hikyaku::journal::inspect::Inspection;

use crate::{Bench, append, chunk, contents, start};

#[tokio::test]
async fn files_and_folders_with_other_names_are_left_alone_and_change_nothing() {
    let bench = Bench::new();
    let journal = bench.open();
    append(&journal, chunk(b"kept")).await;
    journal.close().await;
    drop(journal);
    let folder = bench.path().join("journal");
    // Numbers that are spelled otherwise, temporary files of an editor, and folders under names of ours.
    let files = [
        "1.seg",
        "77.seg",
        "00000000000000000001.seg",
        "+000000000000001.seg",
        "1.ids",
        "notes.tmp",
        "notes.txt",
    ];
    files.iter().for_each(|name| fs::write(folder.join(name), "mine").unwrap());
    let folders =
        ["y.tmp", "spare.seg", "0000000000000009.seg", "0000000000000009.ids", "0000000000000009.tmp"];
    folders.iter().for_each(|name| fs::create_dir(folder.join(name)).unwrap());

    assert_eq!(Inspection::new(bench.path()).segments().unwrap(), [1]);
    let journal = bench.open();
    assert_eq!(contents(&mut journal.reader(start())), [b"kept"]);
    journal.close().await;
    assert_eq!(bench.metrics.journal.missing_segments.get(), 0);
    assert!(files.iter().all(|name| fs::read(folder.join(name)).unwrap() == b"mine"));
    assert!(folders.iter().all(|name| folder.join(name).is_dir()));
}

#[tokio::test]
async fn temporary_files_of_ours_are_removed() {
    let bench = Bench::new();
    bench.open().close().await;
    let folder = bench.path().join("journal");
    fs::write(folder.join("spare.tmp"), "half").unwrap();
    fs::write(folder.join("0000000000000003.tmp"), "half").unwrap();
    let journal = bench.open();
    assert!(!folder.join("0000000000000003.tmp").exists());
    journal.close().await;
    assert_ne!(fs::read(folder.join("spare.tmp")).unwrap_or_default(), b"half");
}
