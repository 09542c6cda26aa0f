//! What filters, routes, templates and formats see.

use super::record::RecordFields;
use crate::event_time::EventTime;
use crate::journal::{Position, StoredChunk};

/// Where a run of entries came from: the same for all of its events.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The tag, as sent or as a filter gave it: usually UTF-8, but nothing holds a peer to it.
    pub tag: &'a [u8],
    /// Where the chunk begins in the journal.
    pub position: Position,
    /// When the message was complete; the journal keeps it.
    pub received_at: EventTime,
    /// The `id` of the input.
    pub input: &'a str,
    /// The sender's identity.
    pub sender: &'a str,
    /// The sender's IP address, as text.
    pub source_address: Option<&'a str>,
    /// The subject of the client certificate.
    pub subject: Option<&'a str>,
    /// SHA-256 over the client certificate, lowercase hex.
    pub fingerprint: Option<&'a str>,
    /// The alternative names of the client certificate with their kind: `DNS:engine-1.example.com`.
    pub alternative_names: &'a [&'a str],
    /// The name of the sender's host, where it is known.
    pub host_name: Option<&'a str>,
    /// The user of the shared key handshake.
    pub user: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// Of a chunk in the journal. `alternative_names` are the chunk's, which it only yields one by one.
    pub fn of(chunk: &'a StoredChunk, alternative_names: &'a [&'a str]) -> Self {
        Self {
            tag: chunk.tag(),
            position: chunk.position,
            received_at: chunk.received_at(),
            input: chunk.input(),
            sender: chunk.sender(),
            source_address: chunk.source_address(),
            subject: chunk.subject(),
            fingerprint: chunk.fingerprint(),
            alternative_names,
            host_name: chunk.host_name(),
            user: chunk.user(),
        }
    }

    /// For tests: the first chunk of a journal, of whose sender no more than its identity is known.
    #[cfg(test)]
    pub(crate) fn of_engine(tag: &'a [u8], received_at: EventTime) -> Self {
        Self {
            tag,
            position: Position::new(1, 64),
            received_at,
            input: "edge",
            sender: "CN=engine-1",
            source_address: None,
            subject: None,
            fingerprint: None,
            alternative_names: &[],
            host_name: None,
            user: None,
        }
    }
}

/// One event on its way to an output.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub source: &'a Source<'a>,
    /// The name of this server.
    pub server: &'a str,
    /// The event's own time; that of receipt where the sender gave none.
    pub time: EventTime,
    /// Fluent Bit's metadata of this very entry, an encoded map. Formats write what `metadata_field` puts into the record.
    pub metadata: Option<&'a [u8]>,
    /// The record as the filters left it.
    pub record: RecordFields<'a>,
    /// The place of its entry in the chunk, bad entries counted.
    pub index: u32,
}
