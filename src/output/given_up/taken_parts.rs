//! Parts of chunks that a file output handed over already.

use std::collections::{BTreeMap, BTreeSet};

use crate::chunk::PartOfFile;
use crate::journal::Position;

/// What a file output handed over of chunks that its cursor has not passed: it may come upon them again, after a restart
/// or after it went back to its last checkpoint.
#[derive(Debug, Default)]
pub(in crate::output) struct TakenParts {
    /// By where the chunk, or the piece of a large one, begins.
    by_place: BTreeMap<Position, BTreeSet<(PartOfFile, Vec<u8>)>>,
}

impl TakenParts {
    /// Notes events of a place, for one file and with one tag.
    pub(in crate::output) fn add(&mut self, place: Position, part: PartOfFile, tag: &[u8]) {
        self.by_place.entry(place).or_default().insert((part, tag.to_vec()));
    }

    pub(in crate::output) fn is_empty(&self) -> bool {
        self.by_place.is_empty()
    }

    /// Whether anything of what begins at a place was handed over.
    pub(in crate::output) fn knows(&self, place: Position) -> bool {
        self.by_place.contains_key(&place)
    }

    /// Whether these events were.
    pub(in crate::output) fn covers(&self, place: Position, part: PartOfFile, tag: &[u8]) -> bool {
        self.by_place.get(&place).is_some_and(|parts| parts.contains(&(part, tag.to_vec())))
    }

    /// Forgets what lies before a saved cursor.
    pub(in crate::output) fn passed(&mut self, position: Position) {
        self.by_place = self.by_place.split_off(&position);
    }

    /// Forgets everything.
    pub(in crate::output) fn clear(&mut self) {
        self.by_place.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_known_by_its_place_its_file_its_tag_and_its_number_until_it_is_passed() {
        let part = |path: &str, part| PartOfFile { path: path.to_owned(), part };
        let place = |entry| Position { entry, ..Position::new(1, 64) };
        let mut taken = TakenParts::default();
        taken.add(place(4), part("a", 0), b"tag");
        assert!(taken.knows(place(4)) && !taken.knows(place(0)));
        assert!(taken.covers(place(4), part("a", 0), b"tag"));
        for (place, part, tag) in [
            (place(0), part("a", 0), &b"tag"[..]),
            (place(4), part("a", 1), b"tag"),
            (place(4), part("b", 0), b"tag"),
            (place(4), part("a", 0), b"other"),
        ] {
            assert!(!taken.covers(place, part, tag));
        }
        taken.passed(place(4));
        assert!(taken.knows(place(4)), "the cursor stands before it");
        taken.passed(place(5));
        assert!(taken.is_empty());
    }
}
