//! What was sent, what was promised, and so what must be true.

use std::ops::Range;

use bytes::Bytes;

use super::archive::{number_in_entry, start_of_record};
use super::settings::{DEAD_LETTERS_NUMBER, OUTPUTS, UP, is_dropped, takers};
use crate::wire::msgpack::{write_array, write_map, write_str, write_u64};

/// Events from which on a chunk is sent through a file.
pub(super) const LARGE: usize = 10;

/// Everything that was ever sent.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) chunks: Vec<SentChunk>,
    pub(super) events: Vec<SentEvent>,
    /// By output, in the order of [`OUTPUTS`]: whether it was missing from the configuration for a while.
    pub(super) left_out: [bool; OUTPUTS.len()],
    has_filters: bool,
}

/// A chunk, by its place in the model.
#[derive(Debug)]
pub(super) struct SentChunk {
    pub(super) tag: &'static str,
    /// By output, in the order of [`OUTPUTS`]: whether it takes events of this tag.
    takers: [bool; OUTPUTS.len()],
    /// `None` where the sender asks for no acknowledgement and sends it once.
    pub(super) id: Option<Bytes>,
    pub(super) entries: Bytes,
    /// Where each event begins in them.
    offsets: Vec<usize>,
    /// Whether it goes through a file.
    pub(super) is_large: bool,
    pub(super) events: Range<usize>,
    /// The server said that it is durable.
    pub(super) promised: bool,
}

/// An entry of a chunk: an event, or one for the dead letters.
#[derive(Debug)]
pub(super) struct SentEvent {
    pub(super) chunk: usize,
    pub(super) is_bad: bool,
    /// Filters drop it, on the way to every output.
    is_dropped: bool,
    /// By output, in the order of [`OUTPUTS`]: what others did to the file that it was in.
    pub(super) disturbed: [Disturbance; OUTPUTS.len()],
    /// It was given up when its server had it, and the answer was lost.
    doubled: bool,
}

/// What others did to an archived event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Disturbance {
    /// Its file was moved away: it may be delivered again, rather than nowhere.
    pub(super) moved: bool,
    /// Its file was cut or removed: it may be gone.
    pub(super) taken: bool,
}

/// How often an event of a chunk may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Allowed {
    least: usize,
    most: usize,
}

/// Where memory and files have their blocks begin.
const BLOCK: usize = 4096;

/// Entries in memory, somewhere in a block, and for the same chunk always there: what the journal writes hangs on it where it
/// leaves them in their place.
fn at_a_place_of_its_own(entries: &[u8], chunk: usize) -> Bytes {
    let mut memory = vec![0; 2 * BLOCK + entries.len()];
    let start = memory.as_ptr().align_offset(BLOCK) + chunk.wrapping_mul(1231) % BLOCK;
    memory[start..start + entries.len()].copy_from_slice(entries);
    Bytes::from(memory).slice(start..start + entries.len())
}

/// What is about to be sent.
#[derive(Debug)]
pub(super) struct NewEvent {
    pub(super) is_bad: bool,
    pub(super) seconds: u64,
    pub(super) host: &'static str,
    pub(super) padding: usize,
}

impl Model {
    pub(super) fn new(has_filters: bool) -> Self {
        Self { has_filters, ..Self::default() }
    }

    /// Makes a chunk that nobody sent before.
    pub(super) fn add_chunk(&mut self, tag: &'static str, id: Option<Bytes>, new: &[NewEvent]) -> usize {
        let chunk = self.chunks.len();
        let first = self.events.len();
        let mut entries = Vec::new();
        let mut offsets = Vec::new();
        for event in new {
            offsets.push(entries.len());
            write_array(&mut entries, 2);
            if event.is_bad {
                write_str(&mut entries, b"no time");
            } else {
                write_u64(&mut entries, event.seconds);
            }
            let number = self.events.len() as u64;
            write_map(&mut entries, 3);
            write_str(&mut entries, b"n");
            write_u64(&mut entries, number);
            write_str(&mut entries, b"host");
            write_str(&mut entries, event.host.as_bytes());
            write_str(&mut entries, b"padding");
            write_str(&mut entries, &vec![b'x'; event.padding]);
            let is_dropped = self.has_filters && is_dropped(tag, number);
            let (is_bad, disturbed, doubled) = (event.is_bad, Default::default(), false);
            self.events.push(SentEvent { chunk, is_bad, is_dropped, disturbed, doubled });
        }
        let entries = at_a_place_of_its_own(&entries, chunk);
        let events = first..self.events.len();
        let is_large = new.len() >= LARGE;
        self.chunks.push(SentChunk {
            tag,
            takers: takers(tag),
            id,
            entries,
            offsets,
            is_large,
            events,
            promised: false,
        });
        chunk
    }

