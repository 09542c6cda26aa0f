//! Bytes of a socket that TLS has not taken yet.

use std::cell::Cell;
use std::ops::Range;

use tokio::io::ReadBuf;

/// Bytes that are read at once: a few records, which are 16 KiB each at most.
const LANDING: usize = 64 * 1024;

/// Bytes that are read at once into the middle of a long message. Each read has its price, and so has the part of a record
/// that it ends with.
const WIDE_LANDING: usize = 4 * LANDING;

/// A handshake message of 64 KiB in records of its own length each; the longest that rustls takes.
const MAX_LENGTH: usize = 2 * LANDING;

thread_local! {
    /// A buffer that no connection holds just now, for the next one that reads.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static WIDE_SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Where a socket is read to, and where rustls deciphers in place. Most of ten thousand connections are idle: without
/// bytes there is no memory, and a part of a record that waits for its rest has hardly more than its length.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    buffer: Vec<u8>,
    /// What of the buffer was read and not taken yet.
    taken: Range<usize>,
    /// Bytes at its beginning that are plaintext, which nobody has asked for yet: a record seldom ends where a message does.
    plaintext: usize,
    /// Bytes behind those that are of no use.
    behind: usize,
}

/// A peer sent more than [`MAX_LENGTH`] bytes of which nothing can be taken.
#[derive(Debug)]
pub(super) struct Full;

impl Incoming {
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.buffer[self.taken.clone()]
    }

    /// These many bytes have been dealt with.
    pub(super) fn discard(&mut self, count: usize) {
        self.taken.start = self.taken.end.min(self.taken.start + count);
        if self.taken.is_empty() {
            self.clear();
        }
    }

    /// The first `length` bytes have been deciphered, to this part of them.
    pub(super) fn keep(&mut self, length: usize, plaintext: Range<usize>) {
        self.taken.start += plaintext.start;
        self.behind = length - plaintext.end;
        self.plaintext = plaintext.len();
    }

    /// Hands out what was kept, as far as there is room for it.
    pub(super) fn hand_out(&mut self, into: &mut ReadBuf<'_>) {
        let count = self.plaintext.min(into.remaining());
        into.put_slice(&self.bytes()[..count]);
        self.plaintext -= count;
        match self.plaintext {
            0 => {
                let behind = std::mem::take(&mut self.behind);
                self.discard(count + behind);
            }
            _ => self.taken.start += count,
        }
    }

    pub(super) fn clear(&mut self) {
        (self.plaintext, self.behind) = (0, 0);
        self.taken = 0..0;
        lend(std::mem::take(&mut self.buffer));
    }

    /// Where more can be read to; say how much it was with [`filled`](Self::filled). Beyond [`LANDING`] it is no more than is
    /// `wanted`: whole records of that find room at once, and hardly anything stays here.
    pub(super) fn room(&mut self, wanted: usize) -> Result<&mut [u8], Full> {
        let length = self.taken.len();
        let size = if wanted > LANDING { WIDE_LANDING } else { LANDING };
        let is_too_wide = self.buffer.len() == WIDE_LANDING && size == LANDING && length <= LANDING / 2;
        if self.buffer.len() < size || is_too_wide {
            let mut landing = borrow(size);
            landing[..length].copy_from_slice(&self.buffer[self.taken.clone()]);
            lend(std::mem::replace(&mut self.buffer, landing));
            self.taken = 0..length;
        } else if self.buffer.len() - self.taken.end < LANDING / 2 {
            self.buffer.copy_within(self.taken.clone(), 0);
            if self.buffer.len() - length < LANDING / 2 {
                self.buffer.resize(MAX_LENGTH.max(self.buffer.len()), 0);
            }
            self.taken = 0..length;
        }
        let room = &mut self.buffer[self.taken.end..];
        let count = room.len().min(wanted.max(LANDING));
        if count == 0 { Err(Full) } else { Ok(&mut room[..count]) }
    }

    pub(super) fn filled(&mut self, count: usize) {
        self.taken.end = self.buffer.len().min(self.taken.end + count);
    }

    /// Nothing comes for now.
    pub(super) fn rest(&mut self) {
        let length = self.taken.len();
        if length == 0 {
            self.clear();
        } else if length < self.buffer.len() / 4 {
            let part = self.buffer[self.taken.clone()].to_vec();
            self.taken = 0..length;
            lend(std::mem::replace(&mut self.buffer, part));
        }
    }
}

fn borrow(size: usize) -> Vec<u8> {
    let mut landing = if size == LANDING { SPARE.take() } else { WIDE_SPARE.take() };
    landing.resize(size, 0);
    landing
}

fn lend(buffer: Vec<u8>) {
    match buffer.len() {
        LANDING => SPARE.set(buffer),
        WIDE_LANDING => WIDE_SPARE.set(buffer),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(incoming: &mut Incoming, bytes: &[u8]) {
        read_of(0, incoming, bytes);
    }

    fn read_of(wanted: usize, incoming: &mut Incoming, bytes: &[u8]) {
        incoming.room(wanted).unwrap()[..bytes.len()].copy_from_slice(bytes);
        incoming.filled(bytes.len());
    }

    #[test]
    fn bytes_stay_in_order_through_rests_and_discards() {
        let mut incoming = Incoming::default();
        let (mut sent, mut taken) = (0u8, 0u8);
        for step in 1..2_000usize {
            let bytes: Vec<u8> = (0..step * 7 % 20_000).map(|at| sent.wrapping_add(at as u8)).collect();
            sent = sent.wrapping_add(bytes.len() as u8);
            read_of(step % 4 * 50_000, &mut incoming, &bytes);
            if step % 3 == 0 {
                incoming.rest();
            }
            let count = incoming.bytes().len().saturating_sub(step % 5 * 1_000);
            for byte in &incoming.bytes()[..count] {
                assert_eq!(*byte, taken);
                taken = taken.wrapping_add(1);
            }
            incoming.discard(count);
        }
    }

    #[test]
    fn whoever_waits_holds_no_more_than_what_came() {
        let mut incoming = Incoming::default();
        read(&mut incoming, &[1; 100]);
        incoming.rest();
        assert_eq!(incoming.buffer.capacity(), 100);
        incoming.discard(100);
        assert_eq!(incoming.buffer.capacity(), 0);
        incoming.room(0).unwrap();
        incoming.rest();
        assert_eq!(incoming.buffer.capacity(), 0);
    }

    #[test]
    fn whoever_wants_much_reads_no_more_than_that_and_keeps_none_of_the_memory() {
        let mut incoming = Incoming::default();
        assert_eq!(incoming.room(100_000).unwrap().len(), 100_000);
        assert_eq!(incoming.room(10 * WIDE_LANDING).unwrap().len(), WIDE_LANDING);
        read(&mut incoming, &[1; 100]);
        assert_eq!(incoming.room(0).unwrap().len(), LANDING - 100);
        assert_eq!(incoming.buffer.len(), LANDING);
        assert_eq!(incoming.bytes(), [1; 100]);
        assert_eq!(incoming.room(LANDING + 1).unwrap().len(), LANDING + 1);
        assert_eq!(incoming.bytes(), [1; 100]);
    }

    #[test]
    fn what_is_never_taken_ends_at_the_limit() {
        let mut incoming = Incoming::default();
        let mut length = 0;
        while let Ok(room) = incoming.room(0) {
            assert!(!room.is_empty());
            length += room.len();
            let count = room.len();
            incoming.filled(count);
        }
        assert_eq!(length, MAX_LENGTH);
    }
}
