//! What was sent, what was promised, and so what must be true.

use std::collections::HashMap;

use bytes::Bytes;

use super::settings::{DEAD_LETTERS_NUMBER, OUTPUTS, takers};
use crate::wire::msgpack::{write_array, write_map, write_str, write_u64};

/// Everything that was ever sent.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) chunks: Vec<SentChunk>,
    by_content: HashMap<Bytes, usize>,
    pub(super) events: Vec<SentEvent>,
}

/// A chunk, by its place in the model.
#[derive(Debug)]
pub(super) struct SentChunk {
    pub(super) tag: &'static str,
    /// By output, in the order of [`OUTPUTS`]: whether it takes events of this tag.
    takers: [bool; 4],
    /// `None` where the sender asks for no acknowledgement and sends it once.
    pub(super) id: Option<Bytes>,
    pub(super) entries: Bytes,
    pub(super) events: std::ops::Range<usize>,
    /// The server said that it is durable.
    pub(super) promised: bool,
}

/// An entry of a chunk: an event, or one for the dead letters.
#[derive(Debug)]
pub(super) struct SentEvent {
    pub(super) chunk: usize,
    pub(super) is_bad: bool,
    /// By output, in the order of [`OUTPUTS`]: what others did to the file that it was in.
    pub(super) disturbed: [Disturbance; 4],
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

/// What is about to be sent.
#[derive(Debug)]
pub(super) struct NewEvent {
    pub(super) is_bad: bool,
    pub(super) seconds: u64,
    pub(super) host: &'static str,
    pub(super) padding: usize,
}

impl Model {
    /// Makes a chunk that nobody sent before.
    pub(super) fn add_chunk(&mut self, tag: &'static str, id: Option<Bytes>, new: &[NewEvent]) -> usize {
        let chunk = self.chunks.len();
        let first = self.events.len();
        let mut entries = Vec::new();
        for event in new {
            write_array(&mut entries, 2);
            if event.is_bad {
                write_str(&mut entries, b"no time");
            } else {
                write_u64(&mut entries, event.seconds);
            }
            write_map(&mut entries, 3);
            write_str(&mut entries, b"n");
            write_u64(&mut entries, self.events.len() as u64);
            write_str(&mut entries, b"host");
            write_str(&mut entries, event.host.as_bytes());
            write_str(&mut entries, b"padding");
            write_str(&mut entries, &vec![b'x'; event.padding]);
            self.events.push(SentEvent { chunk, is_bad: event.is_bad, disturbed: Default::default() });
        }
        let entries = Bytes::from(entries);
        self.by_content.insert(entries.clone(), chunk);
        let events = first..self.events.len();
        self.chunks.push(SentChunk { tag, takers: takers(tag), id, entries, events, promised: false });
        chunk
    }

    /// Which chunk these bytes are.
    pub(super) fn find(&self, entries: &[u8]) -> Option<&SentChunk> {
        self.by_content.get(entries).map(|chunk| &self.chunks[*chunk])
    }

    /// Whether an event is for an output, by its place among [`OUTPUTS`].
    pub(super) fn is_for(&self, output: usize, event: usize) -> bool {
        let event = &self.events[event];
        if event.is_bad { output == DEAD_LETTERS_NUMBER } else { self.chunks[event.chunk].takers[output] }
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
            let mut allowed = Allowed { least: usize::from(must), most: 1 };
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
