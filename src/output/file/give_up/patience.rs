//! How long a file may fail before it is given up.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::broken_files::BrokenFiles;
use crate::output::file::archive::FailedFile;

/// Tries that a file has which fails as one does that was given up.
const TRIES_OF_THE_LIKE: u32 = 2;

/// The files that could not be written the last time. It asks no clock.
#[derive(Debug)]
pub(super) struct Patience {
    after: Duration,
    failing: BTreeMap<PathBuf, Failing>,
}

#[derive(Debug)]
struct Failing {
    since: Instant,
    tried: Instant,
    tries: u32,
}

/// Files whose time is over.
pub(in crate::output::file) type Hopeless = BTreeMap<PathBuf, HopelessFile>;

/// What is known about one of them.
#[derive(Debug)]
pub(in crate::output::file) struct HopelessFile {
    pub(super) since: Instant,
    pub(super) tries: u32,
    pub(super) kind: io::ErrorKind,
    /// What could not be done and why, in words.
    pub(super) reason: String,
}

impl Patience {
    pub(super) fn new(after: Duration) -> Self {
        Self { after, failing: BTreeMap::new() }
    }

    /// Everything could be written.
    pub(super) fn all_is_written(&mut self) {
        self.failing.clear();
    }

    /// Takes everything that a flush could not write, and gives those whose time is over:
    ///
    /// * those that could not be written for `retry_timeout`, since their first failed try;
    /// * those that are tried again after they were given up;
    /// * those that failed twice as one did that was given up and did not work since: a tree of files below a broken folder
    ///   has new ones every hour. A disk that is full is no such case: it hits all files, and is emptied.
    pub(super) fn judge(&mut self, failed: Vec<FailedFile>, broken: &BrokenFiles, now: Instant) -> Hopeless {
        let mut before = std::mem::take(&mut self.failing);
        let mut hopeless = Hopeless::new();
        let kinds = broken.kinds();
        for FailedFile { path, action, kind, reason } in failed {
            let mut failing = before.remove(&path).unwrap_or(Failing { since: now, tried: now, tries: 1 });
            if failing.tried < now {
                failing.tried = now;
                failing.tries += 1;
            }
            let is_over = now.duration_since(failing.since) >= self.after;
            let is_alike =
                failing.tries >= TRIES_OF_THE_LIKE && !is_for_want_of_space(kind) && kinds.contains(&kind);
            if is_over || is_alike || broken.contains(&path) {
                let Failing { since, tries, .. } = failing;
                let reason = format!("cannot {action} it: {reason}");
                hopeless.insert(path, HopelessFile { since, tries, kind, reason });
            } else {
                self.failing.insert(path, failing);
            }
        }
        hopeless
    }
}

fn is_for_want_of_space(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::{self, NotADirectory, PermissionDenied, StorageFull};

    use super::*;

    const AFTER: Duration = Duration::from_secs(60);
    const SECOND: Duration = Duration::from_secs(1);

    fn failed(path: &str, kind: ErrorKind) -> FailedFile {
        FailedFile { path: path.into(), action: "open", kind, reason: "because".to_owned() }
    }

    fn judge(
        patience: &mut Patience,
        broken: &mut BrokenFiles,
        now: Instant,
        files: &[(&str, ErrorKind)],
    ) -> Vec<String> {
        let files = files.iter().map(|(path, kind)| failed(path, *kind)).collect();
        let hopeless = patience.judge(files, broken, now);
        for (path, file) in &hopeless {
            broken.gave_up(path, file.kind, &file.reason, now);
        }
        hopeless.keys().map(|path| path.display().to_string()).collect()
    }

    fn new() -> (Patience, BrokenFiles, Instant) {
        (Patience::new(AFTER), BrokenFiles::new(AFTER, SECOND), Instant::now())
    }

    #[test]
    fn a_file_is_given_up_when_its_time_is_over_and_not_a_moment_before() {
        let (mut patience, mut broken, start) = new();
        let files = [("a", PermissionDenied)];
        let mut judge = |at: Duration| judge(&mut patience, &mut broken, start + at, &files);
        assert!(judge(Duration::ZERO).is_empty());
        assert!(judge(SECOND).is_empty());
        assert!(judge(AFTER - Duration::from_nanos(1)).is_empty());
        assert_eq!(judge(AFTER), ["a"]);
    }

    #[test]
    fn the_time_begins_anew_with_a_file_that_was_written_meanwhile() {
        let (mut patience, mut broken, start) = new();
        let mut judge = |patience: &mut Patience, at: Duration, files: &[(&str, ErrorKind)]| {
            judge(patience, &mut broken, start + at, files)
        };
        let (a, b) = (("a", PermissionDenied), ("b", PermissionDenied));
        assert!(judge(&mut patience, Duration::ZERO, &[a, b]).is_empty());
        assert!(judge(&mut patience, SECOND, &[b]).is_empty());
        assert_eq!(judge(&mut patience, AFTER, &[a, b]), ["b"]);
        patience.all_is_written();
        assert!(judge(&mut patience, AFTER, &[("c", StorageFull)]).is_empty());
    }

    #[test]
    fn one_that_fails_as_another_that_was_given_up_has_one_more_try() {
        let (mut patience, mut broken, start) = new();
        let mut judge =
            |at: Duration, files: &[(&str, ErrorKind)]| judge(&mut patience, &mut broken, start + at, files);
        let old = ("old", NotADirectory);
        assert!(judge(Duration::ZERO, &[old]).is_empty());
        assert_eq!(judge(AFTER, &[old, ("like", NotADirectory)]), ["old"]);
        // The same moment is no second try.
        assert!(judge(AFTER, &[("like", NotADirectory)]).is_empty());
        let files = [("like", NotADirectory), ("other", PermissionDenied)];
        assert_eq!(judge(AFTER + SECOND, &files), ["like"]);
        assert!(judge(AFTER + 2 * SECOND, &files[1..]).is_empty());
        // One that was given up and is tried again has no second try.
        assert_eq!(judge(AFTER + 3 * SECOND, &[old]), ["old"]);
    }

    #[test]
    fn a_full_disk_hurries_no_file() {
        let (mut patience, mut broken, start) = new();
        let mut judge =
            |at: Duration, files: &[(&str, ErrorKind)]| judge(&mut patience, &mut broken, start + at, files);
        judge(Duration::ZERO, &[("a", StorageFull)]);
        assert_eq!(judge(AFTER, &[("a", StorageFull), ("b", StorageFull)]), ["a"]);
        for at in 1..60 {
            assert!(judge(AFTER + at * SECOND, &[("b", StorageFull)]).is_empty());
        }
        assert_eq!(judge(2 * AFTER, &[("b", StorageFull)]), ["b"]);
    }
}
