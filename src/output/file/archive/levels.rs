//! Which gzip level each file gets.
//!
//! Where the level is `auto`, one member in a while is tried at several levels on its way, as a sample of what its file
//! holds, and the members behind it get the level that was best. All of it goes by sizes alone, so that the same lines
//! give the same files, whatever the clock says and however many threads there are.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use crate::config::CompressionLevel;
use crate::output::file::gzip::{Gzip, Level, SAMPLE};

/// Text between two samples, in bytes: of the same file, and of all files together. A sample takes as long as compressing
/// five to ten times as much by libdeflate, at most 2 percent of the time, and more by ISA-L, up to 15 percent.
const SAMPLE_EVERY: u64 = 32 * 1024 * 1024;

/// So many files may be sampled at once, at the beginning and after many small files.
const SAMPLES_AT_ONCE: u64 = 16;

/// Files without a sample of their own get the smallest level of so many that had one.
const RECENT: usize = 8;

/// Files whose level is kept. Beyond, all are sampled anew.
const MAX_STREAMS: usize = 1024;

/// The levels of one output.
#[derive(Debug)]
pub(super) struct Levels {
    level: CompressionLevel,
    streams: HashMap<Arc<Path>, Stream>,
    /// Text that was not sampled, up to a limit: what samples are paid with.
    credit: u64,
    /// What samples said until the last flush, and since then.
    recent: VecDeque<Level>,
    found: Vec<Level>,
}

#[derive(Debug)]
struct Stream {
    level: Level,
    /// Bytes of text since its sample.
    behind: u64,
}

/// How a text is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    At(Level),
    /// At the level that its beginning is found best at.
    Sample,
}

impl Levels {
    pub(super) fn new(level: CompressionLevel) -> Self {
        let credit = SAMPLES_AT_ONCE * SAMPLE_EVERY;
        Self { level, streams: HashMap::new(), credit, recent: VecDeque::new(), found: Vec::new() }
    }

    /// For the next text, of so many bytes, of a file.
    pub(super) fn plan(&mut self, path: &Path, length: usize) -> Plan {
        if let CompressionLevel::Fixed(level) = self.level {
            return Plan::At(Level::libdeflate(level));
        }
        self.credit = self.credit.saturating_add(length as u64).min(SAMPLES_AT_ONCE * SAMPLE_EVERY);
        if length < SAMPLE {
            return Plan::At(Level::UNKNOWN);
        }
        let stream = self.streams.get_mut(path);
        let (level, is_due) = match stream {
            Some(stream) => {
                stream.behind = stream.behind.saturating_add(length as u64);
                (stream.level, stream.behind >= SAMPLE_EVERY)
            }
            None => (self.recent.iter().copied().max().unwrap_or(Level::UNKNOWN), true),
        };
        if !is_due || self.credit < SAMPLE_EVERY {
            return Plan::At(level);
        }
        self.credit -= SAMPLE_EVERY;
        Plan::Sample
    }

    /// What the sample of a file said.
    pub(super) fn sampled(&mut self, path: &Arc<Path>, level: Level) {
        if self.streams.len() >= MAX_STREAMS && !self.streams.contains_key(path) {
            self.streams.clear();
        }
        let before = self.streams.insert(Arc::clone(path), Stream { level, behind: 0 });
        if before.is_none_or(|before| before.level != level) {
            tracing::debug!(path = %path.display(), %level, "the gzip level that is small enough for what a file gets");
        }
        self.found.push(level);
    }

    /// All texts of a flush are compressed: what is found out in a flush counts for other files from the next one on, so
    /// that it does not matter which is compressed first.
    pub(super) fn flushed(&mut self) {
        self.recent.extend(self.found.drain(..));
        self.recent.drain(..self.recent.len().saturating_sub(RECENT));
    }
}

impl Plan {
    /// The level for a text.
    pub(super) fn level(self, gzip: &mut Gzip, text: &[u8]) -> Level {
        match self {
            Self::At(level) => level,
            Self::Sample => gzip.fastest_within(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMBER: usize = 256 * 1024;

    fn path(number: usize) -> Arc<Path> {
        Path::new(&format!("{number}.gz")).into()
    }

    #[test]
    fn a_level_that_is_set_is_the_level_of_everything() {
        let mut levels = Levels::new(CompressionLevel::Fixed(9));
        assert_eq!(
            [1, SAMPLE, MEMBER].map(|length| levels.plan(&path(1), length)),
            [Plan::At(Level::libdeflate(9)); 3]
        );
    }

    #[test]
    fn a_file_is_sampled_at_first_and_then_every_so_many_bytes() {
        let mut levels = Levels::new(CompressionLevel::Auto);
        let file = path(1);
        assert_eq!(levels.plan(&file, SAMPLE - 1), Plan::At(Level::UNKNOWN));
        for level in [2, 5].map(Level::libdeflate) {
            assert_eq!(levels.plan(&file, MEMBER), Plan::Sample);
            levels.sampled(&file, level);
            for _ in 1..SAMPLE_EVERY / MEMBER as u64 {
                assert_eq!(levels.plan(&file, MEMBER), Plan::At(level));
            }
        }
        assert_eq!(levels.plan(&file, SAMPLE - 1), Plan::At(Level::UNKNOWN));
    }

    #[test]
    fn many_files_take_turns_and_get_the_smallest_level_of_others_meanwhile() {
        let mut levels = Levels::new(CompressionLevel::Auto);
        let all = SAMPLES_AT_ONCE as usize;
        for number in 0..all {
            assert_eq!(levels.plan(&path(number), SAMPLE), Plan::Sample);
            let level = if number == all - RECENT { 3 } else { 1 };
            levels.sampled(&path(number), Level::libdeflate(level));
        }
        // Of sixteen texts there is no credit for one more; and what was found counts from the next flush on.
        assert_eq!(levels.plan(&path(all), SAMPLE), Plan::At(Level::UNKNOWN));
        levels.flushed();
        assert_eq!(levels.plan(&path(all), SAMPLE), Plan::At(Level::libdeflate(3)));
        let until = (1..).find(|_| levels.plan(&path(all), MEMBER) == Plan::Sample).unwrap();
        assert!(until as u64 * MEMBER as u64 <= SAMPLE_EVERY, "{until}");
        levels.sampled(&path(all), Level::libdeflate(1));
        levels.flushed();
        assert_eq!(
            levels.plan(&path(all + 1), SAMPLE),
            Plan::At(Level::libdeflate(1)),
            "the 3 is too long ago"
        );
    }

    #[test]
    fn what_is_kept_of_files_has_a_limit() {
        let mut levels = Levels::new(CompressionLevel::Auto);
        for number in 0..3 * MAX_STREAMS {
            levels.sampled(&path(number), Level::libdeflate(1));
            assert!(levels.streams.len() <= MAX_STREAMS);
            levels.flushed();
        }
        assert!(levels.recent.len() <= RECENT);
    }
}
