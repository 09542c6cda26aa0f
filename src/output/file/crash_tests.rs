//! A scripted run that is cut off before every single system call: afterwards each line is in the archive once.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::archive::{Archive, ArchiveOptions, FlushError};
use super::disk::{Disk, RealDisk, Stat};
use super::recovery::recover;
use crate::metrics::Metrics;

/// Fails some calls, and knows what is not synced.
#[derive(Debug, Clone)]
struct FailingDisk {
    fails: Range<u64>,
    used: Arc<AtomicU64>,
    unsynced_files: Arc<Mutex<BTreeSet<u64>>>,
    unsynced_folders: Arc<Mutex<BTreeSet<PathBuf>>>,
}

impl FailingDisk {
    /// Lets so many calls through, and fails every one after that.
    fn after(calls: u64) -> Self {
        Self::during(calls..u64::MAX)
    }

    /// Fails these calls only.
    fn during(fails: Range<u64>) -> Self {
        Self { fails, used: Arc::default(), unsynced_files: Arc::default(), unsynced_folders: Arc::default() }
    }

    fn call(&self) -> io::Result<()> {
        let call = self.used.fetch_add(1, Ordering::Relaxed);
        if self.fails.contains(&call) { Err(io::Error::other("the process is dead")) } else { Ok(()) }
    }

    /// What a cursor stands for must be on the disk before it.
    fn assert_all_synced(&self) {
        assert_eq!(*self.unsynced_files.lock().unwrap(), BTreeSet::new());
        assert_eq!(*self.unsynced_folders.lock().unwrap(), BTreeSet::new());
    }
}

impl Disk for FailingDisk {
    fn create_folders(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.call()?;
        let made = RealDisk.create_folders(folder)?;
        self.unsynced_folders
            .lock()
            .unwrap()
            .extend(made.iter().map(|made| made.parent().unwrap().to_owned()));
        Ok(made)
    }

