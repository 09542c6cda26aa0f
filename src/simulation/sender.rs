//! Senders: they repeat what is not acknowledged, in order, over a connection that breaks now and then.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;

use super::model::{LARGE, Model, NewEvent};
use super::settings::{Settings, TAGS};
use crate::chunk::{AckProof, Chunk, Encoding};
use crate::event_time::EventTime;
use crate::journal::format::footer::{ChunkKey, chunk_key};
use crate::journal::large::{LargeEntries, SpoolFolder};
use crate::journal::{AppendError, Appended, Journal, Receipt};
use crate::sender::Sender;
use crate::storage::simulated::Random;

/// Chunks that a sender has on the way at one time.
const WINDOW: usize = 4;

/// Bytes of a block in the file of a large chunk: so few that a chunk has several pieces.
const BLOCK_LENGTH: u32 = 256;

/// Bytes of a large message that are written at once.
const PART_LENGTH: usize = 700;

/// Hosts that events come from; outputs sort by them.
const HOSTS: [&str; 2] = ["h1", "h2"];

/// A sender and what it still wants an answer for.
#[derive(Debug)]
pub(super) struct SimulatedSender {
    identity: Arc<Sender>,
    /// Whether it is like Fluent Bit: its ids are a hash of the content, it waits for each acknowledgement before it sends
    /// the next chunk, and gives a connection up on which none comes.
    waits: bool,
    /// The last chunk whose acknowledgement it had on this connection, where it waits.
    acknowledged: Option<ChunkKey>,
    next_id: u64,
    /// Chunks without an acknowledgement, oldest first.
    unacknowledged: VecDeque<usize>,
    /// What the connection waits for, in the order in which it was sent.
    waiting: VecDeque<(usize, Receipt)>,
    /// For people: what it did since somebody asked last.
    lines: Option<Vec<String>>,
}

/// What came of waiting.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) duplicates: u64,
    pub(super) lost_acks: u64,
}

impl SimulatedSender {
    /// `lines`: whether it tells what it does.
    pub(super) fn new(number: usize, lines: bool) -> Self {
        Self {
            identity: Arc::new(Sender::from_address([10, 0, 0, number as u8].into())),
            waits: number % 2 == 1,
            acknowledged: None,
            next_id: 0,
            unacknowledged: VecDeque::new(),
            waiting: VecDeque::new(),
            lines: lines.then(Vec::new),
        }
    }