    /// Which events these bytes are: all of a chunk, or some that follow each other in a large one; `None` where nobody
    /// sent them like this.
    pub(super) fn find(&self, entries: &[u8]) -> Option<Range<usize>> {
        let first = number_in_entry(entries)?;
        let chunk = &self.chunks[self.events.get(first)?.chunk];
        let place = first - chunk.events.start;
        let end = chunk.offsets[place] + entries.len();
        if chunk.entries.get(chunk.offsets[place]..end)? != entries {
            return None;
        }
        let behind = chunk.offsets.iter().position(|offset| *offset == end);
        let behind = behind.or((end == chunk.entries.len()).then_some(chunk.offsets.len()))?;
        let is_whole = place == 0 && behind == chunk.offsets.len();
        (is_whole || chunk.is_large).then(|| first..chunk.events.start + behind)
    }

    /// Which events these are, whose records must be as they were sent, in whatever entries; `None` where they are not.
    pub(super) fn find_records(&self, entries: &[u8]) -> Option<Vec<usize>> {
        let mut rest = entries;
        let mut found = Vec::new();
        while let Some(start) = start_of_record(rest) {
            let number = number_in_entry(&rest[start..])?;
            let record = self.record(number)?;
            rest = rest[start..].strip_prefix(record)?;
            found.push(number);
        }
        Some(found)
    }

    fn record(&self, event: usize) -> Option<&[u8]> {
        let chunk = &self.chunks[self.events.get(event)?.chunk];
        let place = event - chunk.events.start;
        let end = chunk.offsets.get(place + 1).copied().unwrap_or(chunk.entries.len());
        let entry = &chunk.entries[chunk.offsets[place]..end];
        entry.get(start_of_record(entry)?..)
    }

    /// How many events filters drop.
    pub(super) fn dropped(&self) -> u64 {
        self.events.iter().filter(|event| event.is_dropped && !event.is_bad).count() as u64
    }

    /// Notes that these events may be with a server and elsewhere.
    pub(super) fn double(&mut self, events: &[usize]) {
        for event in events {
            self.events[*event].doubled = true;
        }
    }

    /// Whether an event is for an output, by its place among [`OUTPUTS`].
    pub(super) fn is_for(&self, output: usize, event: usize) -> bool {
        let event = &self.events[event];
        match event.is_bad {
            true => output == DEAD_LETTERS_NUMBER,
            false => self.chunks[event.chunk].takers[output] && !event.is_dropped,
        }
    }

    /// Notes that others moved a file away which they may have cut before: if a power failure undoes the cut and not the
    /// move, what they took is there again, where nobody looks after it.
    pub(super) fn taken_may_return(&mut self, output: usize) {
        for event in &mut self.events {
            let noted = &mut event.disturbed[output];
            noted.moved |= noted.taken;
        }
    }

    /// Notes that others disturbed the file of an output which held these events.
    pub(super) fn disturb(&mut self, output: usize, events: &[usize], disturbance: Disturbance) {
        for event in events {
            let noted = &mut self.events[*event].disturbed[output];
            noted.moved |= disturbance.moved;
            noted.taken |= disturbance.taken;
        }
    }

    /// Compares how often each event is there for an output with what must be. `at_rest`: everything that its sender
    /// repeats until it is acknowledged was.
    /// `drops`: outputs may lose what lies in the oldest segments of a full journal.
    pub(super) fn check(
        &self,
        output: usize,
        counts: &[usize],
        at_rest: bool,
        drops: bool,
    ) -> Result<(), String> {
        for (index, event) in self.events.iter().enumerate() {
            let chunk = &self.chunks[event.chunk];
            let count = counts.get(index).copied().unwrap_or_default();
            let must = chunk.promised || (at_rest && chunk.id.is_some());
            let is_doubled = event.doubled && OUTPUTS[output] == UP;
            let mut allowed = Allowed { least: usize::from(must), most: 1 + usize::from(is_doubled) };
            let disturbed = event.disturbed[output];
            if disturbed.taken || drops {
                allowed.least = 0;
            }
            if disturbed.moved {
                allowed.most = usize::MAX;
            }
            if !self.is_for(output, index) {
                allowed = Allowed { least: 0, most: 0 };
            }
            if !(allowed.least..=allowed.most).contains(&count) {
                let promise = if chunk.promised { "acknowledged" } else { "not acknowledged" };
                return Err(format!(
                    "event {index} of chunk {} ({promise}) is there {count} times for output {}, and may be \
                     {} to {} times",
                    event.chunk,
                    OUTPUTS[output],
                    allowed.least,
                    if allowed.most == usize::MAX {
                        "any number of".to_owned()
                    } else {
                        allowed.most.to_string()
                    },
                ));
            }
        }
        Ok(())
    }
}
