//! The load mode: made-up events, which each connection makes for itself while it sends them.
//!
//! A message is the numbers of its events and little else. Its bytes are made a piece at a time, in memory that the
//! processor has near, and made again should they have to be sent again.

mod digits;
mod event;
mod numbers;
mod pieces;

use std::sync::Arc;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::chunks::{MAX_MESSAGE_LENGTH, compress};
use super::ids::MessageIds;
use crate::chunk::Encoding;
use crate::client::chunks::{ChunkSource, OutgoingChunk};
use crate::event_time::EventTime;
use crate::wire::client::{write_packed_head, write_packed_options};
use event::Template;
use numbers::Numbers;
use pieces::{MadeUp, Pieces};

/// What is sent, and how much of it.
#[derive(Debug)]
pub(super) struct Load<'a> {
    pub(super) tag: &'a str,
    pub(super) count: u64,
    /// Events a second; `None`: as fast as they go.
    pub(super) rate: Option<u64>,
    /// Customers that events are spread over.
    pub(super) customers: u64,
    /// Tells the events of this run from others.
    pub(super) run: &'a str,
    /// Events in one message at most.
    pub(super) chunk_events: u64,
    /// `None` where no acknowledgements are asked for.
    pub(super) ids: Option<MessageIds>,
    pub(super) encoding: Encoding,
}

/// Makes the events of one connection.
#[derive(Debug)]
pub(super) struct LoadSource {
    tag: String,
    numbers: Arc<Numbers>,
    chunk_events: u64,
    ids: Option<MessageIds>,
    encoding: Encoding,
    pieces: Pieces,
}

/// What stands for the bytes of a message.
#[derive(Debug)]
pub(super) enum LoadMessage {
    /// Made as it is sent.
    MadeUp(MadeUp),
    /// What is compressed is made once.
    Whole(Bytes),
}

impl Load<'_> {
    /// For so many connections, until `stop` is cancelled.
    pub(super) fn sources(
        &self,
        connections: u16,
        stop: &CancellationToken,
    ) -> impl Iterator<Item = LoadSource> {
        let numbers = Arc::new(Numbers::new(self.count, self.rate, stop.clone()));
        let template = Arc::new(Template::new(self.count, self.customers, self.run));
        let longest = (MAX_MESSAGE_LENGTH / template.length()) as u64;
        (0..connections).map(move |_| LoadSource {
            tag: self.tag.to_owned(),
            numbers: Arc::clone(&numbers),
            chunk_events: self.chunk_events.min(longest),
            ids: self.ids,
            encoding: self.encoding,
            pieces: Pieces::new(Arc::clone(&template), self.tag.len()),
        })
    }
}

impl ChunkSource for LoadSource {
    type Message = LoadMessage;

    async fn next(&mut self) -> Option<OutgoingChunk<LoadMessage>> {
        let numbers = self.numbers.take(self.chunk_events).await?;
        let id = self.ids.map(|ids| ids.id(numbers.start));
        let events = numbers.end - numbers.start;
        let mut made_up = MadeUp { numbers, time: EventTime::now(), head: Vec::new(), options: Vec::new() };
        write_packed_options(&mut made_up.options, id.as_deref(), events, self.encoding);
        let message = if self.encoding == Encoding::Plain {
            let length = self.pieces.length(&made_up);
            write_packed_head(&mut made_up.head, self.tag.as_bytes(), length);
            LoadMessage::MadeUp(made_up)
        } else {
            LoadMessage::Whole(self.compressed(made_up))
        };
        Some(OutgoingChunk { message, id, events })
    }

    fn piece<'a>(&'a mut self, chunk: &'a OutgoingChunk<LoadMessage>, number: usize) -> &'a [u8] {
        match &chunk.message {
            LoadMessage::MadeUp(made_up) => self.pieces.make(made_up, number),
            LoadMessage::Whole(message) if number == 0 => message,
            LoadMessage::Whole(_) => &[],
        }
    }
}

