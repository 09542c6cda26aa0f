//! The files of large chunks, when a journal is opened.

use std::io;

use super::Opened;
use crate::journal::damage;
use crate::journal::large::LargePlace;

impl Opened {
    /// Takes up the files of large chunks. Only in the last segment may there be some without a frame: those that were
    /// named just before the power went, and nobody was told that they are kept.
    pub(super) fn take_large(
        &mut self,
        files: Vec<(LargePlace, u64)>,
        needed: Option<u64>,
        last: Option<u64>,
        referred_to: &[u64],
    ) -> io::Result<()> {
        let first = self.segments.keys().next().copied().or(last);
        let first = first.into_iter().chain(needed).min();
        for (place, length) in files {
            let path = self.folder.large_path(place);
            let is_kept = match Some(place.segment) == last {
                true => referred_to.contains(&place.offset),
                false => self.segments.contains_key(&place.segment),
            };
            let is_damaged = self
                .damaged
                .iter()
                .any(|(segment, range)| *segment == place.segment && range.contains(&place.offset));
            let behind = last.unwrap_or(self.synced.segment + 1);
            let is_missing = first.is_some_and(|first| first <= place.segment) && place.segment < behind;
            if is_kept {
                self.large.push((place, length));
            } else if is_damaged || is_missing {
                let to = damage::set_file_aside(&self.folder, &path)?;
                self.folder.storage().remove(&path)?;
                tracing::error!(
                    copy = %to.display(), bytes = length,
                    "the frame of a large chunk is lost, and the chunk with it: its entries were set aside"
                );
            } else {
                self.folder.storage().remove(&path)?;
                tracing::info!(
                    path = %path.display(), bytes = length,
                    "removed a large chunk without a frame: it was not acknowledged, or delivered and let go"
                );
            }
        }
        self.folder.sync()
    }
}
