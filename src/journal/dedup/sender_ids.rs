//! The chunk ids of one sender, in the order in which they came.
//!
//! About fifty bytes an id, whatever the id was: 32 for the id and what is known of it, five to eleven for finding it,
//! and at most a quarter of that again while there is room for more.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::Turn;
use crate::journal::format::footer::ChunkKey;

/// Room is made for this part of what is there, so that no more than that is ever empty.
const GROWTH: usize = 4;
const FIRST_ROOM: usize = 4;

/// What is remembered of a chunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remembered {
    pub(super) key: ChunkKey,
    pub(super) state: State,
    /// The sender's clock, in ticks that wrap around.
    pub(super) clock: u32,
    /// The lower half of the number of its segment. Two segments that share it are never there at a time.
    pub(super) segment: u32,
}

/// What is known about the acknowledgement of a chunk; a turn, and a bit that says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State(u64);

/// The same, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It was taken at this turn, and nothing shows that its sender knows.
    Taken(Turn),
    /// At this turn the sender had its acknowledgement.
    Acknowledged(Turn),
}

impl From<Known> for State {
    fn from(known: Known) -> Self {
        match known {
            Known::Taken(turn) => Self(turn << 1),
            Known::Acknowledged(turn) => Self(turn << 1 | 1),
        }
    }
}

impl State {
    pub(super) fn known(self) -> Known {
        match self.0 & 1 {
            0 => Known::Taken(self.0 >> 1),
            _ => Known::Acknowledged(self.0 >> 1),
        }
    }
}

/// Ids, oldest first, and where each of them is. A key that came twice is found where it came last.
#[derive(Debug, Default)]
pub(super) struct SenderIds {
    /// Moves by the time between two chunks, within limits.
    pub(super) clock: i64,
    pub(super) last_received_at: i64,
    order: VecDeque<Remembered>,
    /// The number of the first in `order`; numbers wrap around.
    first: u32,
    /// The numbers of the ids by their keys.
    numbers: HashTable<u32>,
    hasher: RandomState,
}

impl SenderIds {
    /// How many there are, those included that came once more.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn oldest(&self) -> Option<&Remembered> {
        self.order.front()
    }

    pub(super) fn get(&self, key: ChunkKey) -> Option<&Remembered> {
        let hash = self.hasher.hash_one(key);
        let number = self.numbers.find(hash, |number| self.is_key_of(*number, key))?;
        self.order.get(number.wrapping_sub(self.first) as usize)
    }

    pub(super) fn get_mut(&mut self, key: ChunkKey) -> Option<&mut Remembered> {
        let hash = self.hasher.hash_one(key);
        let number = *self.numbers.find(hash, |number| self.is_key_of(*number, key))?;
        self.order.get_mut(number.wrapping_sub(self.first) as usize)
    }

    /// Adds the newest.
    pub(super) fn push(&mut self, remembered: Remembered) {
        if self.order.len() == self.order.capacity() {
            self.order.reserve_exact((self.order.len() / GROWTH).max(FIRST_ROOM));
        }
        let number = self.first.wrapping_add(self.order.len() as u32);
        let key = remembered.key;
        let hash = self.hasher.hash_one(key);
        let (order, first, hasher) = (&self.order, self.first, &self.hasher);
        let key_of = |number: u32| order.get(number.wrapping_sub(first) as usize).map(|found| found.key);
        let found = self.numbers.entry(
            hash,
            |known| key_of(*known) == Some(key),
            |known| key_of(*known).map_or(0, |key| hasher.hash_one(key)),
        );
        *found.or_insert(number).get_mut() = number;
        self.order.push_back(remembered);
    }

    /// Forgets the oldest, and gives memory back when most of it is empty.
    pub(super) fn pop(&mut self) -> Option<Remembered> {
        let oldest = self.order.pop_front()?;
        let number = self.first;
        self.first = self.first.wrapping_add(1);
        let hash = self.hasher.hash_one(oldest.key);
        // One that came once more has a later number.
        if let Ok(entry) = self.numbers.find_entry(hash, |known| *known == number) {
            entry.remove();
        }
        if self.order.len() < self.order.capacity() / GROWTH && self.order.capacity() > 1024 {
            self.order.shrink_to(self.order.len() * 2);
            let (order, first, hasher) = (&self.order, self.first, &self.hasher);
            let key_of = |number: u32| order.get(number.wrapping_sub(first) as usize).map(|found| found.key);
            self.numbers.shrink_to(self.numbers.len() * 2, |known| {
                key_of(*known).map_or(0, |key| hasher.hash_one(key))
            });
        }
        Some(oldest)
    }

    /// Bytes of memory that the ids take.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.order.capacity() * size_of::<Remembered>() + self.numbers.allocation_size()
    }

    fn is_key_of(&self, number: u32, key: ChunkKey) -> bool {
        self.order.get(number.wrapping_sub(self.first) as usize).is_some_and(|found| found.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: ChunkKey) -> Remembered {
        Remembered { key, state: Known::Taken(key as u64).into(), clock: 0, segment: 0 }
    }

    #[test]
    fn ids_are_found_from_their_coming_to_their_going_also_where_the_numbers_wrap_around() {
        let mut ids = SenderIds { first: u32::MAX - 500, ..SenderIds::default() };
        for key in 0..2_000 {
            ids.push(id(key));
            if key >= 100 {
                assert_eq!(ids.pop().map(|oldest| oldest.key), Some(key - 100));
            }
            assert!(ids.get(key).is_some() && ids.get(key + 1).is_none());
            assert_eq!(ids.get(key.saturating_sub(99)).map(|found| found.key), Some(key.saturating_sub(99)));
        }
        assert_eq!((ids.len(), ids.numbers.len()), (100, 100));
        while ids.pop().is_some() {}
        assert_eq!((ids.len(), ids.numbers.len()), (0, 0));
    }

    #[test]
    fn an_id_that_came_once_more_is_what_it_was_last_until_that_goes() {
        let mut ids = SenderIds::default();
        ids.push(id(7));
        ids.push(Remembered { state: Known::Acknowledged(5).into(), ..id(7) });
        assert_eq!(ids.get(7).map(|found| found.state.known()), Some(Known::Acknowledged(5)));
        ids.pop();
        assert_eq!(ids.get_mut(7).map(|found| found.state.known()), Some(Known::Acknowledged(5)));
        ids.pop();
        assert!(ids.get(7).is_none());
    }

    #[test]
    fn memory_is_given_back() {
        let mut ids = SenderIds::default();
        for key in 0..100_000 {
            ids.push(id(key));
        }
        let full = ids.memory();
        while ids.len() > 10 {
            ids.pop();
        }
        assert!(ids.memory() < full / 50, "{} of {full}", ids.memory());
        assert!(ids.get(99_999).is_some());
    }
}
