//! Files by what their path is made of, so that a path is rendered once for all events that share it.

use std::collections::HashMap;

use super::archive::SlotId;

/// The slots of files, by key. Events that come one after the other often share theirs.
#[derive(Debug, Default)]
pub(super) struct Slots {
    by_key: HashMap<Box<[u8]>, SlotId>,
    last_key: Vec<u8>,
    last: Option<SlotId>,
}

impl Slots {
    #[inline]
    pub(super) fn get(&mut self, key: &[u8]) -> Option<SlotId> {
        if self.last.is_some() && self.last_key == key {
            return self.last;
        }
        let slot = *self.by_key.get(key)?;
        self.remember(key, slot);
        Some(slot)
    }

    pub(super) fn insert(&mut self, key: &[u8], slot: SlotId) {
        self.by_key.insert(key.into(), slot);
        self.remember(key, slot);
    }

    pub(super) fn clear(&mut self) {
        self.by_key.clear();
        self.last = None;
    }

    fn remember(&mut self, key: &[u8], slot: SlotId) {
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        self.last = Some(slot);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::metrics::Metrics;
    use crate::output::file::archive::{Archive, ArchiveOptions};
    use crate::storage::Disk;

    #[test]
    fn each_key_has_its_slot_whichever_came_last_and_none_when_they_are_forgotten() {
        let options = ArchiveOptions {
            undo_folder: "unused".into(),
            generation: 0,
            max_open_files: 1,
            compression_level: crate::config::CompressionLevel::Fixed(1),
            compression_threads: 1,
            is_cautious: false,
        };
        let metrics = Metrics::new("test", 10).output("archive", "file");
        let mut archive = Archive::new(std::sync::Arc::new(Disk), options, metrics);
        let (a, b) = (archive.slot(Path::new("a")), archive.slot(Path::new("b")));
        let mut slots = Slots::default();
        assert_eq!(slots.get(b""), None);
        slots.insert(b"a", a);
        slots.insert(b"b", b);
        for (key, slot) in
            [(&b"b"[..], Some(b)), (b"a", Some(a)), (b"a", Some(a)), (b"c", None), (b"b", Some(b))]
        {
            assert_eq!(slots.get(key), slot, "{key:?}");
        }
        slots.clear();
        assert_eq!(slots.get(b"b"), None);
    }
}
