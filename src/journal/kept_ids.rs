//! What the chunk ids of removed segments may take on the disk (`journal.dedup_max_size`).
//!
//! A file of ids stays as long as one of them is remembered, and an id is remembered for as long as its sender is silent. So
//! a sender that fills segments with tiny chunks, whose own ids go by its quota, and another one with a chunk in each
//! of them could hold any number of large files, of which next to nothing is needed. At the limit, therefore:
//!
//! 1. files of which at most half is needed are written anew without the rest, so that nobody's ids go because of what is
//!    not needed;
//! 2. if that is not enough, the ids of the oldest file are forgotten, and counted: a resend of those chunks is kept
//!    twice rather than nowhere.

use std::collections::BTreeMap;
use std::io;

use super::left_behind::{IdsFile, put_ids, read_ids};
use super::writer::Writer;

/// Files take whole blocks.
const BLOCK: u64 = 4096;

/// A file is written anew when what is needed of it is less than this part.
const THINNED_BELOW: usize = 2;

/// The files of ids of removed segments.
#[derive(Debug, Default)]
pub(super) struct KeptIds {
    by_segment: BTreeMap<u64, IdsFile>,
    /// Of all of them, on the disk.
    bytes: u64,
}

impl KeptIds {
    /// Takes up a file, or what is there now in its place.
    pub(super) fn insert(&mut self, segment: u64, file: IdsFile) {
        let file = IdsFile { bytes: file.bytes.next_multiple_of(BLOCK), ..file };
        self.remove(segment);
        self.bytes += file.bytes;
        self.by_segment.insert(segment, file);
    }

    fn remove(&mut self, segment: u64) {
        self.bytes -= self.by_segment.remove(&segment).map_or(0, |file| file.bytes);
    }

    /// Bytes on the disk, in whole blocks.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The newest segment that left its ids behind.
    pub(super) fn newest(&self) -> Option<u64> {
        self.by_segment.keys().next_back().copied()
    }

    fn oldest(&self) -> Option<u64> {
        self.by_segment.keys().next().copied()
    }

    /// One of which most is not needed, by how many ids of a segment still are. Once written anew it holds each of those
    /// once, and is not thin any more.
    fn thinnest(&self, needed: impl Fn(u64) -> usize) -> Option<u64> {
        let is_thin = |(segment, file): &(&u64, &IdsFile)| {
            file.bytes > BLOCK && needed(**segment).saturating_mul(THINNED_BELOW) <= file.ids
        };
        let thin = self.by_segment.iter().filter(is_thin);
        thin.max_by_key(|(_, file)| file.bytes).map(|(segment, _)| *segment)
    }
}

impl Writer {
    /// Removes the files of ids that are all forgotten, and keeps the others within their limit.
    pub(super) fn tidy_kept_ids(&mut self) {
        // After most commits there are none, and nothing is allocated.
        let is_over = |segment: &u64| self.dedup.ids_in_segment(*segment) == 0;
        let over: Vec<u64> = self.kept_ids.by_segment.keys().copied().filter(is_over).collect();
        for segment in over {
            self.remove_ids(segment);
        }
        while self.kept_ids.bytes() > self.dedup_max_size {
            let dedup = &self.dedup;
            let done = match self.kept_ids.thinnest(|segment| dedup.ids_in_segment(segment)) {
                Some(segment) => self.thin_ids(segment) || self.forget_oldest_ids(),
                None => self.forget_oldest_ids(),
            };
            if !done {
                break;
            }
        }
    }

    /// Writes a file anew, with the ids that are needed; `false` where that fails.
    fn thin_ids(&mut self, segment: u64) -> bool {
        let (folder, journal, dedup) = (&self.shared.folder, &self.shared.journal, &self.dedup);
        let thinned = read_ids(folder, journal, segment).and_then(|found| match found {
            Some(mut left) => {
                left.footer = left.footer.only(|noted| dedup.needs(noted, segment));
                put_ids(folder, journal, segment, &left)
            }
            None => Err(io::ErrorKind::InvalidData.into()),
        });
        match thinned {
            Ok(file) => self.kept_ids.insert(segment, file),
            Err(error) => {
                tracing::warn!(%error, segment, "cannot write old chunk ids anew, without those that are not needed");
                return false;
            }
        }
        true
    }

    /// Forgets the ids of the oldest file; `false` where it is still there.
    fn forget_oldest_ids(&mut self) -> bool {
        let Some(oldest) = self.kept_ids.oldest() else { return false };
        self.dedup.forget_up_to(oldest);
        self.remove_ids(oldest)
    }

    fn remove_ids(&mut self, segment: u64) -> bool {
        let folder = &self.shared.folder;
        match folder.remove_if_there(&folder.ids_path(segment)) {
            Ok(()) => self.kept_ids.remove(segment),
            Err(error) => {
                tracing::warn!(%error, segment, "cannot remove old chunk ids; will try again");
                return false;
            }
        }
        true
    }
}
