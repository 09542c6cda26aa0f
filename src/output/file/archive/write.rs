//! Writing buffers into files that are prepared, each whole or not at all.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::Archive;
use super::failures::Failures;
use super::known_files::Surprise;
use super::levels::Plan;
use super::members::Text;
use crate::output::file::error::ArchiveError;
use crate::output::file::gzip::Level;
use crate::storage::{Open, append_all};

/// Why a buffer is not in its file.
enum Unwritten {
    /// The file is not what it was.
    Surprise(Surprise),
    /// The file is as it was before, or is so before anything else is written to it.
    Failed(&'static str, io::Error),
    /// Something else came to light which ends the whole flush.
    Fatal(ArchiveError),
}

impl Archive {
    /// Writes all that are prepared. Files that turn out to be surprising are left for another round.
    pub(super) fn write(&mut self, pending: &[usize], failures: &mut Failures) -> Result<(), ArchiveError> {
        let is_prepared = |index: &usize| {
            self.files.get(&self.buffers.get(*index).path).is_some_and(|known| known.recorded)
        };
        let prepared: Vec<usize> = pending.iter().copied().filter(is_prepared).collect();
        let mut rest = prepared.as_slice();
        while !rest.is_empty() {
            let lengths = rest.iter().map(|index| self.buffers.get(*index).lines().len());
            let (batch, behind) = rest.split_at(self.members.at_a_time(lengths));
            self.compress(batch);
            self.write_batch(batch, failures)?;
            rest = behind;
        }
        Ok(())
    }

    fn write_batch(&mut self, batch: &[usize], failures: &mut Failures) -> Result<(), ArchiveError> {
        for index in batch {
            let path = Arc::clone(&self.buffers.get(*index).path);
            match self.write_one(*index, &path) {
                Ok(()) => {}
                Err(Unwritten::Surprise(surprise)) => self.accept(&path, surprise)?,
                Err(Unwritten::Failed(action, error)) => failures.add(action, &path, error),
                Err(Unwritten::Fatal(error)) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_one(&mut self, index: usize, path: &Arc<Path>) -> Result<(), Unwritten> {
        if !self.open(path)? {
            // A last look: the compression can have taken long.
            match self.compare(path) {
                Ok(verdict) => verdict.map_err(Unwritten::Surprise)?,
                Err(error) => return Err(Unwritten::Failed("look at", error)),
            }
        }
        self.cut_torn(path).map_err(|error| Unwritten::Failed("cut back", error))?;
        let lines = self.buffers.get(index).lines();
        if self.is_large(lines.len()) && !is_gzip(path) {
            self.metrics.delivered_bytes.inc_by(lines.len() as u64);
            self.metrics.write_count.inc();
            self.half_flushed = true;
            return self.write_large(index, path).map_err(Unwritten::Fatal);
        }
        let content = self.members.get(index).unwrap_or(lines);
        let length = content.len() as u64;
        let Some(known) = self.files.get_mut(path) else { return Ok(()) };
        let Some(handle) = &mut known.handle else { return Ok(()) };
        if let Err(error) = append_all(handle.file.as_ref(), content) {
            handle.dirty = true;
            known.torn = length;
            self.metrics.rollback_count.inc();
            if let Err(error) = self.cut_torn(path) {
                tracing::warn!(
                    path = %path.display(), %error,
                    "cannot cut off what a failed write left in an archive file: tried again before the next write"
                );
            }
            return Err(Unwritten::Failed("write to", error));
        }
        self.files.written(path, length);
        self.buffers.empty(index);
        self.half_flushed = true;
        self.metrics.write_count.inc();
        self.metrics.delivered_bytes.inc_by(length);
        Ok(())
    }

    /// Makes the members of those that go into `.gz` files.
    fn compress(&mut self, batch: &[usize]) {
        let buffers = batch.iter().map(|index| (*index, self.buffers.get(*index)));
        let compressed = buffers.filter(|(_, buffer)| is_gzip(&buffer.path));
        let texts = compressed.map(|(index, buffer)| {
            let lines = buffer.lines();
            Text { index, lines, plan: self.levels.plan(&buffer.path, lines.len()) }
        });
        let texts: Vec<Text<'_>> = texts.collect();
        let threads = self.members.make(&texts);
        if !texts.is_empty() {
            self.metrics.compression_threads.set(i64::try_from(threads).unwrap_or(i64::MAX));
        }
        // There may be thousands of files: their levels are few.
        let mut by_level: BTreeMap<Level, (u64, u64)> = BTreeMap::new();
        for text in &texts {
            let Some(level) = self.members.level(text.index) else { continue };
            let compressed = self.members.get(text.index).unwrap_or_default();
            let (bytes, to) = by_level.entry(level).or_default();
            *bytes += text.lines.len() as u64;
            *to += compressed.len() as u64;
            if text.plan == Plan::Sample {
                self.levels.sampled(&self.buffers.get(text.index).path, level);
            }
        }
        for (level, (bytes, to)) in by_level {
            self.metrics.compressed(level, bytes, to);
        }
    }

    /// Opens a known file, unless it is open: whether it was opened, and with that is known to be what it was.
    fn open(&mut self, path: &Arc<Path>) -> Result<bool, Unwritten> {
        if self.files.get(path).is_none_or(|known| known.handle.is_some()) {
            return Ok(false);
        }
        self.make_room().map_err(Unwritten::Fatal)?;
        let file = match self.storage.open(path, Open::Appending) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Unwritten::Surprise(Surprise::Removed));
            }
            file => file.map_err(|error| Unwritten::Failed("open", error))?,
        };
        let found = file.stat().map_err(|error| Unwritten::Failed("look at", error))?;
        if let Some(known) = self.files.get(path) {
            known.compare(Some(&found)).map_err(Unwritten::Surprise)?;
        }
        self.files.hold_open(path, file.into());
        Ok(true)
    }

    /// Cuts off what failed writes left in files, before what they hold is declared saved.
    pub(super) fn cut_all_torn(&mut self) -> Result<(), ArchiveError> {
        let mut failures = Failures::default();
        for path in self.files.torn() {
            if let Err(error) = self.cut_torn(&path) {
                failures.add("cut back", &path, error);
            }
        }
        let count = failures.count();
        failures.into_result(count)
    }

    fn cut_torn(&mut self, path: &Path) -> io::Result<()> {
        let Some(known) = self.files.get_mut(path).filter(|known| known.torn > 0) else { return Ok(()) };
        let reopened = match &known.handle {
            Some(_) => None,
            None => match self.storage.open(path, Open::Appending) {
                // Whoever removed it removed the torn end.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    known.torn = 0;
                    return Ok(());
                }
                file => Some(file?),
            },
        };
        let open = known.handle.as_ref().map(|handle| handle.file.as_ref());
        if let Some(file) = reopened.as_deref().or(open) {
            let found = file.stat()?;
            if found.identity.is_same_file(&known.identity) && known.compare(Some(&found)).is_ok() {
                file.set_len(known.length)?;
            }
        }
        if let Some(file) = reopened {
            file.sync()?;
        }
        known.torn = 0;
        Ok(())
    }
}

pub(super) fn is_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}
