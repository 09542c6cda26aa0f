//! Which messages are under way, and so how far the output has come.

use std::collections::BTreeMap;

use crate::journal::Position;
use crate::pipeline::throttle_state::ThrottleState;

/// Messages in the order in which they were read.
#[derive(Debug)]
pub(super) struct Ledger {
    under_way: BTreeMap<u64, Entry>,
    next_number: u64,
    read_up_to: Position,
    /// What filters had counted where the chunk begins that is being read. After a restart a chunk is read from its
    /// start, whatever of it is delivered.
    throttled: ThrottleState,
    bytes: u64,
}

#[derive(Debug)]
struct Entry {
    start: Position,
    throttled: ThrottleState,
    bytes: u64,
}

impl Ledger {
    pub(super) fn new(read_up_to: Position, throttled: ThrottleState) -> Self {
        Self { under_way: BTreeMap::new(), next_number: 0, read_up_to, throttled, bytes: 0 }
    }

    /// Notes a message of so many bytes that begins at `start`; gives its number.
    pub(super) fn sent(&mut self, start: Position, bytes: u64) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        self.under_way.insert(number, Entry { start, throttled: self.throttled.clone(), bytes });
        self.bytes += bytes;
        number
    }

    /// Everything before `position` is delivered or noted as sent. A large chunk is read from its beginning, also where the
    /// output goes on within it: that moves nothing back.
    pub(super) fn read_up_to(&mut self, position: Position) {
        self.read_up_to = self.read_up_to.max(position);
    }

    /// A chunk was read to its end: what filters have counted since then belongs to the next one.
    pub(super) fn counted_up_to(&mut self, throttled: &ThrottleState) {
        self.throttled = throttled.clone();
    }

    /// What filters had counted at the start of the chunk in which [`delivered_up_to`](Self::delivered_up_to) lies.
    pub(super) fn throttled(&self) -> &ThrottleState {
        self.under_way.first_key_value().map_or(&self.throttled, |(_, oldest)| &oldest.throttled)
    }

    /// A message is delivered.
    pub(super) fn delivered(&mut self, number: u64) {
        if let Some(entry) = self.under_way.remove(&number) {
            self.bytes -= entry.bytes;
        }
    }

    /// Everything before this is delivered: where the oldest message under way begins.
    pub(super) fn delivered_up_to(&self) -> Position {
        self.under_way.first_key_value().map_or(self.read_up_to, |(_, oldest)| oldest.start)
    }

    /// Bytes of the messages under way.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether everything that was sent is delivered.
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_large_chunk_that_are_read_again_do_not_move_the_cursor_back() {
        let entry = |entry| Position { entry, ..Position::new(1, 64) };
        let mut ledger = Ledger::new(entry(18), ThrottleState::default());
        ledger.read_up_to(entry(10));
        assert_eq!(ledger.delivered_up_to(), entry(18));
        ledger.read_up_to(entry(20));
        assert_eq!(ledger.delivered_up_to(), entry(20));
    }

    fn at(offset: u64) -> Position {
        Position::new(1, offset)
    }

    #[test]
    fn the_oldest_message_under_way_holds_the_cursor() {
        let mut ledger = Ledger::new(at(0), ThrottleState::default());
        assert_eq!(ledger.delivered_up_to(), at(0));
        let numbers = [10, 20, 30].map(|offset| {
            let number = ledger.sent(at(offset), 5);
            ledger.read_up_to(at(offset + 10));
            number
        });
        assert_eq!((ledger.delivered_up_to(), ledger.bytes()), (at(10), 15));
        ledger.delivered(numbers[1]);
        assert_eq!(ledger.delivered_up_to(), at(10));
        ledger.delivered(numbers[0]);
        assert_eq!(ledger.delivered_up_to(), at(30));
        ledger.read_up_to(at(100));
        assert_eq!(ledger.delivered_up_to(), at(30), "chunks of which nothing is sent do not move it");
        ledger.delivered(numbers[2]);
        assert_eq!((ledger.delivered_up_to(), ledger.bytes()), (at(100), 0));
        assert!(ledger.is_empty());
    }
}
