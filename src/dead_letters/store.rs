//! Reading the letters, also while a server writes them.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::file_name::FileName;
use super::{Filter, Letter, LetterId, Settled, StoreError, folder};

/// The letters below a data folder.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
}

/// What a reading of the store saw besides the letters that it passed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scan {
    /// Letters that were passed on.
    pub letters: u64,
    /// Letters that were dropped or retried, and whose files still lie there.
    pub settled: u64,
    /// Whole lines that are no letters.
    pub unreadable: u64,
}

impl Store {
    /// Opens nothing; a folder that is not there holds no letters.
    pub fn new(data_dir: &Path) -> Self {
        Self { folder: folder(data_dir) }
    }

    /// The folder that the letters lie in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files with letters, the oldest day first.
    pub fn files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let error = || StoreError::of("list", &self.folder);
        let listed = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(error())?,
        };
        let mut files = Vec::new();
        for entry in listed {
            let path = entry.map_err(error())?.path();
            if let Some(name) = FileName::parse(&path) {
                files.push((name, path));
            }
        }
        files.sort_unstable();
        Ok(files.into_iter().map(|(_, path)| path).collect())
    }

    /// Passes on the letters that a filter takes and that are not settled, with their lines, until told to stop. A line
    /// that is still being written is left out.
    pub fn read<B>(
        &self,
        filter: &Filter,
        mut each: impl FnMut(LetterId, Letter, &[u8]) -> ControlFlow<B>,
    ) -> Result<(Scan, Option<B>), StoreError> {
        let settled = Settled::read(&self.folder)?;
        let mut scan = Scan::default();
        for path in self.files()? {
            let stopped = each_line(&path, |line| {
                let id = LetterId::of(line);
                let Some(letter) = Letter::parse(line) else {
                    scan.unreadable += 1;
                    return ControlFlow::Continue(());
                };
                if !filter.takes(id, &letter) {
                    return ControlFlow::Continue(());
                }
                if settled.contains_key(&id) {
                    scan.settled += 1;
                    return ControlFlow::Continue(());
                }
                scan.letters += 1;
                each(id, letter, line)
            })?;
            if let Some(stopped) = stopped {
                return Ok((scan, Some(stopped)));
            }
        }
        Ok((scan, None))
    }
}

/// Passes on the whole lines of a file without their newlines, until told to stop. A file that is gone has none.
pub(super) fn each_line<B>(
    path: &Path,
    mut each: impl FnMut(&[u8]) -> ControlFlow<B>,
) -> Result<Option<B>, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(StoreError::of("open", path))?,
    };
    let mut lines = BufReader::with_capacity(64 * 1024, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        lines.read_until(b'\n', &mut line).map_err(StoreError::of("read", path))?;
        let Some(whole) = line.strip_suffix(b"\n") else { return Ok(None) };
        if let ControlFlow::Break(stopped) = each(whole) {
            return Ok(Some(stopped));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    fn line(day: u8, tag: &str) -> String {
        format!(
            "{{\"position\":\"1:64\",\"reason\":\"r\",\"sender\":\"s\",\"tag\":\"{tag}\",\"chunk\":null,\
             \"received_at\":\"2026-02-{day:02}T00:00:00Z\",\"msgpack\":\"gA==\"}}\n"
        )
    }

    fn tags(store: &Store) -> (Scan, String) {
        let mut tags = String::new();
        let (scan, stopped) = store
            .read(&Filter::default(), |_, letter, _| {
                tags += &letter.tag;
                ControlFlow::<()>::Continue(())
            })
            .unwrap();
        assert_eq!(stopped, None);
        (scan, tags)
    }

    #[test]
    fn letters_come_by_day_without_what_is_settled_torn_or_no_letter() {
        let data_dir = tempfile::tempdir().unwrap();
        let store = Store::new(data_dir.path());
        assert_eq!(tags(&store), (Scan::default(), String::new()), "no folder, no letters");
        fs::create_dir(store.folder()).unwrap();
        fs::write(store.folder().join("2026-02-18.jsonl"), line(18, "c") + &line(18, "d")[..40]).unwrap();
        fs::write(store.folder().join("2026-02-17.jsonl"), line(17, "a") + "no letter\n" + &line(17, "b"))
            .unwrap();
        let dropped = LetterId::of(line(17, "a").trim_end().as_bytes());
        Settled::lock(store.folder()).unwrap().settle(&[dropped], Outcome::Dropped).unwrap();
        assert_eq!(tags(&store), (Scan { letters: 2, settled: 1, unreadable: 1 }, "bc".to_owned()));
    }

    #[test]
    fn reading_ends_where_it_is_told_to() {
        let data_dir = tempfile::tempdir().unwrap();
        let store = Store::new(data_dir.path());
        fs::create_dir(store.folder()).unwrap();
        fs::write(store.folder().join("2026-02-17.jsonl"), line(17, "a") + &line(17, "b")).unwrap();
        let (scan, stopped) = store.read(&Filter::default(), |_, _, _| ControlFlow::Break("enough")).unwrap();
        assert_eq!((scan.letters, stopped), (1, Some("enough")));
    }
}
