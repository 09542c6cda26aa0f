//! What the archive knows about the files that it wrote since the last checkpoint, and which of them are open.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::file_key::FileKey;
use crate::output::file::undo::Undo;
use crate::storage::{Identity, Stat};

/// A file that this archive opened or made since the last checkpoint, or that is still open from before.
#[derive(Debug)]
pub(super) struct KnownFile<F> {
    pub(super) identity: Identity,
    /// Bytes: what was there when it was found, and every whole write since.
    pub(super) length: u64,
    /// Bytes that a failed write may have left behind `length`, to be cut off before anything else happens.
    pub(super) torn: u64,
    /// It was made since the last checkpoint.
    pub(super) made: bool,
    /// A durable undo record of this generation tells what it was.
    pub(super) recorded: bool,
    pub(super) handle: Option<Handle<F>>,
}

/// An open file.
#[derive(Debug)]
pub(super) struct Handle<F> {
    pub(super) file: F,
    /// Written and not synced.
    pub(super) dirty: bool,
    /// When it was opened and last used, by the table's own count.
    pub(super) opened: u64,
    pub(super) used: u64,
}

/// What somebody else did to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surprise {
    Moved,
    Removed,
    Cut { length: u64 },
    Extended { length: u64 },
}

impl Surprise {
    /// The word for metrics and log lines.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Removed => "removed",
            Self::Cut { .. } => "cut",
            Self::Extended { .. } => "extended",
        }
    }
}

impl<F> KnownFile<F> {
    pub(super) fn new(stat: &Stat, made: bool) -> Self {
        Self { identity: stat.identity, length: stat.length, torn: 0, made, recorded: false, handle: None }
    }

    /// What recovery has to know before the first write.
    pub(super) fn undo(&self, path: &Path) -> Undo {
        let (path, identity) = (path.to_owned(), self.identity);
        if self.made {
            Undo::Created { path, identity }
        } else {
            Undo::Existing { path, identity, length: self.length }
        }
    }

    /// Compares what lies at its path with what must be there.
    pub(super) fn compare(&self, found: Option<&Stat>) -> Result<(), Surprise> {
        match found {
            None => Err(Surprise::Removed),
            Some(found) if !found.identity.is_same_file(&self.identity) => Err(Surprise::Moved),
            Some(found) if found.length < self.length => Err(Surprise::Cut { length: found.length }),
            Some(found) if found.length > self.length + self.torn => {
                Err(Surprise::Extended { length: found.length })
            }
            Some(_) => Ok(()),
        }
    }
}

/// All known files.
#[derive(Debug)]
pub(super) struct KnownFiles<F> {
    files: HashMap<FileKey, KnownFile<F>>,
    /// The open ones, by when they were last used: with thousands of files there is no time to look for the oldest.
    by_use: BTreeMap<u64, Arc<Path>>,
    clock: u64,
    max_open: usize,
    /// The clock at the last checkpoint.
    checkpoint: u64,
}

