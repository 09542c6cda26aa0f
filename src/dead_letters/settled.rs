//! Letters that were dropped or retried: `settled.log`.
//!
//! ```text
//! hikyaku settled letters 1
//! 6c0a4e1b8d2f9733 dropped
//! 01ffa5c2e9b84d60 retried
//! ```
//!
//! Lines are appended and synced under the lock of the folder. Where a crash tore the last line, that letter is not
//! settled, and the torn line is cut off before the next one is written.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::{FolderLock, LetterId, StoreError};

/// The first line. Another number is a newer version, which this one does not touch.
const HEADER: &str = "hikyaku settled letters 1\n";

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Dropped,
    Retried,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Retried => "retried",
        }
    }
}

/// What was settled when the lock was let go of, for whoever takes it again and again.
#[derive(Debug)]
pub struct Remembered {
    path: PathBuf,
    outcomes: HashMap<LetterId, Outcome>,
    end: Option<u64>,
    version: Option<Version>,
}

/// By which it is seen that a file is as it was left: whoever forgets letters puts another file in its place, and whoever
/// settles some makes it longer.
type Version = (u64, u64);

/// What is settled, with the lock that keeps others from settling meanwhile.
#[derive(Debug)]
pub struct Settled {
    path: PathBuf,
    outcomes: HashMap<LetterId, Outcome>,
    /// Where the last whole line ends; `None` before there is a file.
    end: Option<u64>,
    _lock: FolderLock,
}

impl Settled {
    /// Waits for the lock, which others hold for moments, and reads. Makes the folder if need be.
    pub fn lock(folder: &Path) -> Result<Self, StoreError> {
        let lock = FolderLock::take(folder)?;
        let path = folder.join("settled.log");
        let (outcomes, end) = load(&path)?;
        Ok(Self { path, outcomes, end, _lock: lock })
    }

    /// Lets go of the lock, and remembers what was read.
    pub fn unlock(self) -> Remembered {
        let version = version_of(&self.path);
        Remembered { path: self.path, outcomes: self.outcomes, end: self.end, version }
    }

    /// What is settled by now, without holding anybody up.
    pub fn read(folder: &Path) -> Result<HashMap<LetterId, Outcome>, StoreError> {
        load(&folder.join("settled.log")).map(|(outcomes, _)| outcomes)
    }

    /// What is settled.
    pub fn outcomes(&self) -> &HashMap<LetterId, Outcome> {
        &self.outcomes
    }

    /// Settles letters, durably. Those that are settled already stay as they are.
    pub fn settle(&mut self, letters: &[LetterId], outcome: Outcome) -> Result<(), StoreError> {
        let new: Vec<_> = letters.iter().filter(|id| !self.outcomes.contains_key(id)).copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut lines = String::with_capacity(HEADER.len() + 32 * new.len());
        if self.end.is_none() {
            lines.push_str(HEADER);
        }
        for id in &new {
            lines.push_str(&format!("{id} {}\n", outcome.word()));
        }
        let end = self.end.unwrap_or(0);
        self.append(lines.as_bytes(), end).map_err(StoreError::of("write", &self.path))?;
        self.end = Some(end + lines.len() as u64);
        self.outcomes.extend(new.into_iter().map(|id| (id, outcome)));
        Ok(())
    }

    /// Forgets all but those that `keep` holds for: the letters of files that were removed.
    pub fn retain(&mut self, keep: impl Fn(LetterId) -> bool) -> Result<(), StoreError> {
        let before = self.outcomes.len();
        self.outcomes.retain(|id, _| keep(*id));
        if self.outcomes.len() == before {
            return Ok(());
        }
        let mut text = HEADER.to_owned();
        for (id, outcome) in &self.outcomes {
            text.push_str(&format!("{id} {}\n", outcome.word()));
        }
        let beside = self.path.with_extension("tmp");
        let replace = || {
            let mut file = File::create(&beside)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)?;
            sync_folder_of(&self.path)
        };
        replace().map_err(StoreError::of("replace", &self.path))?;
        self.end = Some(text.len() as u64);
        Ok(())
    }

    fn append(&self, lines: &[u8], end: u64) -> io::Result<()> {
        let file = File::options().create(true).truncate(false).write(true).open(&self.path)?;
        // What a crash left of a line, or of the header.
        file.set_len(end)?;
        file.write_all_at(lines, end)?;
        file.sync_all()?;
        sync_folder_of(&self.path)
    }
}

impl Remembered {
    /// As [`Settled::lock`]; reads only where others have changed something since.
    pub fn lock(self) -> Result<Settled, StoreError> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let lock = FolderLock::take(folder)?;
        let Self { path, outcomes, end, version } = self;
        let (outcomes, end) = match version.is_some() && version_of(&path) == version {
            true => (outcomes, end),
            false => load(&path)?,
        };
        Ok(Settled { path, outcomes, end, _lock: lock })
    }
}

