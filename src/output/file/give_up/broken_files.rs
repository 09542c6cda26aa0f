//! Files that were given up, until they can be written again.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Files that are known as given up at one time. Past it the one goes that got no event for longest; when it gets some,
/// it is tried like any other.
pub(super) const MAX_BROKEN_FILES: usize = 10_000;

/// The files. It asks no clock.
#[derive(Debug)]
pub(super) struct BrokenFiles {
    files: BTreeMap<Arc<Path>, BrokenFile>,
    /// By when they got events last.
    by_use: BTreeMap<u64, Arc<Path>>,
    clock: u64,
    on_trial: usize,
    /// A file that gets no events for so long is forgotten.
    forget_after: Duration,
    /// How often each is tried.
    interval: Duration,
}

#[derive(Debug)]
struct BrokenFile {
    kind: io::ErrorKind,
    /// What could not be done the last time and why, in words.
    reason: String,
    used: u64,
    used_at: Instant,
    next_trial: Instant,
    /// Its lines go into memory, and the next flush will show.
    is_on_trial: bool,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Into its file.
    Write,
    /// To whoever gets what is given up.
    HandOver,
}

impl BrokenFiles {
    pub(super) fn new(forget_after: Duration, interval: Duration) -> Self {
        Self {
            files: BTreeMap::new(),
            by_use: BTreeMap::new(),
            clock: 0,
            on_trial: 0,
            forget_after,
            interval,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.files.contains_key(path)
    }

    /// Why a file can't be written, if it is one of them.
    pub(super) fn reason(&self, path: &Path) -> Option<&str> {
        self.files.get(path).map(|file| file.reason.as_str())
    }

    /// How they fail.
    pub(super) fn kinds(&self) -> HashSet<io::ErrorKind> {
        self.files.values().map(|file| file.kind).collect()
    }

    /// There is an event for a file. The same for all of a chunk's, as long as `now` is.
    pub(super) fn way(&mut self, path: &Path, now: Instant) -> Way {
        let Some(file) = self.files.get_mut(path) else { return Way::Write };
        if file.used_at != now {
            file.used_at = now;
            self.clock += 1;
            if let Some(path) = self.by_use.remove(&std::mem::replace(&mut file.used, self.clock)) {
                self.by_use.insert(self.clock, path);
            }
        }
        if !file.is_on_trial && file.next_trial <= now {
            file.is_on_trial = true;
            file.next_trial = now + self.interval;
            self.on_trial += 1;
        }
        if file.is_on_trial { Way::Write } else { Way::HandOver }
    }

    /// A file was given up; whether it was not before.
    pub(super) fn gave_up(&mut self, path: &Path, kind: io::ErrorKind, reason: &str, now: Instant) -> bool {
        let next_trial = now + self.interval;
        if let Some(file) = self.files.get_mut(path) {
            self.on_trial -= usize::from(std::mem::take(&mut file.is_on_trial));
            file.kind = kind;
            reason.clone_into(&mut file.reason);
            file.next_trial = next_trial;
            return false;
        }
        if self.files.len() >= MAX_BROKEN_FILES
            && let Some((_, oldest)) = self.by_use.first_key_value()
        {
            let oldest = Arc::clone(oldest);
            self.forget(&oldest);
        }
        self.clock += 1;
        let path: Arc<Path> = path.into();
        let used = self.clock;
        let reason = reason.to_owned();
        let file = BrokenFile { kind, reason, used, used_at: now, next_trial, is_on_trial: false };
        self.by_use.insert(used, Arc::clone(&path));
        self.files.insert(path, file);
        true
    }

    /// All lines are written: gives those that were tried again, and are broken no more.
    pub(super) fn all_is_written(&mut self) -> Vec<PathBuf> {
        if self.on_trial == 0 {
            return Vec::new();
        }
        let tried = self.files.iter().filter(|(_, file)| file.is_on_trial);
        let tried: Vec<Arc<Path>> = tried.map(|(path, _)| Arc::clone(path)).collect();
        tried.iter().for_each(|path| self.forget(path));
        tried.iter().map(|path| path.to_path_buf()).collect()
    }

    /// What was in memory is forgotten, and with it what was tried.
    pub(super) fn abandoned(&mut self) {
        self.files.values_mut().for_each(|file| file.is_on_trial = false);
        self.on_trial = 0;
    }

    /// Forgets those that nobody writes to any more.
    pub(super) fn tidy(&mut self, now: Instant) {
        while let Some((_, path)) = self.by_use.first_key_value()
            && let Some(file) = self.files.get(path)
            && !file.is_on_trial
            && now.saturating_duration_since(file.used_at) >= self.forget_after
        {
            let path = Arc::clone(path);
            self.forget(&path);
        }
    }

    fn forget(&mut self, path: &Path) {
        if let Some(file) = self.files.remove(path) {
            self.by_use.remove(&file.used);
            self.on_trial -= usize::from(file.is_on_trial);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::{NotADirectory, PermissionDenied};

    use super::*;

    const FORGET: Duration = Duration::from_secs(60);
    const INTERVAL: Duration = Duration::from_secs(30);

    fn with(paths: &[&str]) -> (BrokenFiles, Instant) {
        let (mut files, now) = (BrokenFiles::new(FORGET, INTERVAL), Instant::now());
        for path in paths {
            assert!(files.gave_up(Path::new(path), PermissionDenied, "", now));
        }
        (files, now)
    }

    #[test]
    fn a_file_is_tried_again_once_in_an_interval_until_it_works() {
        let (mut files, now) = with(&["a"]);
        let a = Path::new("a");
        let moment = Duration::from_nanos(1);
        assert_eq!(files.way(a, now + INTERVAL - moment), Way::HandOver);
        assert_eq!(files.way(a, now + INTERVAL), Way::Write);
        assert_eq!(files.way(a, now + INTERVAL), Way::Write, "all events of the same time go the same way");
        assert!(!files.gave_up(a, NotADirectory, "why", now + INTERVAL), "it was given up before");
        assert_eq!(files.kinds(), HashSet::from([NotADirectory]));
        assert_eq!(files.way(a, now + 2 * INTERVAL - moment), Way::HandOver);
        assert_eq!(files.way(a, now + 2 * INTERVAL), Way::Write);
        assert_eq!(files.all_is_written(), [a]);
        assert!(files.is_empty() && files.by_use.is_empty());
        assert_eq!(files.way(a, now), Way::Write);
    }

    #[test]
    fn what_was_tried_and_forgotten_is_no_proof() {
        let (mut files, now) = with(&["a", "b"]);
        files.way(Path::new("a"), now + INTERVAL);
        files.abandoned();
        assert!(files.all_is_written().is_empty());
        assert!(files.contains(Path::new("a")));
    }

    #[test]
    fn files_that_nobody_writes_to_are_forgotten() {
        let (mut files, now) = with(&["a", "b"]);
        files.way(Path::new("a"), now + Duration::from_secs(1));
        files.tidy(now + FORGET - Duration::from_nanos(1));
        assert!(files.contains(Path::new("b")));
        files.tidy(now + FORGET);
        assert!(!files.contains(Path::new("b")) && files.contains(Path::new("a")));
    }

    #[test]
    fn past_the_limit_the_one_goes_that_got_no_event_for_longest() {
        let (mut files, now) = with(&["first", "second"]);
        files.way(Path::new("first"), now + Duration::from_secs(1));
        for number in 2..MAX_BROKEN_FILES {
            files.gave_up(Path::new(&number.to_string()), PermissionDenied, "", now);
        }
        assert!(files.contains(Path::new("second")) && files.files.len() == MAX_BROKEN_FILES);
        files.gave_up(Path::new("one more"), PermissionDenied, "", now);
        assert!(!files.contains(Path::new("second")) && files.contains(Path::new("first")));
        assert_eq!((files.files.len(), files.by_use.len()), (MAX_BROKEN_FILES, MAX_BROKEN_FILES));
    }
}
