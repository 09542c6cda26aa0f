//! The bytes of one file: what the page cache shows, and what the disk has of it.

use std::collections::BTreeSet;

use super::random::Random;

/// What is written to the disk at once.
const PAGE: usize = 4096;

/// The content of a file.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// What every read sees.
    cache: Vec<u8>,
    /// What was written to the disk.
    disk: Vec<u8>,
    /// Pages of the cache that the disk may not have.
    dirty: BTreeSet<usize>,
    /// Pages that a failed sync gave up: clean by the kernel's book, and not on the disk.
    lost: BTreeSet<usize>,
    /// The least length since the length was last written to the disk.
    shortest: usize,
    /// Up to here space is set aside, so that writing can't run out of it.
    allocated: usize,
}

/// What a power failure takes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    Everything,
    Nothing,
    /// Each page and each name by chance; pages also in part.
    Some,
}

impl Content {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.cache
    }

    pub(super) fn len(&self) -> usize {
        self.cache.len()
    }

    /// Writes into the page cache; a gap before it is filled with zeros.
    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if self.cache.len() < end {
            self.cache.resize(end, 0);
        }
        self.cache[offset..end].copy_from_slice(bytes);
        for page in offset / PAGE..=(end - 1) / PAGE {
            self.lost.remove(&page);
            self.dirty.insert(page);
        }
    }

    pub(super) fn set_len(&mut self, length: usize) {
        self.cache.resize(length, 0);
        self.shortest = self.shortest.min(length);
        self.allocated = self.allocated.min(length);
        let pages = length.div_ceil(PAGE);
        self.dirty.split_off(&pages);
        self.lost.split_off(&pages);
    }

    pub(super) fn allocate(&mut self, end: usize) {
        if self.cache.len() < end {
            self.cache.resize(end, 0);
        }
        self.allocated = self.allocated.max(end);
    }

    /// How much of a write has its space already.
    pub(super) fn backed(&self, offset: usize, length: usize) -> usize {
        let backed = self.allocated.max(self.disk.len().next_multiple_of(PAGE));
        backed.saturating_sub(offset).min(length)
    }

    /// Whether a sync would have to find space.
    pub(super) fn needs_space(&self) -> bool {
        self.dirty.last().is_some_and(|page| self.backed(page * PAGE, 1) == 0)
    }

    pub(super) fn is_synced(&self) -> bool {
        self.dirty.is_empty() && self.disk.len() == self.cache.len() && self.shortest == self.cache.len()
    }

    /// Writes all dirty pages and the length to the disk.
    pub(super) fn sync(&mut self) {
        self.write_length();
        for page in std::mem::take(&mut self.dirty) {
            self.write_page(page, PAGE);
        }
    }

    /// Writes some of the dirty pages, and calls all of them clean.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        let has_length = random.one_in(2);
        if has_length {
            self.write_length();
        }
        for page in std::mem::take(&mut self.dirty) {
            let fits = has_length || (page + 1) * PAGE <= self.disk.len().min(self.shortest);
            if fits && random.one_in(2) {
                self.write_page(page, PAGE);
            } else {
                self.lost.insert(page);
            }
        }
    }

    /// The kernel needs memory: pages that it calls clean are read from the disk again.
    pub(super) fn evict(&mut self) {
        for page in std::mem::take(&mut self.lost) {
            let start = page * PAGE;
            let end = (start + PAGE).min(self.cache.len());
            for at in start..end {
                self.cache[at] = self.disk.get(at).copied().unwrap_or(0);
            }
        }
    }

    /// The power is gone: what was not synced is lost, or not, or half.
    pub(super) fn fail_power(&mut self, loss: Loss, random: &mut Random) {
        let keep = |random: &mut Random| match loss {
            Loss::Everything => false,
            Loss::Nothing => true,
            Loss::Some => random.one_in(2),
        };
        let is_cut = self.shortest < self.disk.len();
        let cut_survives = !is_cut || keep(random);
        if is_cut && cut_survives {
            self.disk.truncate(self.shortest);
        }
        for page in std::mem::take(&mut self.dirty) {
            // What was written behind a cut is on the disk with the cut or not at all.
            if !cut_survives && (page + 1) * PAGE > self.shortest {
                continue;
            }
            if keep(random) {
                self.write_page(page, PAGE);
            } else if loss == Loss::Some && random.one_in(2) {
                self.write_page(page, random.below(PAGE as u64) as usize);
            }
        }
        let unwritten = self.cache.len().saturating_sub(self.disk.len());
        if cut_survives && unwritten > 0 && keep(random) {
            // The length without the bytes: they read as zeros.
            let more =
                if loss == Loss::Some { random.below(unwritten as u64 + 1) as usize } else { unwritten };
            self.disk.resize(self.disk.len() + more, 0);
        }
        self.cache.clone_from(&self.disk);
        self.lost.clear();
        self.shortest = self.cache.len();
        self.allocated = self.allocated.min(self.cache.len());
    }

    fn write_length(&mut self) {
        self.disk.truncate(self.shortest);
        self.disk.resize(self.cache.len(), 0);
        self.shortest = self.cache.len();
    }

    /// Writes the first `length` bytes of a page to the disk.
    fn write_page(&mut self, page: usize, length: usize) {
        let start = page * PAGE;
        let end = (start + length).min(self.cache.len());
        if start >= end {
            return;
        }
        if self.disk.len() < end {
            self.disk.resize(end, 0);
        }
        self.disk[start..end].copy_from_slice(&self.cache[start..end]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> Content {
        let mut content = Content::default();
        content.write(bytes, 0);
        content
    }

    fn after_power_failure(mut content: Content, loss: Loss, seed: u64) -> Vec<u8> {
        content.fail_power(loss, &mut Random::new(seed));
        assert!(content.is_synced());
        content.bytes().to_vec()
    }

    #[test]
    fn what_was_synced_survives_and_what_was_not_may_not() {
        let mut content = written(&[1; 100]);
        content.sync();
        content.write(&[2; 100], 100);
        assert_eq!(after_power_failure(content, Loss::Everything, 1), [1; 100]);
        let content = written(&[1; 100]);
        assert_eq!(after_power_failure(content, Loss::Nothing, 1), [1; 100]);
    }

    #[test]
    fn any_subset_of_unsynced_pages_may_survive_and_parts_of_them() {
        let mut seen = std::collections::HashSet::new();
        for seed in 0..200 {
            let after = after_power_failure(written(&[1; 3 * PAGE]), Loss::Some, seed);
            let pages: Vec<usize> =
                after.chunks(PAGE).map(|page| page.iter().filter(|byte| **byte == 1).count()).collect();
            for page in &pages {
                seen.insert(match *page {
                    0 => "none of a page",
                    PAGE => "a page",
                    _ => "a part of a page",
                });
            }
            if pages.first() == Some(&0) && pages.get(1) == Some(&PAGE) {
                seen.insert("a later page alone");
            }
        }
        assert_eq!(seen.len(), 4, "{seen:?}");
    }

    #[test]
    fn a_failed_sync_is_followed_by_one_that_succeeds_and_pages_are_lost_all_the_same() {
        let lost = (0..20).filter(|seed| {
            let mut content = written(&[1; PAGE]);
            content.fail_sync(&mut Random::new(*seed));
            assert_eq!(content.bytes(), [1; PAGE]);
            content.sync();
            after_power_failure(content, Loss::Nothing, 1) != [1; PAGE]
        });
        assert!((1..20).contains(&lost.count()));
    }

    #[test]
    fn writing_a_lost_page_again_saves_it() {
        let mut content = written(&[1; PAGE]);
        content.sync();
        content.write(&[2; 10], 0);
        content.fail_sync(&mut Random::new(2));
        content.write(&[2; 1], 0);
        content.sync();
        assert_eq!(after_power_failure(content, Loss::Everything, 1)[..10], [2; 10]);
    }

    #[test]
    fn a_cut_that_was_not_synced_may_come_undone_as_a_whole() {
        let mut content = written(&[1; 3 * PAGE]);
        content.sync();
        content.set_len(10);
        content.write(&[2; PAGE], 10);
        assert_eq!(after_power_failure(content, Loss::Everything, 1), [1; 3 * PAGE]);
    }

    #[test]
    fn a_gap_reads_as_zeros() {
        let mut content = written(&[1; 10]);
        content.set_len(5);
        content.write(&[2; 1], 9);
        assert_eq!(content.bytes(), [1, 1, 1, 1, 1, 0, 0, 0, 0, 2]);
        content.sync();
        assert_eq!(after_power_failure(content, Loss::Everything, 1), [1, 1, 1, 1, 1, 0, 0, 0, 0, 2]);
    }

    #[test]
    fn only_allocated_space_is_certain() {
        let mut content = Content::default();
        content.allocate(2 * PAGE);
        assert_eq!(content.backed(PAGE, 2 * PAGE), PAGE);
        content.write(&[1; 2 * PAGE], 0);
        assert!(!content.needs_space());
        content.write(&[1; 1], 2 * PAGE);
        assert!(content.needs_space());
    }
}