impl<F> KnownFiles<F> {
    /// `max_open` files at one time, at least one.
    pub(super) fn new(max_open: usize) -> Self {
        Self {
            files: HashMap::new(),
            by_use: BTreeMap::new(),
            clock: 0,
            max_open: max_open.max(1),
            checkpoint: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn open(&self) -> usize {
        self.by_use.len()
    }

    pub(super) fn get(&self, path: &Path) -> Option<&KnownFile<F>> {
        self.files.get(path.as_os_str())
    }

    pub(super) fn get_mut(&mut self, path: &Path) -> Option<&mut KnownFile<F>> {
        self.files.get_mut(path.as_os_str())
    }

    /// The open ones, beginning with that which was not used for longest.
    pub(super) fn iter_open(&self) -> impl Iterator<Item = (&Arc<Path>, &KnownFile<F>, &Handle<F>)> {
        self.by_use.values().filter_map(|path| {
            let known = self.get(path)?;
            Some((path, known, known.handle.as_ref()?))
        })
    }

    /// Those that a failed write may have left something behind, by their paths: in the same order each time, so that
    /// a run can be repeated.
    pub(super) fn torn(&self) -> Vec<Arc<Path>> {
        let torn = self.files.iter().filter(|(_, known)| known.torn > 0);
        let mut paths: Vec<_> = torn.map(|(key, _)| Arc::clone(&key.0)).collect();
        paths.sort_unstable();
        paths
    }

    pub(super) fn insert(&mut self, path: &Arc<Path>, file: KnownFile<F>) {
        self.forget(path);
        self.files.insert(FileKey(Arc::clone(path)), file);
    }

    /// Closes the file, and forgets that it ever was.
    pub(super) fn forget(&mut self, path: &Path) {
        if let Some(handle) = self.files.remove(path.as_os_str()).and_then(|file| file.handle) {
            self.by_use.remove(&handle.used);
        }
    }

    /// Keeps a file open. There must be room for it.
    pub(super) fn hold_open(&mut self, path: &Arc<Path>, file: F) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(known) = self.files.get_mut(path.as_os_str()) {
            let handle = Handle { file, dirty: false, opened: clock, used: clock };
            if let Some(before) = known.handle.replace(handle) {
                self.by_use.remove(&before.used);
            }
            self.by_use.insert(clock, Arc::clone(path));
        }
    }

    /// Notes that an open file was written.
    pub(super) fn written(&mut self, path: &Arc<Path>, bytes: u64) {
        self.clock += 1;
        if let Some(known) = self.files.get_mut(path.as_os_str()) {
            known.length += bytes;
            if let Some(handle) = &mut known.handle {
                handle.dirty = true;
                self.by_use.remove(&std::mem::replace(&mut handle.used, self.clock));
                self.by_use.insert(self.clock, Arc::clone(path));
            }
        }
    }

    /// The open file that was not used for longest, if one has to be closed before another can be opened.
    pub(super) fn in_the_way(&self) -> Option<Arc<Path>> {
        if self.open() < self.max_open {
            return None;
        }
        self.by_use.first_key_value().map(|(_, path)| Arc::clone(path))
    }

    /// Closes a file that is synced.
    pub(super) fn close(&mut self, path: &Path) {
        if let Some(handle) = self.get_mut(path).and_then(|known| known.handle.take()) {
            self.by_use.remove(&handle.used);
        }
    }

    /// Begins a new generation, in which nothing is recorded. What was not used in the old one is closed, so that a
    /// file that somebody removes does not take up space for ever.
    pub(super) fn begin_generation(&mut self) {
        let checkpoint = std::mem::replace(&mut self.checkpoint, self.clock);
        self.files.retain(|_, file| file.handle.as_ref().is_some_and(|handle| handle.used > checkpoint));
        self.by_use = self.by_use.split_off(&(checkpoint + 1));
        for file in self.files.values_mut() {
            file.recorded = false;
            file.made = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(inode: u64, length: u64) -> Stat {
        let identity = Identity { device: 1, inode, birth: 1 };
        Stat { identity, length, names: 1, is_regular: true }
    }

    fn add(files: &mut KnownFiles<()>, name: &str) -> Arc<Path> {
        let path: Arc<Path> = Path::new(name).into();
        files.insert(&path, KnownFile::new(&stat(1, 0), false));
        files.hold_open(&path, ());
        path
    }

    #[test]
    fn only_what_a_failed_write_can_have_left_is_no_surprise() {
        let mut file = KnownFile::<()>::new(&stat(1, 10), false);
        assert_eq!(file.compare(Some(&stat(1, 10))), Ok(()));
        assert_eq!(file.compare(Some(&stat(1, 9))), Err(Surprise::Cut { length: 9 }));
        assert_eq!(file.compare(Some(&stat(1, 11))), Err(Surprise::Extended { length: 11 }));
        assert_eq!(file.compare(Some(&stat(2, 10))), Err(Surprise::Moved));
        assert_eq!(file.compare(None), Err(Surprise::Removed));
        file.torn = 5;
        assert_eq!(file.compare(Some(&stat(1, 15))), Ok(()));
        assert_eq!(file.compare(Some(&stat(1, 16))), Err(Surprise::Extended { length: 16 }));
    }

    #[test]
    fn the_file_that_was_not_used_for_longest_makes_room() {
        let mut files = KnownFiles::new(2);
        let a = add(&mut files, "a");
        assert_eq!(files.in_the_way(), None);
        let b = add(&mut files, "b");
        assert_eq!(files.in_the_way(), Some(a.clone()));
        files.written(&a, 1);
        assert_eq!(files.in_the_way(), Some(b.clone()));
        files.close(&b);
        assert_eq!((files.in_the_way(), files.open(), files.len()), (None, 1, 2));
    }

    #[test]
    fn a_file_that_was_not_used_between_two_checkpoints_is_closed_and_forgotten() {
        let mut files = KnownFiles::new(2);
        let a = add(&mut files, "a");
        add(&mut files, "b");
        files.begin_generation();
        assert_eq!((files.open(), files.len()), (2, 2));
        files.written(&a, 1);
        files.begin_generation();
        assert_eq!((files.open(), files.len()), (1, 1));
        assert!(files.get(&a).is_some());
        files.begin_generation();
        assert_eq!((files.open(), files.len(), files.in_the_way()), (0, 0, None));
    }
}