    fn open(&self, path: &Path) -> io::Result<Option<File>> {
        self.call()?;
        RealDisk.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Option<File>> {
        self.call()?;
        self.unsynced_folders.lock().unwrap().insert(path.parent().unwrap().to_owned());
        RealDisk.create(path)
    }

    fn stat(&self, path: &Path) -> io::Result<Option<Stat>> {
        self.call()?;
        RealDisk.stat(path)
    }

    fn stat_open(&self, file: &File) -> io::Result<Stat> {
        self.call()?;
        RealDisk.stat_open(file)
    }

    fn write(&self, file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        // The last thing that a process does may be half a write.
        if self.call().is_err() {
            RealDisk.write(file, offset, &bytes[..bytes.len() / 2])?;
            return Err(io::Error::other("the process died while it wrote"));
        }
        self.unsynced_files.lock().unwrap().insert(RealDisk.stat_open(file)?.inode);
        RealDisk.write(file, offset, bytes)
    }

    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        self.call()?;
        RealDisk.cut(file, length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        self.call()?;
        self.unsynced_files.lock().unwrap().remove(&RealDisk.stat_open(file)?.inode);
        RealDisk.sync(file)
    }

    fn sync_file_system(&self, file: &File) -> io::Result<()> {
        self.call()?;
        self.unsynced_files.lock().unwrap().clear();
        RealDisk.sync_file_system(file)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.call()?;
        self.unsynced_folders.lock().unwrap().remove(folder);
        RealDisk.sync_folder(folder)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.call()?;
        RealDisk.remove(path)
    }
}

/// What outlives a process: the folder, and the cursor with its generation.
struct World {
    root: tempfile::TempDir,
    cursor: Rc<Cell<(usize, u64)>>,
}

/// How many lines there are to deliver.
const LINES: usize = 24;

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("archive")).unwrap();
        std::fs::write(root.path().join("archive/old.log"), "was here before\n").unwrap();
        Self { root, cursor: Rc::default() }
    }

    /// Lines go round over four files, two of them compressed, one of them there from before.
    fn path_of(&self, line: usize) -> PathBuf {
        let name = ["old.log", "new/1.log", "new/2.log.gz", "deep/er/3.log.gz"][line % 4];
        self.root.path().join("archive").join(name)
    }

    fn options(&self, max_open_files: usize) -> ArchiveOptions {
        let undo_folder = self.root.path().join("outputs/archive");
        ArchiveOptions { undo_folder, generation: self.cursor.get().1, max_open_files, compression_level: 6 }
    }

    /// Delivers from the cursor on: a flush every three lines, a checkpoint every three flushes. `meddle` is what
    /// somebody else does to the files at each line.
    fn deliver(
        &self,
        disk: &FailingDisk,
        max_open_files: usize,
        meddle: fn(&Self, usize),
    ) -> Result<(), FlushError> {
        let start = self.cursor.get().0;
        let options = self.options(max_open_files);
        let metrics = Metrics::new("test", 10).output("archive", "file");
        let mut archive = Archive::new(Box::new(disk.clone()), options, metrics);
        let flushed = Cell::new(start);
        let mut save = |generation| {
            disk.assert_all_synced();
            self.cursor.set((flushed.get(), generation));
            Ok(())
        };
        for line in start..LINES {
            meddle(self, line);
            let slot = archive.slot(&self.path_of(line));
            archive.append(slot, |bytes| bytes.extend_from_slice(format!("line {line}\n").as_bytes()));
            if line % 3 == 2 {
                archive.flush(&mut save)?;
                flushed.set(line + 1);
            }
            if line % 9 == 8 {
                archive.checkpoint(&mut save)?;
            }
        }
        archive.flush(&mut save)?;
        flushed.set(LINES);
        archive.checkpoint(&mut save)
    }

    fn recover(&self) {
        let outputs = self.root.path().join("outputs/archive");
        let undone = self.root.path().join("undone/archive");
        for _ in 0..2 {
            // Twice: a crash of the recovery itself.
            recover(&RealDisk, &outputs, self.cursor.get().1, &undone).unwrap();
        }
    }

    /// How often each line is in the files below a folder.
    fn lines(&self) -> BTreeMap<String, u32> {
        let mut lines = BTreeMap::new();
        let mut folders = vec![self.root.path().join("archive"), self.root.path().join("elsewhere")];
        while let Some(folder) = folders.pop() {
            let Ok(entries) = std::fs::read_dir(folder) else { continue };
            for path in entries.map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let mut bytes = std::fs::read(&path).unwrap();
                if path.extension().is_some_and(|extension| extension == "gz") {
                    let mut text = Vec::new();
                    let mut decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
                    io::Read::read_to_end(&mut decoder, &mut text)
                        .unwrap_or_else(|error| panic!("{path:?}: {error}"));
                    bytes = text;
                }
                for line in String::from_utf8(bytes).unwrap().lines() {
                    *lines.entry(line.to_owned()).or_default() += 1;
                }
            }
        }
        lines
    }

    fn assert_each_line_once(&self, when: &str) {
        let mut lines = self.lines();
        assert_eq!(lines.remove("was here before"), Some(1), "{when}");
        let expected: BTreeMap<String, u32> = (0..LINES).map(|line| (format!("line {line}"), 1)).collect();
        assert_eq!(lines, expected, "{when}");
    }
}

fn leave_alone(_: &World, _: usize) {}

/// Runs the script with a crash before every call, and gives each end to `check`.
fn crash_everywhere(max_open_files: usize) {
    let whole = World::new();
    let counting = FailingDisk::after(u64::MAX);
    whole.deliver(&counting, max_open_files, leave_alone).unwrap();
    whole.assert_each_line_once("without a crash");
    let calls = counting.used.load(Ordering::Relaxed);
    assert!(calls > 100, "{calls} calls");
    for call in 0..calls {
        let world = World::new();
        world.deliver(&FailingDisk::after(call), max_open_files, leave_alone).unwrap_err();
        world.recover();
        world.deliver(&FailingDisk::after(u64::MAX), max_open_files, leave_alone).unwrap();
        world.assert_each_line_once(&format!("after a crash before call {call} of {calls}"));
    }
}

#[test]
fn a_crash_before_any_system_call_leaves_each_line_once() {
    crash_everywhere(16);
}

#[test]
fn a_crash_before_any_system_call_leaves_each_line_once_with_one_open_file() {
    crash_everywhere(1);
}

#[test]
fn files_that_are_moved_meanwhile_are_left_alone_and_each_line_is_somewhere_once() {
    fn move_away(world: &World, line: usize) {
        if line % 6 == 3 {
            let elsewhere = world.root.path().join("elsewhere");
            std::fs::create_dir_all(&elsewhere).unwrap();
            let ending = if line % 4 < 2 { "log" } else { "log.gz" };
            // It may not be there yet.
            let _ = std::fs::rename(world.path_of(line), elsewhere.join(format!("{line}.{ending}")));
        }
    }
    let world = World::new();
    world.deliver(&FailingDisk::after(u64::MAX), 16, move_away).unwrap();
    world.assert_each_line_once("with files moved away");
    assert!(world.root.path().join("elsewhere").exists());
}