/// Inode and length; `None` where there is no file, or none that tells.
fn version_of(path: &Path) -> Option<Version> {
    fs::metadata(path).ok().map(|file| (file.ino(), file.len()))
}

pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// The letters, and where the last whole line ends.
fn load(path: &Path) -> Result<(HashMap<LetterId, Outcome>, Option<u64>), StoreError> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((HashMap::new(), None)),
        text => text.map_err(StoreError::of("read", path))?,
    };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    if whole == 0 {
        return Ok((HashMap::new(), None));
    }
    let Some(lines) = text[..whole].strip_prefix(HEADER.as_bytes()) else {
        let newer = io::Error::other("it was written by a newer version, or is none of ours");
        return Err(StoreError::of("read", path)(newer));
    };
    let outcomes = lines.split(|byte| *byte == b'\n').filter_map(|line| {
        let (id, word) = str::from_utf8(line).ok()?.split_once(' ')?;
        let outcome =
            [Outcome::Dropped, Outcome::Retried].into_iter().find(|outcome| outcome.word() == word)?;
        Some((id.parse().ok()?, outcome))
    });
    Ok((outcomes.collect(), Some(whole as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(count: u8) -> Vec<LetterId> {
        (0..count).map(|number| LetterId::of(&[number])).collect()
    }

    #[test]
    fn what_is_settled_is_settled_for_everybody_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let ids = ids(3);
        Settled::lock(folder.path()).unwrap().settle(&ids[..2], Outcome::Dropped).unwrap();
        let mut settled = Settled::lock(folder.path()).unwrap();
        settled.settle(&ids[1..], Outcome::Retried).unwrap();
        drop(settled);
        let read = Settled::read(folder.path()).unwrap();
        assert_eq!(
            ids.iter().map(|id| read[id]).collect::<Vec<_>>(),
            [Outcome::Dropped, Outcome::Dropped, Outcome::Retried]
        );
        let text = fs::read_to_string(folder.path().join("settled.log")).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
    }

    #[test]
    fn wherever_a_crash_tears_it_whole_lines_hold_and_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settled.log");
        let ids = ids(3);
        Settled::lock(folder.path()).unwrap().settle(&ids[..2], Outcome::Dropped).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(Settled::read(folder.path()).unwrap().len(), lines.saturating_sub(1), "{length}");
            Settled::lock(folder.path()).unwrap().settle(&ids[2..], Outcome::Retried).unwrap();
            let read = Settled::read(folder.path()).unwrap();
            assert_eq!(read.len(), lines.saturating_sub(1) + 1, "{length}");
            assert_eq!(read[&ids[2]], Outcome::Retried);
        }
    }

    #[test]
    fn letters_that_are_gone_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let ids = ids(3);
        let mut settled = Settled::lock(folder.path()).unwrap();
        settled.settle(&ids, Outcome::Dropped).unwrap();
        settled.retain(|id| id == ids[1]).unwrap();
        settled.settle(&ids[..1], Outcome::Retried).unwrap();
        drop(settled);
        let read = Settled::read(folder.path()).unwrap();
        assert_eq!((read.len(), read[&ids[0]], read[&ids[1]]), (2, Outcome::Retried, Outcome::Dropped));
    }

    #[test]
    fn a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("settled.log"), "hikyaku settled letters 2\n").unwrap();
        assert!(Settled::read(folder.path()).unwrap_err().to_string().contains("newer version"));
        assert!(Settled::lock(folder.path()).is_err());
    }

    #[test]
    fn what_others_settle_and_forget_while_the_lock_is_free_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let ids: Vec<_> = (0..4_u8).map(|number| LetterId::of(&[number])).collect();
        let mut own = Settled::lock(folder.path()).unwrap();
        own.settle(&ids[..1], Outcome::Retried).unwrap();
        let remembered = own.unlock();
        Settled::lock(folder.path()).unwrap().settle(&ids[1..2], Outcome::Dropped).unwrap();
        let mut own = remembered.lock().unwrap();
        assert_eq!(own.outcomes().len(), 2);
        own.settle(&ids[2..3], Outcome::Retried).unwrap();
        let remembered = own.unlock();
        let mut other = Settled::lock(folder.path()).unwrap();
        other.retain(|id| id == ids[2]).unwrap();
        drop(other);
        let mut own = remembered.lock().unwrap();
        own.settle(&ids[3..], Outcome::Retried).unwrap();
        let (own, read) = (own.unlock().lock().unwrap(), Settled::read(folder.path()).unwrap());
        assert_eq!(own.outcomes(), &read);
        assert_eq!(read, HashMap::from([(ids[2], Outcome::Retried), (ids[3], Outcome::Retried)]));
    }
}