impl LoadSource {
    fn compressed(&mut self, mut made_up: MadeUp) -> Bytes {
        let options = std::mem::take(&mut made_up.options);
        let mut entries = Vec::with_capacity(self.pieces.length(&made_up));
        for number in 0.. {
            match self.pieces.make(&made_up, number) {
                [] => break,
                piece => entries.extend_from_slice(piece),
            }
        }
        let entries = compress(self.encoding, &entries);
        let mut message = Vec::with_capacity(self.tag.len() + entries.len() + options.len() + 16);
        write_packed_head(&mut message, self.tag.as_bytes(), entries.len());
        message.extend_from_slice(&entries);
        message.extend_from_slice(&options);
        message.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::compression::inflate;
    use crate::wire::entry::{Entries, Item};
    use crate::wire::message::Message;

    const LOAD: Load<'static> = Load {
        tag: "nginx.access",
        count: 2_500,
        rate: None,
        customers: 60,
        run: "run",
        chunk_events: 1_000,
        ids: None,
        encoding: Encoding::Plain,
    };

    fn bytes(source: &mut LoadSource, chunk: &OutgoingChunk<LoadMessage>) -> Bytes {
        let mut message = Vec::new();
        for number in 0.. {
            match source.piece(chunk, number) {
                [] => break,
                piece => message.extend_from_slice(piece),
            }
        }
        message.into()
    }

    fn entries_of(message: &Bytes) -> (Message, Vec<u8>) {
        let message = Message::decode(message).unwrap();
        let mut entries = Vec::new();
        inflate(message.encoding, &message.entries, 10_000_000, &mut entries).unwrap();
        (message, entries)
    }

    #[tokio::test]
    async fn connections_share_the_events_and_each_message_says_what_it_holds() {
        for encoding in [Encoding::Plain, Encoding::Gzip, Encoding::Zstd] {
            let load = Load { ids: Some(MessageIds::new()), encoding, ..LOAD };
            let mut sources: Vec<_> = load.sources(2, &CancellationToken::new()).collect();
            let mut number = 0u32;
            for turn in 0..3 {
                let source = &mut sources[turn % 2];
                let chunk = source.next().await.unwrap();
                let message = bytes(source, &chunk);
                let (message, entries) = entries_of(&message);
                let id = message.options.chunk.map(|chunk| chunk.id);
                assert_eq!((message.encoding, id), (encoding, chunk.id));
                assert_eq!(message.options.size, Some(chunk.events));
                for entry in Entries::new(&entries) {
                    let Ok(Item::Event(event)) = entry else { panic!("{entry:?}") };
                    assert!(event.record.ends_with(&number.to_be_bytes()), "event {number}");
                    number += 1;
                }
            }
            assert_eq!(number, 2_500);
            assert!(sources[0].next().await.is_none() && sources[1].next().await.is_none());
        }
    }

    #[tokio::test]
    async fn what_is_sent_again_is_what_was_sent_before() {
        let mut source =
            Load { chunk_events: 130, ..LOAD }.sources(1, &CancellationToken::new()).next().unwrap();
        let (first, second) = (source.next().await.unwrap(), source.next().await.unwrap());
        let sent = [bytes(&mut source, &first), bytes(&mut source, &second)];
        assert_eq!([bytes(&mut source, &first), bytes(&mut source, &second)], sent);
        assert_ne!(sent[0], sent[1]);
    }

    #[tokio::test]
    async fn a_message_stays_within_its_length_however_many_events_are_asked_for() {
        let load = Load { count: 100_000, chunk_events: u64::MAX, ..LOAD };
        let mut source = load.sources(1, &CancellationToken::new()).next().unwrap();
        let chunk = source.next().await.unwrap();
        let length = bytes(&mut source, &chunk).len();
        assert!((MAX_MESSAGE_LENGTH - 1_000..MAX_MESSAGE_LENGTH + 100).contains(&length), "{length} bytes");
    }
}
