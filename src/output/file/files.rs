//! The open files of an output, what they are expected to be, and what still has to be synced.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::archive::Created;
use super::disk::{Disk, Stat};

/// From so many files and folders on that have to be synced, their whole file system is: one call instead of hundreds.
const SYNC_FILE_SYSTEM_FROM: usize = 64;

/// What somebody else did to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surprise {
    Moved,
    Removed,
    Cut,
    Extended,
}

impl Surprise {
    /// One word for metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Removed => "removed",
            Self::Cut => "cut",
            Self::Extended => "extended",
        }
    }
}

/// Files by path.
#[derive(Debug)]
pub(super) struct Files {
    max_open: usize,
    open: HashMap<PathBuf, OpenFile>,
    /// Files that were written since the last checkpoint and closed again, as they must be.
    closed: HashMap<PathBuf, Stat>,
    /// Files that somebody moved or removed, with writes of ours that are not synced.
    detached: Vec<(PathBuf, File)>,
    /// Folders in which something was made.
    changed_folders: BTreeSet<PathBuf>,
    /// Counts uses, to find what was not used for longest.
    uses: u64,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    /// As it must be: only this process writes it.
    expected: Stat,
    /// An undo record of this generation is durable.
    recorded: bool,
    unsynced: bool,
    /// A write failed half way, and so did cutting it off again.
    has_torn_end: bool,
    last_use: u64,
}

impl Files {
    pub(super) fn new(max_open: usize) -> Self {
        Self {
            max_open: max_open.max(1),
            open: HashMap::new(),
            closed: HashMap::new(),
            detached: Vec::new(),
            changed_folders: BTreeSet::new(),
            uses: 0,
        }
    }

