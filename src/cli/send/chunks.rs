//! From entries to messages.

use std::io::Write;

use bytes::Bytes;

use super::ids::MessageIds;
use crate::chunk::Encoding;
use crate::client::chunks::OutgoingChunk;
use crate::wire::client::{write_packed_head, write_packed_options};

/// Collects entries until there are enough for a message.
#[derive(Debug)]
pub(super) struct ChunkBuilder {
    tag: String,
    max_events: u64,
    /// `None` where no acknowledgements are asked for.
    ids: Option<MessageIds>,
    encoding: Encoding,
    /// Room for the head of a message, and the entries so far.
    memory: Vec<u8>,
    /// Where the entries begin.
    start: usize,
    events: u64,
    /// Of the next message.
    number: u64,
}

/// Bytes of entries from which a message is closed, however few there are: well below what servers refuse.
pub(super) const MAX_MESSAGE_LENGTH: usize = 4 * 1024 * 1024;

/// The longest head of a message, but for its tag.
pub(super) const HEAD_ROOM: usize = 16;

impl ChunkBuilder {
    pub(super) fn new(tag: &str, max_events: u64, ids: Option<MessageIds>, encoding: Encoding) -> Self {
        let start = HEAD_ROOM + tag.len();
        Self {
            tag: tag.to_owned(),
            max_events,
            ids,
            encoding,
            memory: vec![0; start],
            start,
            events: 0,
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
        let id = self.ids.map(|ids| ids.id(self.number));
        self.number += 1;
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
        let memory = Bytes::from(std::mem::replace(&mut self.memory, vec![0; self.start]));
        Some(OutgoingChunk { message: memory.slice(begin..), id, events })
    }
}

/// Entries as they are sent.
pub(super) fn compress(encoding: Encoding, entries: &[u8]) -> Vec<u8> {
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
        let mut builder = ChunkBuilder::new("a.b", 2, Some(MessageIds::new()), Encoding::Plain);
        let mut chunks = Vec::new();
        for _ in 0..5 {
            builder.entries().extend_from_slice(b"\x92\x01\x80");
            chunks.extend(builder.added());
        }
        chunks.extend(builder.finish());
        assert_eq!(chunks.iter().map(|chunk| chunk.events).collect::<Vec<_>>(), [2, 2, 1]);
        assert_ne!(chunks[0].id, chunks[1].id);
        assert!(builder.finish().is_none());
    }

    #[test]
    fn messages_are_compressed_as_they_say() {
        for encoding in [Encoding::Plain, Encoding::Gzip, Encoding::Zstd] {
            let mut builder = ChunkBuilder::new("a.b", 1, None, encoding);
            builder.entries().extend_from_slice(b"\x92\x01\x80");
            let message = Message::decode(&builder.added().unwrap().message).unwrap();
            let mut entries = Vec::new();
            inflate(message.encoding, &message.entries, 100, &mut entries).unwrap();
            assert_eq!((message.encoding, &entries[..]), (encoding, &b"\x92\x01\x80"[..]));
        }
    }

    #[test]
    fn a_large_entry_closes_a_chunk_before_its_number_is_reached() {
        let mut builder = ChunkBuilder::new("a.b", 1_000, None, Encoding::Plain);
        builder.entries().extend_from_slice(&[0xc0; MAX_MESSAGE_LENGTH]);
        let chunk = builder.added().unwrap();
        assert_eq!((chunk.events, chunk.id), (1, None));
    }
}
