//! The events of one chunk that are handed over, or were: by file and tag, in parts.
//!
//! Which event is in which part is a function of the chunk, of what the filters make of it, and of
//! [`PART_SIZE`](crate::output::given_up::PART_SIZE) alone. So a part that was handed over before is recognised by its
//! number, and exactly its events are passed over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::chunk::PartOfFile;
use crate::config::MetadataHandling;
use crate::journal::Position;
use crate::output::forward::write_event;
use crate::output::given_up::{PART_SIZE, TakenParts};
use crate::pipeline::Event;

/// Sorts the events of a chunk, one after the other.
#[derive(Debug)]
pub(super) struct Parts {
    /// Bytes of entries from which on the next part begins.
    max_size: usize,
    place: Option<Position>,
    files: BTreeMap<PathBuf, BTreeMap<Vec<u8>, Filling>>,
    done: Vec<Part>,
    entry: Vec<u8>,
}

/// The part that events of a file with a tag come into.
#[derive(Debug)]
struct Filling {
    number: u32,
    /// Bytes of its entries, also of those that are not kept here.
    size: usize,
    was_taken: bool,
    entries: Vec<u8>,
    events: u32,
}

/// Events that are to be handed over.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) file: PartOfFile,
    pub(super) tag: Vec<u8>,
    /// `[time, record]` in msgpack, one after the other.
    pub(super) entries: Bytes,
    pub(super) events: u32,
}

/// What was to be done with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sorted {
    /// It was handed over before: nothing more.
    Taken,
    /// It is in a part that is handed over.
    Kept,
    /// It is in no part that was handed over, and was to be looked up only.
    New,
}

impl Default for Parts {
    fn default() -> Self {
        Self::of_size(PART_SIZE)
    }
}

impl Parts {
    fn of_size(max_size: usize) -> Self {
        Self { max_size, place: None, files: BTreeMap::new(), done: Vec::new(), entry: Vec::new() }
    }

    /// A chunk begins at a place.
    pub(super) fn begin(&mut self, place: Position) {
        self.place = Some(place);
        self.files.clear();
        self.done.clear();
    }

    /// Takes the next event for a file, unless it was taken before; `keep`: it is to be handed over.
    pub(super) fn sort(&mut self, path: &Path, event: &Event<'_>, taken: &TakenParts, keep: bool) -> Sorted {
        let Some(place) = self.place else { return Sorted::New };
        self.entry.clear();
        write_event(&mut self.entry, event, MetadataHandling::Drop);
        let tag = event.source.tag;
        let was_taken = |number| taken.covers(place, part_of(path, number), tag);
        if !self.files.contains_key(path) {
            self.files.insert(path.to_owned(), BTreeMap::new());
        }
        let Some(tags) = self.files.get_mut(path) else { return Sorted::New };
        if !tags.contains_key(tag) {
            tags.insert(tag.to_vec(), Filling::new(0, was_taken(0)));
        }
        let Some(filling) = tags.get_mut(tag) else { return Sorted::New };
        if filling.size > 0 && filling.size + self.entry.len() > self.max_size {
            let number = filling.number + 1;
            let full = std::mem::replace(filling, Filling::new(number, was_taken(number)));
            self.done.extend(full.into_part(path, tag));
        }
        filling.size += self.entry.len();
        if filling.was_taken {
            return Sorted::Taken;
        }
        if !keep {
            return Sorted::New;
        }
        filling.entries.extend_from_slice(&self.entry);
        filling.events += 1;
        Sorted::Kept
    }

    /// The chunk is over: what is to be handed over of it.
    pub(super) fn finish(&mut self) -> Vec<Part> {
        self.place = None;
        for (path, tags) in std::mem::take(&mut self.files) {
            self.done.extend(tags.into_iter().filter_map(|(tag, filling)| filling.into_part(&path, &tag)));
        }
        std::mem::take(&mut self.done)
    }
}