    /// How many may be open at one time.
    pub(super) fn max_open(&self) -> usize {
        self.max_open
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Opens a file if it is there, and finds out whether it still is what it must be.
    pub(super) fn look(&mut self, disk: &dyn Disk, path: &Path) -> io::Result<Option<Surprise>> {
        self.uses += 1;
        if let Some(open) = self.open.get_mut(path) {
            open.last_use = self.uses;
            if open.has_torn_end {
                disk.cut(&open.file, open.expected.length)?;
                open.has_torn_end = false;
            }
            let surprise = compare(&open.expected, disk.stat(path)?);
            match surprise {
                None => return Ok(None),
                Some(Surprise::Moved | Surprise::Removed) => {
                    if let Some(open) = self.open.remove(path) {
                        self.detached.push((path.to_owned(), open.file));
                    }
                    self.open_anew(disk, path, false)?;
                }
                Some(Surprise::Cut | Surprise::Extended) => {
                    open.expected = disk.stat_open(&open.file)?;
                    open.recorded = false;
                }
            }
            return Ok(surprise);
        }
        let expected = self.closed.remove(path);
        let surprise = match expected {
            Some(expected) => compare(&expected, disk.stat(path)?),
            None => None,
        };
        self.open_anew(disk, path, expected.is_some() && surprise.is_none())?;
        Ok(surprise)
    }

    /// What an open file is; `None` where there is none at this path.
    pub(super) fn stat(&self, path: &Path) -> Option<Stat> {
        self.open.get(path).map(|open| open.expected)
    }

    /// Whether an undo record of this generation is durable.
    pub(super) fn is_recorded(&self, path: &Path) -> bool {
        self.open.get(path).is_some_and(|open| open.recorded)
    }

    pub(super) fn set_recorded(&mut self, path: &Path) {
        if let Some(open) = self.open.get_mut(path) {
            open.recorded = true;
        }
    }

    /// Makes a file and the folders that it needs.
    pub(super) fn create(&mut self, disk: &dyn Disk, path: &Path) -> io::Result<Created> {
        let folder = folder_of(path);
        for made in disk.create_folders(folder)? {
            self.changed_folders.insert(folder_of(&made).to_owned());
        }
        self.changed_folders.insert(folder.to_owned());
        let (file, is_new) = match disk.create(path)? {
            Some(file) => (file, true),
            None => (disk.open(path)?.ok_or(io::ErrorKind::NotFound)?, false),
        };
        let stat = self.insert(disk, path, file, false)?;
        Ok(if is_new { Created::New(stat) } else { Created::Found(stat) })
    }

    /// Writes behind the end of a file that was looked at. After an error it is as it was before, or will be before
    /// the next write.
    pub(super) fn append(&mut self, disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let open = self.open.get_mut(path).ok_or(io::ErrorKind::NotFound)?;
        open.unsynced = true;
        if let Err(error) = disk.write(&open.file, open.expected.length, bytes) {
            open.has_torn_end = disk.cut(&open.file, open.expected.length).is_err();
            return Err(error);
        }
        open.expected.length += bytes.len() as u64;
        Ok(())
    }

    /// Syncs everything that was written and every name that was made.
    pub(super) fn sync(&mut self, disk: &dyn Disk) -> Result<(), (PathBuf, io::Error)> {
        while let Some((path, file)) = self.detached.last() {
            disk.sync(file).map_err(|error| (path.clone(), error))?;
            self.detached.pop();
        }
        let unsynced = self.open.values().filter(|open| open.unsynced).count();
        let whole_file_systems = unsynced + self.changed_folders.len() >= SYNC_FILE_SYSTEM_FROM;
        let mut synced_devices = BTreeSet::new();
        for (path, open) in self.open.iter_mut().filter(|(_, open)| open.unsynced) {
            let synced = if !whole_file_systems {
                disk.sync(&open.file)
            } else if synced_devices.insert(open.expected.device) {
                disk.sync_file_system(&open.file)
            } else {
                Ok(())
            };
            synced.map_err(|error| (path.clone(), error))?;
            open.unsynced = false;
        }
        while let Some(folder) = self.changed_folders.first().cloned() {
            sync_folder(disk, &folder, &synced_devices).map_err(|error| (folder.clone(), error))?;
            self.changed_folders.remove(&folder);
        }
        Ok(())
    }

    /// Closes what was not used for longest, synced, until no more are open than may be.
    pub(super) fn let_go(&mut self, disk: &dyn Disk) -> Result<(), (PathBuf, io::Error)> {
        if self.open.len() <= self.max_open {
            return Ok(());
        }
        let mut uses: Vec<u64> = self.open.values().map(|open| open.last_use).collect();
        uses.sort_unstable();
        let oldest_kept = uses[self.open.len() - self.max_open];
        let old: Vec<PathBuf> = self
            .open
            .iter()
            .filter(|(_, open)| open.last_use < oldest_kept)
            .map(|(path, _)| path.clone())
            .collect();
        for path in old {
            let Some(open) = self.open.get(&path) else { continue };
            if open.unsynced {
                disk.sync(&open.file).map_err(|error| (path.clone(), error))?;
            }
            if let Some(open) = self.open.remove(&path)
                && open.recorded
            {
                self.closed.insert(path, open.expected);
            }
        }
        Ok(())
    }

    /// After a checkpoint every file needs a new undo record before it is written.
    pub(super) fn begin_generation(&mut self) {
        self.closed.clear();
        for open in self.open.values_mut() {
            open.recorded = false;
        }
    }

    fn open_anew(&mut self, disk: &dyn Disk, path: &Path, recorded: bool) -> io::Result<()> {
        if let Some(file) = disk.open(path)? {
            self.insert(disk, path, file, recorded)?;
        }
        Ok(())
    }

    fn insert(&mut self, disk: &dyn Disk, path: &Path, file: File, recorded: bool) -> io::Result<Stat> {
        self.uses += 1;
        let expected = disk.stat_open(&file)?;
        let open =
            OpenFile { file, expected, recorded, unsynced: false, has_torn_end: false, last_use: self.uses };
        self.open.insert(path.to_owned(), open);
        Ok(expected)
    }
}

/// Syncs a folder, unless its whole file system was just synced or somebody removed it with all that was in it.
fn sync_folder(disk: &dyn Disk, folder: &Path, synced_devices: &BTreeSet<u64>) -> io::Result<()> {
    match disk.stat(folder)? {
        None => Ok(()),
        Some(stat) if synced_devices.contains(&stat.device) => Ok(()),
        Some(_) => disk.sync_folder(folder),
    }
}

fn compare(expected: &Stat, found: Option<Stat>) -> Option<Surprise> {
    match found {
        None => Some(Surprise::Removed),
        Some(found) if !found.is_same_file(expected) => Some(Surprise::Moved),
        Some(found) if found.length < expected.length => Some(Surprise::Cut),
        Some(found) if found.length > expected.length => Some(Surprise::Extended),
        Some(_) => None,
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
