//! From entries to messages.

use std::collections::VecDeque;
use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use crate::chunk::Encoding;
use crate::client::delivery::OutgoingChunk;
use crate::wire::client::{write_packed_head, write_packed_options};

/// Collects entries until there are enough for a message.
#[derive(Debug)]
pub(super) struct ChunkBuilder {
    tag: String,
    max_events: u64,
    ack: bool,
    encoding: Encoding,
    /// Room for the head of a message, and the entries so far.
    memory: Vec<u8>,
    /// Where the entries begin.
    start: usize,
    events: u64,
    /// The memory of messages that may have been sent by now, to be used again: new memory costs more than writing to
    /// it does.
    sent: VecDeque<Bytes>,
    /// Makes the ids of this run different from those of any other.
    run: [u8; 8],
    number: u64,
}

/// Bytes of entries from which a message is closed, however few there are: well below what servers refuse.
const MAX_MESSAGE_LENGTH: usize = 4 * 1024 * 1024;

/// Messages whose memory is kept to be used again.
const MAX_SENT: usize = 32;

/// The longest head of a message, but for its tag.
const HEAD_ROOM: usize = 16;

impl ChunkBuilder {
    pub(super) fn new(tag: &str, max_events: u64, ack: bool, encoding: Encoding) -> Self {
        let mut run = [0; 8];
        aws_lc_rs::rand::fill(&mut run).expect("the operating system gives random bytes");
        let start = HEAD_ROOM + tag.len();
        Self {
            tag: tag.to_owned(),
            max_events,
            ack,
            encoding,
            memory: vec![0; start],
            start,
            events: 0,
            sent: VecDeque::new(),
            run,
            number: 0,
        }
    }

    /// Where entries are collected; append one and call [`added`](Self::added).
    pub(super) fn entries(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }

    /// Counts the entry that was appended; a message, if there are enough now.
    pub(super) fn added(&mut self) -> Option<OutgoingChunk> {
        self.events += 1;
        let full = self.events >= self.max_events || self.memory.len() - self.start >= MAX_MESSAGE_LENGTH;
        if full { self.finish() } else { None }
    }

    /// A message of what there is; `None` where that is nothing.
    pub(super) fn finish(&mut self) -> Option<OutgoingChunk> {
        if self.events == 0 {
            return None;
        }
        let id = self.ack.then(|| self.next_id());
        if self.encoding != Encoding::Plain {
            let compressed = compress(self.encoding, &self.memory[self.start..]);
            self.memory.truncate(self.start);
            self.memory.extend_from_slice(&compressed);
        }
        let mut head = Vec::with_capacity(self.start);
        write_packed_head(&mut head, self.tag.as_bytes(), self.memory.len() - self.start);
        let begin = self.start - head.len();
        self.memory[begin..self.start].copy_from_slice(&head);
        let events = std::mem::take(&mut self.events);
        write_packed_options(&mut self.memory, id.as_deref(), events, self.encoding);
        let next = self.next_memory();
        let memory = Bytes::from(std::mem::replace(&mut self.memory, next));
        let message = memory.slice(begin..);
        self.sent.push_back(memory);
        Some(OutgoingChunk { message, id, events })
    }

    /// Of the latest message that is acknowledged by now, if there is one: it may still be in the processor's caches.
    fn next_memory(&mut self) -> Vec<u8> {
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        let free = self.sent.iter().rposition(Bytes::is_unique).and_then(|index| self.sent.remove(index));
        let mut memory = free.and_then(|memory| memory.try_into_mut().ok()).unwrap_or_default();
        memory.truncate(self.start);
        memory.resize(self.start, 0);
        memory.into()
    }

    /// 16 bytes in base64, as Fluentd's are.
    fn next_id(&mut self) -> Bytes {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.run);
        id[8..].copy_from_slice(&self.number.to_be_bytes());
        self.number += 1;
        BASE64_STANDARD.encode(id).into()
    }
}

fn compress(encoding: Encoding, entries: &[u8]) -> Vec<u8> {
    let compressed = match encoding {
        Encoding::Plain => Ok(entries.to_vec()),
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(entries).and_then(|()| encoder.finish())
        }
        Encoding::Zstd => zstd::encode_all(entries, zstd::DEFAULT_COMPRESSION_LEVEL),
    };
    compressed.expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::compression::inflate;
    use crate::wire::message::Message;

    #[test]
    fn a_chunk_is_closed_at_its_number_of_events_and_ids_differ() {
        let mut builder = ChunkBuilder::new("a.b", 2, true, Encoding::Plain);
        let mut chunks = Vec::new();
        for _ in 0..5 {
            builder.entries().extend_from_slice(b"\x92\x01\x80");
            chunks.extend(builder.added());
        }
        chunks.extend(builder.finish());
        assert_eq!(chunks.iter().map(|chunk| chunk.events).collect::<Vec<_>>(), [2, 2, 1]);
        assert_ne!(chunks[0].id, chunks[1].id);
        assert!(builder.finish().is_none());
        let other_run = ChunkBuilder::new("a.b", 2, true, Encoding::Plain).next_id();
        assert_ne!(Some(other_run), chunks[0].id);
    }

    #[test]
    fn messages_are_compressed_as_they_say() {
        for encoding in [Encoding::Plain, Encoding::Gzip, Encoding::Zstd] {
            let mut builder = ChunkBuilder::new("a.b", 1, false, encoding);
            builder.entries().extend_from_slice(b"\x92\x01\x80");
            let message = Message::decode(&builder.added().unwrap().message).unwrap();
            let mut entries = Vec::new();
            inflate(message.encoding, &message.entries, 100, &mut entries).unwrap();
            assert_eq!((message.encoding, &entries[..]), (encoding, &b"\x92\x01\x80"[..]));
        }
    }

    #[test]
    fn a_large_entry_closes_a_chunk_before_its_number_is_reached() {
        let mut builder = ChunkBuilder::new("a.b", 1_000, false, Encoding::Plain);
        builder.entries().extend_from_slice(&[0xc0; MAX_MESSAGE_LENGTH]);
        let chunk = builder.added().unwrap();
        assert_eq!((chunk.events, chunk.id), (1, None));
    }

    #[test]
    fn memory_of_messages_is_used_again_once_nobody_holds_them() {
        let mut builder = ChunkBuilder::new("a.b", 1, true, Encoding::Plain);
        let mut chunk = |text: &[u8]| {
            builder.entries().extend_from_slice(b"\x92\x01\x81\xa1k\xc5\x27\x10");
            builder.entries().extend_from_slice(&text.repeat(10_000));
            builder.added().unwrap()
        };
        let held = chunk(b"a");
        let before = held.message.clone();
        let place = chunk(b"b").message.as_ptr();
        let again: Vec<_> = (0..3).map(|_| chunk(b"c").message.as_ptr()).collect();
        assert!(again.contains(&place), "{again:?} and {place:?}");
        assert_eq!(held.message, before);
        assert!(Message::decode(&held.message).is_ok());
        for _ in 0..2 * MAX_SENT {
            let all: Vec<_> = (0..2 * MAX_SENT).map(|_| chunk(b"d")).collect();
            drop(all);
        }
        assert!(builder.sent.len() <= MAX_SENT);
    }
}
