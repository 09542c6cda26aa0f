//! The chunk ids that segments name.

use std::io;

use super::Opened;
use crate::journal::dedup::Dedup;
use crate::journal::format::footer::{Footer, Noted};
use crate::journal::left_behind::{IdsFile, read_ids};
use crate::planted::{Bug, is_planted};

impl Opened {
    /// Remembers the ids of segments of which only those are left.
    pub(super) fn remember_removed(&mut self, files: &[(u64, u64)]) -> io::Result<()> {
        for &(segment, bytes) in files {
            let ids = read_ids(&self.folder, &self.journal, segment)?;
            match &ids {
                Some(left) => remember(&mut self.dedup, &left.footer, segment),
                None => tracing::warn!(
                    path = %self.folder.ids_path(segment).display(),
                    "old chunk ids are damaged or of another journal: resends of that time may be delivered twice"
                ),
            }
            let ids = ids.map_or(0, |left| left.footer.id_count());
            self.kept_ids.insert(segment, IdsFile { bytes, ids });
        }
        Ok(())
    }
}

pub(super) fn remember(dedup: &mut Dedup, footer: &Footer, segment: u64) {
    if is_planted(Bug::ForgottenIds) {
        return;
    }
    for noted in footer.noted() {
        match noted {
            Noted::Id(id) => {
                dedup.next_turn(&id.sender, None);
                dedup.insert(&id.sender, id.received_at, id.key, segment);
            }
            Noted::Acknowledged { sender, key } => dedup.next_turn(&sender, Some(key)),
        }
    }
}
