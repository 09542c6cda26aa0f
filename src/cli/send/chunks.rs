//! From entries to messages.

use std::borrow::Cow;
use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use crate::chunk::Encoding;
use crate::client::delivery::OutgoingChunk;
use crate::wire::client::{Packed, encode_packed_as};

/// Collects entries until there are enough for a message.
#[derive(Debug)]
pub(super) struct ChunkBuilder {
    tag: String,
    max_events: u64,
    ack: bool,
    encoding: Encoding,
    entries: Vec<u8>,
    events: u64,
    /// Makes the ids of this run different from those of any other.
    run: [u8; 8],
    number: u64,
}

/// Bytes of entries from which a message is closed, however few there are: well below what servers refuse.
const MAX_MESSAGE_LENGTH: usize = 4 * 1024 * 1024;

impl ChunkBuilder {
    pub(super) fn new(tag: &str, max_events: u64, ack: bool, encoding: Encoding) -> Self {
        let mut run = [0; 8];
        aws_lc_rs::rand::fill(&mut run).expect("the operating system gives random bytes");
        Self {
            tag: tag.to_owned(),
            max_events,
            ack,
            encoding,
            entries: Vec::new(),
            events: 0,
            run,
            number: 0,
        }
    }

    /// The entries so far; append one and call [`added`](Self::added).
    pub(super) fn entries(&mut self) -> &mut Vec<u8> {
        &mut self.entries
    }

    /// Counts the entry that was appended; a message, if there are enough now.
    pub(super) fn added(&mut self) -> Option<OutgoingChunk> {
        self.events += 1;
        let full = self.events >= self.max_events || self.entries.len() >= MAX_MESSAGE_LENGTH;
        if full { self.finish() } else { None }
    }

    /// A message of what there is; `None` where that is nothing.
    pub(super) fn finish(&mut self) -> Option<OutgoingChunk> {
        if self.events == 0 {
            return None;
        }
        let id = self.ack.then(|| self.next_id());
        let compressed = compress(self.encoding, &self.entries);
        let packed = Packed {
            tag: self.tag.as_bytes(),
            entries: &compressed,
            count: self.events,
            chunk: id.as_deref(),
            gzip: self.encoding == Encoding::Gzip,
        };
        let message = encode_packed_as(&packed, self.encoding);
        self.entries.clear();
        Some(OutgoingChunk { message: message.into(), id, events: std::mem::take(&mut self.events) })
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

fn compress(encoding: Encoding, entries: &[u8]) -> Cow<'_, [u8]> {
    let compressed = match encoding {
        Encoding::Plain => return Cow::Borrowed(entries),
        Encoding::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(entries).and_then(|()| encoder.finish())
        }
        Encoding::Zstd => zstd::encode_all(entries, zstd::DEFAULT_COMPRESSION_LEVEL),
    };
    Cow::Owned(compressed.expect("writing to memory does not fail"))
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
        builder.entries().resize(MAX_MESSAGE_LENGTH, 0xc0);
        let chunk = builder.added().unwrap();
        assert_eq!((chunk.events, chunk.id), (1, None));
    }
}
