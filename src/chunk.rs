//! What an input hands to the journal.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event_time::EventTime;
use crate::journal::format::footer::ChunkKey;
use crate::sender::Sender;

/// A run of entries that arrived in one message, kept as the sender sent it.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Who sent it.
    pub sender: Arc<Sender>,
    /// The `id` of the input that took it.
    pub input: Arc<str>,
    /// The tag, as sent: usually UTF-8, but nothing holds a peer to it.
    pub tag: Bytes,
    /// The value of the `chunk` option, byte for byte; where the input gives a tag of its own, behind the tag that was
    /// sent and a zero byte. `None` where the sender asks for no acknowledgement.
    pub id: Option<Bytes>,
    /// When the message was complete.
    pub received_at: EventTime,
    /// How many entries it holds, bad ones included.
    pub entry_count: u32,
    /// Whether at least one entry does not decode, so that the dead-letter reader must look into it.
    pub has_bad_entries: bool,
    /// Whether at least one entry carries metadata or is a group mark, as Fluent Bit sends them.
    pub has_metadata: bool,
    /// Why the message was refused, where it was so often that it was taken as it is: `entries` is the whole message
    /// then, plain, and counts as one bad entry. No output takes anything of it; it becomes a dead letter.
    pub refusal: Option<Arc<str>>,
    /// What its connection shows about the acknowledgements that its sender has had.
    pub proof: AckProof,
    /// What one output handed to another, or is to deliver once more. Nobody else takes anything of it.
    pub handed_over: Option<Arc<HandedOver>>,
    /// How `entries` is encoded.
    pub encoding: Encoding,
    /// Bytes of memory that are kept from other use as long as somebody has `entries`, where nothing else lies in them: the
    /// journal then keeps long entries in it, for the disk and for readers. `None`: it copies them.
    pub memory: Option<usize>,
    /// A run of msgpack entries, `[time, record]` or `[[time, metadata], record]`, one after the other.
    pub entries: Bytes,
}

#[cfg(test)]
impl Chunk {
    /// One entry, of nobody in particular, as it was sent at no time in particular: a test says what it is about.
    pub(crate) fn of_one(entry: impl Into<Bytes>) -> Self {
        Self {
            sender: Arc::new(Sender::from_address([127, 0, 0, 1].into())),
            input: "edge".into(),
            tag: Bytes::from_static(b"app"),
            id: None,
            received_at: EventTime::from_unix_nanoseconds(0),
            entry_count: 1,
            has_bad_entries: false,
            has_metadata: false,
            refusal: None,
            proof: AckProof::default(),
            handed_over: None,
            encoding: Encoding::Plain,
            memory: None,
            entries: entry.into(),
        }
    }
}

/// What a connection shows about the acknowledgements that its sender had when it sent a chunk. By it a sender that has
/// the same content to send twice is told from one that sends a chunk again (`journal/dedup/mod.rs`). Nothing, by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AckProof {
    /// The sender had the acknowledgement of this chunk of its: it came before on the same connection, on which there
    /// never were two chunks without an acknowledgement.
    pub acknowledged: Option<ChunkKey>,
    /// How many chunks the journal had taken at some time before the sender sent this one.
    pub sent_after: u64,
}

/// How a run of entries is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// msgpack as it is.
    Plain,
    /// One or more gzip members over the msgpack.
    Gzip,
    /// One or more Zstandard frames over the msgpack.
    Zstd,
}

/// Where a chunk comes from that an output handed over, as it would have delivered it, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOver {
    /// The `id` of the output that gave the events up.
    pub from: String,
    /// The `id` of the output that is to take them; `@dead-letters` for the dead letters.
    pub to: String,
    /// The journal that they were read from, in hex.
    pub journal: String,
    /// Where their chunk lies there.
    pub segment: u64,
    pub offset: u64,
    /// Their entries: from this one up to the one before `end`.
    pub first: u32,
    pub end: u32,
    /// What went wrong the last time, in words.
    pub reason: String,
    /// How often they were sent.
    pub attempts: u32,
    /// Whether the far side may have them nevertheless.
    pub in_doubt: bool,
    /// The id under which they were sent, to be used again.
    pub message_id: String,
    /// The id of the chunk that they came in, in base64.
    pub chunk: Option<String>,
    /// Where the events are as they were received, and filters and routes are yet to have their say. `None` where they are
    /// as an output would have delivered them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_received: Option<AsReceived>,
    /// Of what a file output gave up: the file that the events were for. `first` and `end` are those of all that was read
    /// with them then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PartOfFile>,
}

/// Events of a chunk, or of a piece of a large one, that were for one file and have one tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PartOfFile {
    /// Where the file is, or should be.
    pub path: String,
    /// Where there are many, they are handed over in parts, counted from 0.
    pub part: u32,
}

/// A chunk that an output left behind, and that is to be delivered to it after all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsReceived {
    /// How many entries at the beginning were delivered before.
    pub delivered: u32,
    /// When it was taken up, in nanoseconds since the Unix epoch.
    pub retried_at: i64,
}
