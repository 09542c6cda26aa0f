//! Memory that long messages are read into. It comes back once nobody has any part of the message.
//!
//! Memory has to be written once before anything can be read into it without `unsafe`. Engines send messages of about one
//! size, so that what comes back serves for the next one as it is: nothing is zeroed, the system is not asked for pages,
//! and what came back last is still in the processor's caches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use prometheus::IntGauge;

/// Messages of so many bytes are read into memory from here; for shorter ones it is not worth it.
pub(super) const LONG_MESSAGE: usize = 64 * 1024;

/// Bytes of memory of an input that wait for messages to come.
const MAX_SPARE: usize = 8 * 1024 * 1024;

/// Memory comes in multiples of this, so that it serves for messages of slightly different sizes.
const STEP: usize = 32 * 1024;

/// What memory may have more than was asked for: this part of it.
const SLACK: usize = 4;

/// The memory that no message has just now. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct MessageMemory(Arc<Mutex<Spares>>);

#[derive(Debug)]
struct Spares {
    /// The one that came back last is at the end.
    memories: Vec<BytesMut>,
    /// Bytes of all of them.
    size: usize,
    shown_size: IntGauge,
}

impl MessageMemory {
    /// None yet; `shown_size` says how much there is.
    pub(super) fn new(shown_size: IntGauge) -> Self {
        Self(Arc::new(Mutex::new(Spares { memories: Vec::new(), size: 0, shown_size })))
    }

    /// At least `length` bytes, whatever is in them, and hardly more than a fourth above that.
    pub(super) fn take(&self, length: usize) -> BytesMut {
        let rounded = length.next_multiple_of(STEP);
        let fits = |memory: &BytesMut| (length..=rounded + length / SLACK).contains(&memory.capacity());
        let mut spares = self.lock();
        let Some(place) = spares.memories.iter().rposition(fits) else {
            drop(spares);
            return BytesMut::zeroed(rounded);
        };
        let mut memory = spares.memories.remove(place);
        spares.size -= memory.capacity();
        spares.show_size();
        drop(spares);
        // All but what lay behind the message that was in it holds something already.
        memory.resize(memory.capacity(), 0);
        memory
    }

    /// The same bytes, whose memory comes back when the last of them is let go of. Nobody else may have a part of it.
    pub(super) fn lend(&self, message: Bytes) -> Bytes {
        Bytes::from_owner(Lent { message, home: self.clone() })
    }

    fn give_back(&self, memory: BytesMut) {
        let mut spares = self.lock();
        spares.size += memory.capacity();
        spares.memories.push(memory);
        let mut oldest = Vec::new();
        while spares.size > MAX_SPARE {
            let memory = spares.memories.remove(0);
            spares.size -= memory.capacity();
            oldest.push(memory);
        }
        spares.show_size();
        // The system gets it back when nobody waits for the others any more.
        drop(spares);
    }

    /// A panic elsewhere leaves this whole.
    fn lock(&self) -> MutexGuard<'_, Spares> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spares {
    fn show_size(&self) {
        self.shown_size.set(self.size as i64);
    }
}

/// A message in memory that is to come back.
struct Lent {
    message: Bytes,
    home: MessageMemory,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.message
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Ok(memory) = std::mem::take(&mut self.message).try_into_mut() {
            self.home.give_back(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> MessageMemory {
        MessageMemory::new(IntGauge::new("spare", "bytes").unwrap())
    }

    /// A message of so many bytes in memory of its own.
    fn message(memory: &MessageMemory, length: usize) -> Bytes {
        let mut buffer = memory.take(length + 10);
        memory.lend(buffer.split_to(length).freeze())
    }

    #[test]
    fn memory_serves_again_when_the_last_part_of_its_message_is_gone() {
        let memory = memory();
        let first = message(&memory, 100_000);
        let (start, part) = (first.as_ptr(), first.slice(50_000..60_000));
        drop(first);
        assert_eq!(memory.lock().size, 0, "somebody still reads it");
        drop(part);
        let again = memory.take(110_000);
        assert_eq!((again.as_ptr(), again.len(), memory.lock().size), (start, 4 * STEP, 0));
    }

    #[test]
    fn what_came_back_last_goes_first() {
        let memory = memory();
        let [first, second] = [(); 2].map(|()| message(&memory, 100_000));
        let last = first.as_ptr();
        drop(second);
        drop(first);
        assert_eq!(memory.take(100_000).as_ptr(), last);
    }

    #[test]
    fn a_short_message_gets_no_memory_of_a_long_one() {
        let memory = memory();
        drop(message(&memory, 100_000));
        for length in [2 * STEP, 4 * STEP + 1] {
            assert_eq!(memory.take(length).len(), length.next_multiple_of(STEP));
        }
        assert_eq!(memory.lock().memories.len(), 1);
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let memory = memory();
        let length = MAX_SPARE / 4;
        let messages: Vec<_> = (0..8).map(|_| message(&memory, length - 10)).collect();
        let newest = messages[7].as_ptr();
        drop(messages);
        assert_eq!(memory.lock().size, MAX_SPARE);
        assert_eq!(memory.lock().shown_size.get(), MAX_SPARE as i64);
        assert_eq!(memory.take(length).as_ptr(), newest);
        assert_eq!(memory.lock().shown_size.get(), (MAX_SPARE - length) as i64);
    }

    #[test]
    fn memory_that_something_else_lies_in_as_well_does_not_come_back() {
        let memory = memory();
        let mut buffer = memory.take(100_000);
        let message = memory.lend(buffer.split_to(90_000).freeze());
        drop(message);
        assert_eq!(memory.lock().size, 0);
        assert_eq!(buffer.len(), 4 * STEP - 90_000);
    }
}
