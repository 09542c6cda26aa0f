//! The size of the store: which file the next letter goes to, and which files are removed.
//!
//! A file goes when all of its letters are settled, and the oldest ones go when the files together are past the limit.
//! Only the output that writes the files may ask for that, right after a checkpoint: then no line hangs in the air.

use std::collections::HashMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::file_name::FileName;
use super::settled::sync_folder_of;
use super::store::each_line;
use super::{LetterId, Settled, Store, StoreError};
use crate::metrics::DeadLetterMetrics;

/// How often files are looked through.
const INTERVAL: Duration = Duration::from_secs(60);

/// A file of letters holds this part of what all of them may.
const FILES_IN_LIMIT: u64 = 16;

/// Keeps the files of one writer within a limit.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    given_up: bool,
    max_size: u64,
    /// The file of a day that is written, and its bytes.
    parts: HashMap<String, (u32, u64)>,
    /// Bytes written since the files were looked through.
    written: u64,
    due: Instant,
    /// Length of what was settled when it was looked through.
    settled: u64,
    metrics: DeadLetterMetrics,
}

impl Keeper {
    /// For the files of what outputs gave up, or for the others. `max_size` in bytes.
    pub fn new(
        store: Store,
        given_up: bool,
        max_size: u64,
        now: Instant,
        metrics: DeadLetterMetrics,
    ) -> Self {
        Self { store, given_up, max_size, parts: HashMap::new(), written: 0, due: now, settled: 0, metrics }
    }

    /// The file for a letter of a day.
    pub fn path(&mut self, day: &str) -> PathBuf {
        let part_size = self.max_size / FILES_IN_LIMIT;
        if !self.parts.contains_key(day) {
            // A folder that can't be listed shows when it is written to.
            let newest = self.own_files().unwrap_or_default().into_iter().rfind(|(name, ..)| name.day == day);
            let part = newest.map_or((1, 0), |(name, _, length)| (name.part, length));
            self.parts.insert(day.to_owned(), part);
        }
        let (part, bytes) = self.parts.entry(day.to_owned()).or_insert((1, 0));
        if *bytes >= part_size {
            (*part, *bytes) = (*part + 1, 0);
        }
        let name = FileName { day: day.to_owned(), given_up: self.given_up, part: *part };
        self.store.folder().join(name.to_string())
    }

    /// A letter of so many bytes is on its way to the file of its day.
    pub fn wrote(&mut self, day: &str, bytes: u64, now: Instant) {
        if let Some((_, written)) = self.parts.get_mut(day) {
            *written += bytes;
        }
        self.written += bytes;
        if self.written >= self.max_size / FILES_IN_LIMIT {
            self.due = self.due.min(now);
        }
    }

    /// When [`keep`](Self::keep) should be called.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Removes what may and what must go.
    pub fn keep(&mut self, now: Instant) -> Result<(), StoreError> {
        (self.due, self.written) = (now + INTERVAL, 0);
        self.remove_settled()?;
        let mut files = self.own_files()?;
        let mut total: u64 = files.iter().map(|(_, _, length)| length).sum();
        while total > self.max_size && !files.is_empty() {
            let (name, path, length) = files.remove(0);
            let settled = Settled::read(self.store.folder())?;
            let mut letters = 0;
            each_line(&path, |line| {
                letters += u64::from(!settled.contains_key(&LetterId::of(line)));
                ControlFlow::<()>::Continue(())
            })?;
            self.remove(&name, &path)?;
            total -= length;
            self.metrics.removed.inc_by(letters);
            tracing::error!(
                file = %path.display(), letters, bytes = length, max_size = self.max_size,
                "removed the oldest dead letters, since there are more than [dead_letters] max_size allows: they are \
                 gone. See hikyaku dead-letter ls"
            );
        }
        self.metrics.bytes.set(i64::try_from(total).unwrap_or(i64::MAX));
        Ok(())
    }

    /// Removes files of which every letter is settled, where something was settled since the last time.
    fn remove_settled(&mut self) -> Result<(), StoreError> {
        let length = fs::metadata(self.store.folder().join("settled.log")).map_or(0, |file| file.len());
        if length == self.settled {
            return Ok(());
        }
        let mut settled = Settled::lock(self.store.folder())?;
        for (name, path, length) in self.own_files()? {
            let (mut ids, mut bytes) = (Vec::new(), 0);
            let unsettled = each_line(&path, |line| {
                let id = LetterId::of(line);
                if !settled.outcomes().contains_key(&id) {
                    return ControlFlow::Break(());
                }
                ids.push(id);
                bytes += line.len() as u64 + 1;
                ControlFlow::Continue(())
            })?;
            if unsettled.is_some() || bytes != length {
                continue;
            }
            self.remove(&name, &path)?;
            // A file that came back after a power failure would bring its letters with it, and nobody would know that they
            // are settled.
            sync_folder_of(&path).map_err(StoreError::of("sync the folder of", &path))?;
            ids.sort_unstable();
            settled.retain(|id| ids.binary_search(&id).is_err())?;
        }
        drop(settled);
        self.settled = fs::metadata(self.store.folder().join("settled.log")).map_or(0, |file| file.len());
        Ok(())
    }