    /// What it did since this was asked last.
    pub(super) fn take_lines(&mut self) -> Vec<String> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether everything is acknowledged.
    pub(super) fn is_content(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    /// Sends a chunk that it never sent before, unless too many are on the way.
    pub(super) fn send_new(
        &mut self,
        model: &mut Model,
        journal: &Journal,
        now: EventTime,
        settings: &Settings,
        random: &mut Random,
    ) {
        let window = if self.waits { 1 } else { WINDOW };
        if self.unacknowledged.len() + self.waiting.len() >= window {
            return;
        }
        let tag = random.pick(&TAGS).copied().unwrap_or(TAGS[0]);
        self.next_id += 1;
        // The same ids as those of all other senders: only sender, tag and id together name a chunk.
        let id = (!random.one_in(8)).then(|| Bytes::from(format!("chunk {}", self.next_id)));
        let is_large = random.one_in(settings.large);
        let count = if is_large { LARGE as u64 + random.below(20) } else { 1 + random.below(3) };
        let padding = if is_large { 2 * settings.large_length / count } else { settings.padding };
        let events: Vec<NewEvent> = (0..count)
            .map(|_| NewEvent {
                is_bad: random.one_in(10),
                seconds: now.seconds().max(0) as u64,
                host: random.pick(&HOSTS).copied().unwrap_or(HOSTS[0]),
                padding: random.below(padding) as usize,
            })
            .collect();
        let chunk = model.add_chunk(tag, id, &events);
        if self.waits {
            let sent = &mut model.chunks[chunk];
            sent.id = Some(content_hash(&sent.entries));
        }
        if model.chunks[chunk].id.is_some() {
            self.unacknowledged.push_back(chunk);
        }
        self.send(chunk, model, journal, now);
    }

    /// Connects anew, and sends everything again that is not acknowledged.
    pub(super) fn reconnect(&mut self, model: &Model, journal: &Journal, now: EventTime) {
        self.disconnect();
        for chunk in self.unacknowledged.clone() {
            self.send(chunk, model, journal, now);
        }
    }

    /// The connection is gone, and all answers with it.
    pub(super) fn disconnect(&mut self) {
        self.waiting.clear();
        self.acknowledged = None;
    }

    /// Takes the answers that are there.
    pub(super) fn listen(&mut self, model: &mut Model, lost_acks: u64, random: &mut Random) -> Answers {
        let mut answers = Answers::default();
        while let Some((chunk, receipt)) = self.waiting.front_mut() {
            let chunk = *chunk;
            let Poll::Ready(answer) = poll(receipt) else { break };
            self.waiting.pop_front();
            self.note(|| format!("chunk {chunk}: {answer:?}"));
            match answer {
                Ok(appended) => {
                    model.chunks[chunk].promised = true;
                    answers.duplicates += u64::from(appended == Appended::Duplicate);
                    let is_lost = random.one_in(lost_acks);
                    if is_lost {
                        answers.lost_acks += 1;
                    } else {
                        self.unacknowledged.retain(|waiting| *waiting != chunk);
                    }
                    if self.waits && is_lost {
                        self.disconnect();
                    } else if self.waits {
                        let sent = &model.chunks[chunk];
                        self.acknowledged = sent.id.as_ref().map(|id| chunk_key(sent.tag.as_bytes(), id));
                    }
                }
                Err(
                    AppendError::Failed(_) | AppendError::Stopped | AppendError::Full | AppendError::TooLarge,
                ) => self.disconnect(),
            }
        }
        answers
    }

    fn send(&mut self, chunk: usize, model: &Model, journal: &Journal, now: EventTime) {
        let sent = &model.chunks[chunk];
        let proof = match self.waits {
            true => AckProof { acknowledged: self.acknowledged, sent_after: journal.taken() },
            false => AckProof::default(),
        };
        let message = Chunk {
            refusal: None,
            proof,
            // Three of four are in memory that the journal may leave them in.
            memory: (!chunk.is_multiple_of(4)).then_some(sent.entries.len()),
            handed_over: None,
            sender: Arc::clone(&self.identity),
            input: "edge".into(),
            tag: Bytes::from_static(sent.tag.as_bytes()),
            id: sent.id.clone(),
            received_at: now,
            entry_count: sent.events.len() as u32,
            has_bad_entries: sent.events.clone().any(|event| model.events[event].is_bad),
            has_metadata: false,
            encoding: Encoding::Plain,
            entries: sent.entries.clone(),
        };
        if sent.is_large {
            self.send_through_file(chunk, message, journal);
            return;
        }
        let mut handing_over = std::pin::pin!(journal.append(message));
        // Where there is no room, or no journal any more, the sender tries again later.
        if let Poll::Ready(Ok(receipt)) = handing_over.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            self.waiting.push_back((chunk, receipt));
            self.note(|| format!("chunk {chunk} is sent"));
        }
    }

    /// As an input does with what is too large for memory. Where the disk does not take it, the connection is closed.
    fn send_through_file(&mut self, chunk: usize, message: Chunk, journal: &Journal) {
        // Half of them are compressed, as senders do with much.
        let is_compressed = chunk % 2 == 1;
        let encoding = if is_compressed { Encoding::Gzip } else { Encoding::Plain };
        let bytes = if is_compressed { compress(&message.entries) } else { message.entries.to_vec() };
        let spooled = spool(&journal.spools().with_blocks_of(BLOCK_LENGTH), &bytes);
        let entries = match spooled {
            Ok(entries) => entries,
            Err(error) => {
                self.note(|| format!("chunk {chunk} is not taken: {error}"));
                self.disconnect();
                return;
            }
        };
        let message = Chunk { encoding, ..message };
        let mut handing_over = std::pin::pin!(journal.append_large(message, entries));
        if let Poll::Ready(Ok(receipt)) = handing_over.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            self.waiting.push_back((chunk, receipt));
            self.note(|| format!("chunk {chunk} is sent through a file"));
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let identity = &self.identity.identity;
        if let Some(lines) = &mut self.lines {
            lines.push(format!("sender {identity}: {}", line()));
        }
    }
}

/// Puts entries into a file, as they come from a socket.
fn spool(folder: &SpoolFolder, bytes: &[u8]) -> io::Result<LargeEntries> {
    let mut spool = folder.create()?;
    for part in bytes.chunks(PART_LENGTH) {
        spool.write(part)?;
    }
    spool.finish()
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes what is written to it")
}

/// As Fluent Bit makes its ids.
fn content_hash(entries: &[u8]) -> Bytes {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, entries);
    BASE64_STANDARD.encode(&hash.as_ref()[..16]).into()
}

fn poll(receipt: &mut Receipt) -> Poll<Result<Appended, AppendError>> {
    Pin::new(receipt).poll(&mut Context::from_waker(Waker::noop()))
}