#[test]
fn files_that_are_cut_or_extended_by_others_are_never_damaged() {
    fn meddle(world: &World, line: usize) {
        let old = world.root.path().join("archive/old.log");
        match line {
            10 => std::fs::write(&old, "was here before\n").unwrap(),
            16 => {
                let mut file = std::fs::OpenOptions::new().append(true).open(&old).unwrap();
                io::Write::write_all(&mut file, b"somebody else's\n").unwrap();
            }
            _ => {}
        }
    }
    for crash in 0..200 {
        let world = World::new();
        let died = world.deliver(&FailingDisk::after(crash), 16, meddle).is_err();
        world.recover();
        if died {
            world.deliver(&FailingDisk::after(u64::MAX), 16, leave_alone).unwrap();
        }
        let lines = world.lines();
        assert_eq!(lines.get("was here before"), Some(&1), "crash {crash}");
        assert!(lines.values().all(|count| *count == 1), "crash {crash}: {lines:?}");
        for line in (0..LINES).filter(|line| line % 4 != 0) {
            assert!(lines.contains_key(&format!("line {line}")), "crash {crash}: line {line} is missing");
        }
    }
}

#[test]
fn what_was_written_before_a_file_was_moved_is_not_written_again_once_that_was_noticed() {
    let world = World::new();
    let old = world.root.path().join("archive/old.log");
    let options = world.options(16);
    let metrics = Metrics::new("test", 10).output("archive", "file");
    let mut archive = Archive::new(Box::new(RealDisk), options, metrics);
    let mut saved = None;
    for (line, position) in [("line 0\n", 0), ("line 1\n", 1)] {
        let slot = archive.slot(&old);
        archive.append(slot, |bytes| bytes.extend_from_slice(line.as_bytes()));
        archive
            .flush(&mut |generation| {
                saved = Some((position, generation));
                Ok(())
            })
            .unwrap();
        if position == 0 {
            std::fs::rename(&old, world.root.path().join("archive/moved.log")).unwrap();
        }
    }
    // The second flush noticed, and saved what the first had written.
    assert_eq!(saved, Some((1, 1)));
    drop(archive);
    world.cursor.set((1, 1));
    world.recover();
    let lines = world.lines();
    assert_eq!((lines.get("line 0"), lines.get("line 1")), (Some(&1), None), "{lines:?}");
}

#[test]
fn a_disk_that_fails_for_two_calls_anywhere_is_written_to_as_if_nothing_had_been() {
    for call in 0..60 {
        let world = World::new();
        let disk = FailingDisk::during(call..call + 2);
        let metrics = Metrics::new("test", 10).output("archive", "file");
        let mut archive = Archive::new(Box::new(disk), world.options(16), metrics);
        for line in 0..8 {
            let slot = archive.slot(&world.path_of(line));
            archive.append(slot, |bytes| bytes.extend_from_slice(format!("line {line}\n").as_bytes()));
            if line % 4 == 3 {
                let mut attempts = 0;
                while let Err(error) = archive.flush(&mut |_| Ok(())) {
                    assert!(matches!(error, FlushError::Io { .. }), "call {call}: {error}");
                    attempts += 1;
                    assert!(attempts < 5, "call {call}: {error}");
                }
            }
        }
        let lines = world.lines();
        assert_eq!(lines.len(), 9, "call {call}: {lines:?}");
        assert!(lines.values().all(|count| *count == 1), "call {call}: {lines:?}");
    }
}

#[test]
fn a_write_that_fails_is_taken_back_and_flushing_again_goes_on_where_it_stopped() {
    let world = World::new();
    let folder = world.root.path().join("archive/new");
    // A file where a folder must be.
    std::fs::write(&folder, "in the way\n").unwrap();
    let options = world.options(16);
    let metrics = Metrics::new("test", 10).output("archive", "file");
    let mut archive = Archive::new(Box::new(RealDisk), options, metrics);
    for line in 0..4 {
        let slot = archive.slot(&world.path_of(line));
        archive.append(slot, |bytes| bytes.extend_from_slice(format!("line {line}\n").as_bytes()));
    }
    let error = archive.flush(&mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("archive/new"), "{error}");
    assert!(archive.buffered_bytes() > 0);
    std::fs::remove_file(&folder).unwrap();
    archive.flush(&mut |_| Ok(())).unwrap();
    assert_eq!(archive.buffered_bytes(), 0);
    let lines = world.lines();
    assert!((0..4).all(|line| lines[&format!("line {line}")] == 1), "{lines:?}");
}