    /// Removes a file; its writer, which may have it open, begins another.
    fn remove(&mut self, name: &FileName, path: &PathBuf) -> Result<(), StoreError> {
        fs::remove_file(path).map_err(StoreError::of("remove", path))?;
        let (part, bytes) = self.parts.entry(name.day.clone()).or_insert((name.part, 0));
        if *part == name.part {
            (*part, *bytes) = (name.part + 1, 0);
        }
        Ok(())
    }

    /// The files of this writer, the oldest first, with their lengths.
    fn own_files(&self) -> Result<Vec<(FileName, PathBuf, u64)>, StoreError> {
        let files = self.store.files()?.into_iter().filter_map(|path| {
            let name = FileName::parse(&path).filter(|name| name.given_up == self.given_up)?;
            let length = fs::metadata(&path).ok()?.len();
            Some((name, path, length))
        });
        Ok(files.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Filter, Outcome};
    use super::*;
    use crate::metrics::Metrics;

    struct Scene {
        data_dir: tempfile::TempDir,
        keeper: Keeper,
        now: Instant,
    }

    const DAY: &str = "2026-02-17";

    impl Scene {
        fn new(max_size: u64) -> Self {
            let data_dir = tempfile::tempdir().unwrap();
            fs::create_dir(super::super::folder(data_dir.path())).unwrap();
            let now = Instant::now();
            let metrics = Metrics::new("test", 10).dead_letters("@dead-letters");
            let keeper = Keeper::new(Store::new(data_dir.path()), false, max_size, now, metrics);
            Self { data_dir, keeper, now }
        }

        /// Writes a letter of 200 bytes.
        fn write(&mut self, number: u32) {
            use std::io::Write as _;
            let mut line = format!(
                "{{\"position\":\"1:{number}\",\"reason\":\"r\",\"sender\":\"s\",\"tag\":\"t\",\"chunk\":null,\
                 \"received_at\":\"{DAY}T00:00:00Z\",\"msgpack\":\""
            );
            let padding = 197 - line.len();
            line.push_str(&"A".repeat(padding));
            line.push_str("\"}\n");
            assert_eq!(line.len(), 200);
            let path = self.keeper.path(DAY);
            let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
            file.write_all(line.as_bytes()).unwrap();
            self.keeper.wrote(DAY, 200, self.now);
        }

        fn ids(&self) -> Vec<LetterId> {
            let mut ids = Vec::new();
            let each = |id, _, _: &[u8]| {
                ids.push(id);
                ControlFlow::<()>::Continue(())
            };
            Store::new(self.data_dir.path()).read(&Filter::default(), each).unwrap();
            ids
        }
    }

    #[test]
    fn at_the_limit_all_stay_and_past_it_the_oldest_file_goes_counted() {
        // Files of two letters each, and room for sixteen of those.
        let mut scene = Scene::new(6_400);
        (0..32).for_each(|number| scene.write(number));
        scene.keeper.keep(scene.now).unwrap();
        assert_eq!((scene.ids().len(), scene.keeper.metrics.removed.get()), (32, 0));
        assert_eq!(scene.keeper.metrics.bytes.get(), 6_400);
        assert_eq!(scene.keeper.store.files().unwrap().len(), 16);
        scene.write(32);
        assert!(scene.keeper.due() > scene.now, "one letter is no hurry");
        scene.write(33);
        assert!(scene.keeper.due() <= scene.now, "a file full is");
        scene.keeper.keep(scene.now).unwrap();
        assert_eq!((scene.ids().len(), scene.keeper.metrics.removed.get()), (32, 2));
    }

    #[test]
    fn a_file_goes_when_all_its_letters_are_settled_and_not_before() {
        let mut scene = Scene::new(32_000);
        (0..3).for_each(|number| scene.write(number));
        let ids = scene.ids();
        let folder = scene.keeper.store.folder().to_owned();
        Settled::lock(&folder).unwrap().settle(&ids[..2], Outcome::Dropped).unwrap();
        scene.keeper.keep(scene.now).unwrap();
        assert_eq!((scene.ids().len(), scene.keeper.metrics.bytes.get()), (1, 600));
        Settled::lock(&folder).unwrap().settle(&ids[2..], Outcome::Retried).unwrap();
        scene.keeper.keep(scene.now).unwrap();
        assert_eq!((scene.keeper.store.files().unwrap().len(), scene.keeper.metrics.bytes.get()), (0, 0));
        assert_eq!(Settled::read(&folder).unwrap().len(), 0, "nobody remembers what is gone");
        assert_eq!(scene.keeper.metrics.removed.get(), 0, "nothing was lost");
        scene.write(7);
        assert!(folder.join(format!("{DAY}.2.jsonl")).is_file(), "the writer may have the old one open");
    }
}
