//! Messages of made-up events, a piece at a time.

use std::ops::Range;
use std::sync::Arc;

use super::super::chunks::HEAD_ROOM;
use super::event::Template;
use crate::event_time::{EventTime, NANOSECONDS_PER_SECOND};

/// Most bytes of a piece: what TLS takes at once, and little enough to stay in the cache of a processor from the making to
/// the sending.
const PIECE: usize = 64 * 1024;

/// Nanoseconds from one event of a message to the next.
const APART: u64 = 1_000;

/// A message.
#[derive(Debug)]
pub(in super::super) struct MadeUp {
    pub(super) numbers: Range<u64>,
    /// Of the first event.
    pub(super) time: EventTime,
    /// What stands before the events.
    pub(super) head: Vec<u8>,
    /// What stands behind them.
    pub(super) options: Vec<u8>,
}

/// Memory for one piece of a message.
#[derive(Debug)]
pub(super) struct Pieces {
    template: Arc<Template>,
    /// Room for the head of a message, and events, of which only that changes in which they differ.
    memory: Vec<u8>,
    /// Where the events begin.
    start: usize,
    /// How many events a piece has.
    events: usize,
    /// The event that options were written over.
    spoiled: Option<usize>,
}

impl Pieces {
    pub(super) fn new(template: Arc<Template>, tag_length: usize) -> Self {
        let start = HEAD_ROOM + tag_length;
        let length = template.length();
        let events = (PIECE.saturating_sub(start) / length).saturating_sub(1).max(1);
        let mut memory = vec![0; start];
        // One more, for options behind the last.
        memory.extend(template.bytes().repeat(events + 1));
        Self { template, memory, start, events, spoiled: None }
    }

    /// Bytes of a message's events.
    pub(super) fn length(&self, message: &MadeUp) -> usize {
        (message.numbers.end - message.numbers.start) as usize * self.template.length()
    }

    /// A piece of a message; empty behind the last.
    pub(super) fn make(&mut self, message: &MadeUp, piece: usize) -> &[u8] {
        let first = (piece * self.events) as u64;
        let count = message.numbers.end - message.numbers.start;
        let Some(left) = count.checked_sub(first).filter(|left| *left > 0) else { return &[] };
        let length = self.template.length();
        let (room, events) = self.memory.split_at_mut(self.start);
        if let Some(spoiled) = self.spoiled.take() {
            events[spoiled * length..][..length].copy_from_slice(self.template.bytes());
        }
        let made = left.min(self.events as u64) as usize;
        for (index, event) in (first..).zip(events.chunks_exact_mut(length).take(made)) {
            self.template.fill(event, time_of(message.time, index), message.numbers.start + index);
        }
        let (mut begin, mut end) = (self.start, self.start + made * length);
        if first == 0 {
            begin -= message.head.len();
            room[begin..].copy_from_slice(&message.head);
        }
        if made as u64 == left {
            self.memory[end..end + message.options.len()].copy_from_slice(&message.options);
            end += message.options.len();
            self.spoiled = Some(made);
        }
        &self.memory[begin..end]
    }
}

/// As EventTime has it: seconds and nanoseconds, big-endian.
#[inline]
fn time_of(first: EventTime, index: u64) -> [u8; 8] {
    let nanoseconds = u64::from(first.nanoseconds()) + index * APART;
    let per_second = u64::from(NANOSECONDS_PER_SECOND);
    // No clock is there before 1970 or after 2106.
    let seconds = first.seconds() as u32 + (nanoseconds / per_second) as u32;
    ((u64::from(seconds) << 32) | (nanoseconds % per_second)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_message_go_on_over_the_end_of_a_second() {
        let first = EventTime::new(1_760_000_000, 999_999_000).unwrap();
        let times = [0, 1, 2].map(|index| u64::from_be_bytes(time_of(first, index)));
        let second = 1_760_000_000u64 << 32;
        assert_eq!(times, [second | 999_999_000, second + (1 << 32), (second + (1 << 32)) | 1_000]);
    }

    #[test]
    fn a_piece_with_head_and_options_is_no_longer_than_what_tls_takes_at_once() {
        let template = Arc::new(Template::new(1_000, 60, "run"));
        let mut pieces = Pieces::new(template, 12);
        let message = MadeUp {
            numbers: 0..1_000,
            time: EventTime::from_unix_nanoseconds(0),
            head: vec![1; 20],
            options: vec![2; 100],
        };
        let lengths: Vec<_> =
            (0..).map(|piece| pieces.make(&message, piece).len()).take_while(|length| *length > 0).collect();
        assert!(lengths.iter().all(|length| *length <= PIECE), "{lengths:?}");
        assert_eq!(lengths.iter().sum::<usize>(), 120 + pieces.length(&message));
    }
}