impl Filling {
    fn new(number: u32, was_taken: bool) -> Self {
        Self { number, size: 0, was_taken, entries: Vec::new(), events: 0 }
    }

    fn into_part(self, path: &Path, tag: &[u8]) -> Option<Part> {
        let Self { number, entries, events, .. } = self;
        let file = part_of(path, number);
        (events > 0).then(|| Part { file, tag: tag.to_vec(), entries: entries.into(), events })
    }
}

fn part_of(path: &Path, part: u32) -> PartOfFile {
    PartOfFile { path: path.to_string_lossy().into_owned(), part }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_time::EventTime;
    use crate::pipeline::Source;
    use crate::pipeline::record::RecordBuffer;

    /// Bytes of one entry of the tests.
    const ENTRY: usize = 7;

    fn place() -> Position {
        Position::new(1, 64)
    }

    fn sort(parts: &mut Parts, (path, tag): (&str, &str), taken: &TakenParts, keep: bool) -> Sorted {
        let time = EventTime::from_unix_nanoseconds(0);
        let source = Source {
            tag: tag.as_bytes(),
            position: place(),
            received_at: time,
            input: "edge",
            sender: "CN=engine-1",
            source_address: None,
            subject: None,
            fingerprint: None,
            alternative_names: &[],
            host_name: None,
            user: None,
        };
        let mut buffer = RecordBuffer::default();
        let editor = buffer.open(b"\x81\xa1a\x01");
        let record = editor.fields();
        let event = Event { source: &source, server: "", time, metadata: None, record, index: 0 };
        parts.sort(Path::new(path), &event, taken, keep)
    }

    fn summary(parts: Vec<Part>) -> Vec<(String, String, u32, u32)> {
        let summary = |part: Part| {
            assert_eq!(part.entries.len() % part.events as usize, 0);
            (part.file.path, String::from_utf8(part.tag).unwrap(), part.file.part, part.events)
        };
        parts.into_iter().map(summary).collect()
    }

    fn part(path: &str, tag: &str, number: u32, events: u32) -> (String, String, u32, u32) {
        (path.to_owned(), tag.to_owned(), number, events)
    }

    #[test]
    fn events_are_sorted_by_file_and_tag_into_parts_of_a_size() {
        let none = TakenParts::default();
        let mut parts = Parts::of_size(usize::MAX);
        parts.begin(place());
        sort(&mut parts, ("a", "t"), &none, true);
        let entry = parts.finish()[0].entries.len();
        assert!(entry >= ENTRY, "{entry}");
        for (size, expected) in [
            (
                2 * entry,
                vec![part("a", "t", 0, 2), part("a", "t", 1, 1), part("a", "u", 0, 1), part("b", "t", 0, 1)],
            ),
            (3 * entry, vec![part("a", "t", 0, 3), part("a", "u", 0, 1), part("b", "t", 0, 1)]),
        ] {
            let mut parts = Parts::of_size(size);
            parts.begin(place());
            for key in [("a", "t"), ("b", "t"), ("a", "t"), ("a", "u"), ("a", "t")] {
                assert_eq!(sort(&mut parts, key, &none, true), Sorted::Kept);
            }
            assert_eq!(summary(parts.finish()), expected);
            assert!(parts.finish().is_empty());
        }
    }

    #[test]
    fn exactly_the_events_of_a_part_that_was_taken_are_passed_over() {
        let mut taken = TakenParts::default();
        taken.add(place(), part_of(Path::new("a"), 1), b"t");
        // Each event is a part.
        for (keep, other) in [(true, Sorted::Kept), (false, Sorted::New)] {
            let mut parts = Parts::of_size(1);
            parts.begin(place());
            let sorted = [(); 3].map(|()| sort(&mut parts, ("a", "t"), &taken, keep));
            assert_eq!(sorted, [other, Sorted::Taken, other]);
            let numbers: Vec<u32> = parts.finish().iter().map(|part| part.file.part).collect();
            assert_eq!(numbers, if keep { vec![0, 2] } else { vec![] });
        }
    }
}
