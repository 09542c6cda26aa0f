//! A scripted run of an output, what outlives its process, and what must be in the files in the end.

use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use super::faulty::Faulty;
use crate::metrics::Metrics;
use crate::output::file::{
    Archive, ArchiveError, ArchiveOptions, RecoveryError, RecoveryOptions, SaveCursorError, recover,
};
use crate::storage::{Disk, Storage};

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A line for this file.
    Line(&'static str),
    Flush,
    Checkpoint,
    /// Somebody else does something to this file.
    Meddle(&'static str, Meddling),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meddling {
    Move,
    Remove,
    /// All but the first line goes.
    Cut,
    Extend,
}

/// What outlives a process.
pub(super) struct World {
    root: tempfile::TempDir,
    script: Vec<Step>,
    max_open_files: usize,
    /// The cursor: its generation, and the next step.
    pub(super) cursor: Cell<(u64, usize)>,
    /// Up to this step the meddling is done; it is not done again when lines are delivered again.
    meddled: Cell<usize>,
    /// Numbers of the lines that somebody else took away.
    taken: RefCell<Vec<usize>>,
}

/// Of all runs.
static METRICS: LazyLock<Arc<Metrics>> = LazyLock::new(|| Metrics::new("test", 10));

/// What was in the file before hikyaku came.
const FOREIGN: &str = "somebody else's";

/// A file that is there from the beginning.
pub(super) const OLD: &str = "old/there.log";

impl World {
    pub(super) fn new(script: &[Step], max_open_files: usize) -> Self {
        let world = Self {
            root: in_memory(),
            script: script.to_vec(),
            max_open_files,
            cursor: Cell::new((0, 0)),
            meddled: Cell::new(0),
            taken: RefCell::default(),
        };
        std::fs::create_dir_all(world.undo_folder()).unwrap();
        std::fs::create_dir_all(world.path(OLD).parent().unwrap()).unwrap();
        std::fs::write(world.path(OLD), format!("{FOREIGN}\n")).unwrap();
        world
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("archive").join(name)
    }

    fn undo_folder(&self) -> PathBuf {
        self.root.path().join("outputs/archive")
    }

    pub(super) fn archive(&self, storage: impl Storage + 'static, metrics: &Metrics) -> Archive {
        Archive::new(Arc::new(storage), self.options(), metrics.output("archive", "file"))
    }

    pub(super) fn options(&self) -> ArchiveOptions {
        ArchiveOptions {
            undo_folder: self.undo_folder(),
            generation: self.cursor.get().0,
            max_open_files: self.max_open_files,
            compression_level: crate::config::CompressionLevel::Auto,
            compression_threads: 2,
            is_cautious: false,
        }
    }

    /// From the cursor to the end of the script, or to an error that can't be got over by trying again.
    pub(super) fn run(&self, storage: &Faulty, patience: usize) -> Result<(), ArchiveError> {
        let mut archive = self.archive(storage.clone(), &METRICS);
        let first = self.cursor.get().1;
        let flushed = Cell::new(first);
        for (number, step) in self.script.iter().enumerate().skip(first) {
            let mut save = |generation| {
                let point = |name| storage.call(name, Path::new("cursor"));
                point("replace").map_err(SaveCursorError::Unchanged)?;
                self.cursor.set((generation, flushed.get()));
                point("replaced").map_err(SaveCursorError::Uncertain)
            };
            match *step {
                Step::Line(name) => {
                    let slot = archive.slot(&self.path(name));
                    let line = format!("{name} {number}\n");
                    archive.append(slot, |lines| lines.extend_from_slice(line.as_bytes())).unwrap();
                }
                Step::Flush => {
                    retry(patience, || archive.flush(&mut save))?;
                    assert_eq!(archive.buffered_bytes(), 0);
                    flushed.set(number + 1);
                }
                Step::Checkpoint => retry(patience, || archive.checkpoint(&mut save))?,
                Step::Meddle(name, meddling) if number >= self.meddled.get() => {
                    self.meddle(name, meddling);
                    self.meddled.set(number + 1);
                }
                Step::Meddle(..) => {}
            }
        }
        Ok(())
    }

    pub(super) fn recover(&self, storage: &dyn Storage) -> Result<(), RecoveryError> {
        let options = RecoveryOptions {
            undo_folder: self.undo_folder(),
            generation: self.cursor.get().0,
            undone_folder: self.root.path().join("undone/archive"),
            undone_max_size: 1024 * 1024,
        };
        recover(storage, &options).map(drop)
    }

    fn meddle(&self, name: &str, meddling: Meddling) {
        let path = self.path(name);
        if !path.exists() {
            return;
        }
        match meddling {
            Meddling::Move => std::fs::rename(&path, self.path("elsewhere")).unwrap(),
            Meddling::Remove => {
                self.taken.borrow_mut().extend(numbers(&path));
                std::fs::remove_file(&path).unwrap();
            }
            Meddling::Cut => {
                let text = std::fs::read_to_string(&path).unwrap();
                self.taken.borrow_mut().extend(numbers(&path).iter().skip(1));
                let kept = text.find('\n').map_or(0, |end| end + 1);
                std::fs::File::options().write(true).open(&path).unwrap().set_len(kept as u64).unwrap();
            }
            Meddling::Extend => {
                let mut file = std::fs::File::options().append(true).open(&path).unwrap();
                writeln!(file, "{FOREIGN}").unwrap();
            }
        }
    }

    /// Each line is in its file once, in order, except for what somebody else took away.
    pub(super) fn check(&self, when: &str) {
        let mut names: Vec<&str> = self
            .script
            .iter()
            .filter_map(|step| if let Step::Line(name) = step { Some(*name) } else { None })
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let wanted = self.script.iter().enumerate().filter(|(_, step)| **step == Step::Line(name));
            let mut wanted: Vec<usize> = wanted.map(|(number, _)| number).collect();
            let found = numbers(&self.path(name));
            let meddling = self.script.iter().find_map(|step| match step {
                Step::Meddle(meddled, meddling) if *meddled == name => Some(*meddling),
                _ => None,
            });
            match meddling {
                None | Some(Meddling::Extend) => {}
                Some(Meddling::Cut | Meddling::Remove) => {
                    // Lines that were taken may have been delivered again after a crash, but only once.
                    let taken = self.taken.borrow();
                    wanted.retain(|number| !taken.contains(number) || found.contains(number));
                }
                Some(Meddling::Move) => {
                    let moved = numbers(&self.path("elsewhere"));
                    assert!(moved.is_sorted_by(|one, next| one < next), "{when}: moved away: {moved:?}");
                    // A crash before anybody noticed delivers again what no checkpoint covers.
                    wanted.retain(|number| !moved.contains(number) || found.contains(number));
                }
            }
            assert_eq!(found, wanted, "{when}: {name}");
        }
        let foreign =
            1 + self.script.iter().filter(|step| matches!(step, Step::Meddle(_, Meddling::Extend))).count();
        assert_eq!(self.count_foreign_lines(self.root.path()), foreign, "{when}: somebody else's lines");
    }

    /// How many lines lie both where they were moved to and where they were written since.
    pub(super) fn count_doubles(&self, name: &str) -> usize {
        let moved = numbers(&self.path("elsewhere"));
        numbers(&self.path(name)).iter().filter(|number| moved.contains(number)).count()
    }

    fn count_foreign_lines(&self, folder: &Path) -> usize {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        paths
            .map(|path| match path.is_dir() {
                true => self.count_foreign_lines(&path),
                false => std::fs::read(&path)
                    .unwrap()
                    .windows(FOREIGN.len())
                    .filter(|part| *part == FOREIGN.as_bytes())
                    .count(),
            })
            .sum()
    }

    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    /// What is kept by [`Faulty`] of removed files.
    pub(super) fn graveyard(&self) -> PathBuf {
        let folder = self.root.path().join("graveyard");
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }
}

/// A folder in memory, where there is such a thing: a run makes many files, and a test has many runs.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn retry(patience: usize, mut action: impl FnMut() -> Result<(), ArchiveError>) -> Result<(), ArchiveError> {
    let mut result = action();
    for _ in 0..patience {
        match result {
            Err(error) if !error.needs_recovery() => result = action(),
            done => return done,
        }
    }
    result
}

/// The numbers of the lines in a file; none where there is no file. Panics unless it is whole.
fn numbers(path: &Path) -> Vec<usize> {
    let Ok(Some(_)) = Disk.stat(path) else { return Vec::new() };
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") || bytes.starts_with(&[0x1f, 0x8b]) {
        let mut decoder = flate2::read::MultiGzDecoder::new(&bytes[..]);
        decoder.read_to_string(&mut text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    assert!(text.is_empty() || text.ends_with('\n'), "{}: half a line", path.display());
    let ours = text.lines().filter(|line| *line != FOREIGN);
    ours.map(|line| line.rsplit(' ').next().unwrap().parse().unwrap()).collect()
}
