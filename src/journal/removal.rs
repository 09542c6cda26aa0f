//! What the writer removes: segments that every output has passed, or is made to pass.

use std::io;

use super::backlog::Unattended;
use super::left_behind;
use super::missing::tell_vanished;
use super::shared::Held;
use super::skip::{SkipError, skip};
use super::writer::{Moment, Writer};
use crate::config::WhenFull;

/// Bytes of segments that are removed for each one that is begun while somebody waits for the writer; the first in any case. To
/// remove one takes ten milliseconds where the file system discards its blocks, and an output gives many of them free at once.
pub(super) const REMOVED_WHILE_ASKED: u64 = 32 * 1024 * 1024;

impl Writer {
    /// Where `when_full` says so, asks the outputs that need the oldest segment, or this one, to do without it; whether
    /// one can be removed on the spot. Those that run are given the time to save what they have delivered.
    pub(super) fn give_up_the_oldest(&mut self, only: Option<&str>, now: Moment) -> bool {
        if self.when_full != WhenFull::DropOldest {
            return false;
        }
        let before = self.shared.segment_count();
        let unattended = self.shared.ask_for_the_oldest(only);
        self.skip_for(unattended);
        self.release(now);
        self.shared.segment_count() < before || !self.shared.removable().is_empty()
    }

    /// Skips in the place of outputs that do not run.
    fn skip_for(&self, unattended: Unattended) {
        for (id, asked) in unattended {
            let skipped = match self.cursors.load(&id) {
                Ok(Some(mut cursor)) if cursor.journal == self.shared.journal => {
                    // What is read may be what could not be made durable the last time.
                    let durable = self.cursors.sync().map_err(SkipError::from);
                    let skipped =
                        durable.and_then(|()| skip(&self.shared, &self.cursors, &id, &mut cursor, asked));
                    if skipped.is_ok() {
                        self.shared.set_cursor(&id, Held::by(&cursor));
                    }
                    skipped.map_err(|error| error.to_string())
                }
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = skipped {
                tracing::warn!(
                    output = id,
                    error,
                    "an output that the configuration no longer has is too far behind, and cannot leave its backlog \
                     behind: it holds the journal"
                );
            }
        }
    }

    /// Removes segments that every output has passed and that were retained long enough, and leaves their chunk ids
    /// behind while those are needed. While somebody waits for the writer, no more than [`REMOVED_WHILE_ASKED`] for each
    /// segment that is begun.
    pub(super) fn release(&mut self, now: Moment) {
        let unattended = self.shared.ask_those_behind();
        self.skip_for(unattended);
        let over = self.retention.over(&self.shared, now.wall);
        let mut left = &over[..];
        while let [segment, others @ ..] = left {
            let bytes = self.shared.bytes_of(&[*segment]);
            let has_time = self.may_remove > 0 || !self.has_requests();
            if !has_time || !self.remove_segment(*segment) {
                break;
            }
            self.may_remove = self.may_remove.saturating_sub(bytes);
            left = others;
        }
        self.shared.metrics.removable_bytes.set(self.shared.bytes_of(left) as i64);
        self.tidy_kept_ids();
    }

    /// Removes a segment that every output has passed; `false` where it is still there.
    pub(super) fn remove_segment(&mut self, segment: u64) -> bool {
        let needed = self.dedup.ids_in_segment(segment) > 0;
        let large = self.shared.large_of(segment);
        let removed = left_behind::remove_segment(&self.shared.folder, &self.shared.journal, segment, needed);
        match removed {
            // Nobody needs it any more but for its chunk ids, which are in memory until the next start.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tell_vanished(&self.shared, segment);
                self.shared.remove_segment(segment);
                self.remove_large(&large);
                true
            }
            Ok(kept) => {
                self.shared.remove_segment(segment);
                self.remove_large(&large);
                if let Some(file) = kept {
                    self.kept_ids.insert(segment, file);
                }
                true
            }
            Err(error) => {
                tracing::warn!(%error, segment, "cannot remove a journal segment that was delivered; will try again");
                false
            }
        }
    }
}
