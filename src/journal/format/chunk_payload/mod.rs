//! The payload of a chunk's frame.
//!
//! ```text
//!  0  8  time of receipt, nanoseconds since the Unix epoch
//!  8  4  number of entries
//! 12  1  encoding of the entries: as they were sent 0 msgpack, 1 gzip, 2 Zstandard over msgpack; as
//!       the journal packed msgpack that was sent 3 LZ4, 4 Zstandard (packed_entries.rs), only in
//!       segments of format 2
//! 13  1  flags: bit 0, at least one entry does not decode; bit 1, at least one carries metadata or
//!       is a group mark; bit 2, a refused message, taken as it is; bit 3, handed from one output
//!       to another, or back to it
//! 14  2  zero
//! 16  4  length of the attributes
//! 20  …  attributes, one after the other:
//!          0  1  kind: 1 tag, 2 sender, 3 chunk id, 4 input, 5 source address, 6 subject,
//!                      7 alternative name (may repeat), 8 fingerprint, 9 host name of the
//!                      peer, 10 user of the handshake, 11 key of a chunk before, whose
//!                      acknowledgement the sender had when it sent this one (footer.rs),
//!                      12 zeros, so many that the entries lie in the file as they lay in memory
//!                      within a block of 4096 bytes,
//!                      16 why the message was refused, 17 from which output to which (JSON);
//!                      others are skipped
//!          1  3  length
//!          4  …  value
//!  …  …  entries, packed or byte for byte as the sender sent them; of a refused message all of it, and
//!       then bit 0 is set and there is 1 entry: read as a run of entries it is one that is bad
//! ```

mod write;

use bytes::Bytes;

pub use write::{LEAST_PADDING, chunk_payload_length, kept_entries, write_chunk_head, write_padded_head};

use super::array_at;
use super::footer::ChunkKey;
use super::packed_entries::{Packing, unpack, unpacked_length};
use crate::chunk::{Encoding, HandedOver};
use crate::event_time::EventTime;
use crate::sender::{Sender, SenderCertificate};

const FIXED_LENGTH: usize = 20;
const PLAIN: u8 = 0;
const GZIP: u8 = 1;
const ZSTD: u8 = 2;
const PACKED_LZ4: u8 = 3;
const PACKED_ZSTD: u8 = 4;
const FLAG_BAD_ENTRIES: u8 = 1;
const FLAG_METADATA: u8 = 2;
const FLAG_REFUSED: u8 = 4;
const FLAG_HANDED_OVER: u8 = 8;

const TAG: u8 = 1;
const SENDER: u8 = 2;
const CHUNK_ID: u8 = 3;
const INPUT: u8 = 4;
const SOURCE_ADDRESS: u8 = 5;
const SUBJECT: u8 = 6;
const ALTERNATIVE_NAME: u8 = 7;
const FINGERPRINT: u8 = 8;
const HOST_NAME: u8 = 9;
const USER: u8 = 10;
const ACKNOWLEDGED: u8 = 11;
const PADDING: u8 = 12;
const REFUSAL: u8 = 16;
const HANDED_OVER: u8 = 17;

/// A chunk as the journal keeps it; values are looked up where they lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkPayload {
    /// The payload up to the entries.
    head: Bytes,
    /// The entries as they are kept.
    kept: Bytes,
    /// The entries as they were sent.
    entries: Bytes,
}

/// A payload that its checksum vouches for and that says nothing we understand: written by a program with a bug, or
/// by a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payload of a chunk's frame does not decode")]
pub struct BadChunkPayload;

impl ChunkPayload {
    /// Checks that all parts lie within the payload, and unpacks the entries.
    pub fn decode(payload: Bytes) -> Result<Self, BadChunkPayload> {
        Self::decode_head(payload)?.unpack()
    }

    /// As [`decode`](Self::decode), for whoever does not want the entries: there are none then.
    pub fn decode_head(payload: Bytes) -> Result<Self, BadChunkPayload> {
        let length: [u8; 4] = array_at(&payload, 16).ok_or(BadChunkPayload)?;
        let entries_start = FIXED_LENGTH + u32::from_le_bytes(length) as usize;
        if payload.len() < entries_start || payload[12] > PACKED_ZSTD {
            return Err(BadChunkPayload);
        }
        let mut head = payload;
        let kept = head.split_off(entries_start);
        Ok(Self { head, kept, entries: Bytes::new() })
    }

    /// Of entries that lie somewhere else in memory than the head of their payload.
    pub(in crate::journal) fn decode_parts(head: Bytes, kept: Bytes) -> Result<Self, BadChunkPayload> {
        let decoded = Self::decode_head(head)?;
        if !decoded.kept.is_empty() {
            return Err(BadChunkPayload);
        }
        Self { kept, ..decoded }.unpack()
    }

    /// What was decoded without its entries, with them.
    pub(in crate::journal) fn unpack(mut self) -> Result<Self, BadChunkPayload> {
        self.entries = match self.packing() {
            None => self.kept.clone(),
            Some(packing) => unpack(packing, &self.kept).map_err(|_| BadChunkPayload)?,
        };
        Ok(self)
    }

    /// The payload without its entries, for pieces of a large chunk: see [`ChunkPayload::of_piece`].
    pub(in crate::journal) fn head_of_pieces(&self) -> Vec<u8> {
        let mut head = self.head.to_vec();
        head[12] = PLAIN;
        head
    }

    /// A piece of a large chunk: its head, and so many plain entries.
    pub(in crate::journal) fn of_piece(
        mut payload: Vec<u8>,
        entry_count: u32,
    ) -> Result<Self, BadChunkPayload> {
        if let Some(count) = payload.get_mut(8..12) {
            count.copy_from_slice(&entry_count.to_le_bytes());
        }
        Self::decode(payload.into())
    }

    /// When the message was complete.
    pub fn received_at(&self) -> EventTime {
        let nanoseconds = array_at(&self.head, 0).map_or(0, i64::from_le_bytes);
        EventTime::from_unix_nanoseconds(nanoseconds)
    }

    /// How many entries there are, bad ones included.
    pub fn entry_count(&self) -> u32 {
        array_at(&self.head, 8).map_or(0, u32::from_le_bytes)
    }

    /// Whether at least one entry does not decode.
    pub fn has_bad_entries(&self) -> bool {
        self.head[13] & FLAG_BAD_ENTRIES != 0
    }

    /// Whether at least one entry carries metadata or is a group mark.
    pub fn has_metadata(&self) -> bool {
        self.head[13] & FLAG_METADATA != 0
    }

    /// Whether this is a message that was refused, taken as it is: [`entries`](Self::entries) is all of it, and no
    /// output may take anything of it.
    pub fn is_refused(&self) -> bool {
        self.head[13] & FLAG_REFUSED != 0
    }

    /// Why the message was refused.
    pub fn refusal(&self) -> Option<&str> {
        self.text(REFUSAL)
    }

    /// Whether one output handed this to another; see [`handed_over`](Self::handed_over).
    pub fn is_handed_over(&self) -> bool {
        self.head[13] & FLAG_HANDED_OVER != 0
    }

    /// From which output to which this was handed over.
    pub fn handed_over(&self) -> Option<HandedOver> {
        serde_json::from_slice(self.attribute(HANDED_OVER)?).ok()
    }

    /// How the entries are encoded, as sent.
    pub fn encoding(&self) -> Encoding {
        match self.head[12] {
            GZIP => Encoding::Gzip,
            ZSTD => Encoding::Zstd,
            _ => Encoding::Plain,
        }
    }

    /// How the journal packed the entries; `None` where they lie in it as sent.
    pub fn packing(&self) -> Option<Packing> {
        match self.head[12] {
            PACKED_LZ4 => Some(Packing::Lz4),
            PACKED_ZSTD => Some(Packing::Zstd),
            _ => None,
        }
    }

    /// How many bytes the entries have, as sent.
    pub fn entries_length(&self) -> u64 {
        let length = self.packing().and_then(|_| unpacked_length(&self.kept)).unwrap_or(self.kept.len());
        length as u64
    }

    /// How many bytes of the journal the entries take.
    pub fn kept_length(&self) -> u64 {
        self.kept.len() as u64
    }

    /// The entries, as sent.
    pub fn entries(&self) -> &[u8] {
        &self.entries
    }

    /// The entries, as sent, sharing the memory that the journal read them into.
    pub fn entries_bytes(&self) -> Bytes {
        self.entries.clone()
    }

    /// The tag, as sent.
    pub fn tag(&self) -> &[u8] {
        self.attribute(TAG).unwrap_or_default()
    }

    /// The identity of the sender.
    pub fn sender(&self) -> &str {
        self.text(SENDER).unwrap_or_default()
    }

    /// The chunk id, byte for byte, where the sender asked for an acknowledgement.
    pub fn id(&self) -> Option<&[u8]> {
        self.attribute(CHUNK_ID)
    }

    /// The input that took it.
    pub fn input(&self) -> &str {
        self.text(INPUT).unwrap_or_default()
    }

    /// The address that the sender came from.
    pub fn source_address(&self) -> Option<&str> {
        self.text(SOURCE_ADDRESS)
    }

    /// The subject of the sender's certificate.
    pub fn subject(&self) -> Option<&str> {
        self.text(SUBJECT)
    }

    /// The alternative names of the sender's certificate.
    pub fn alternative_names(&self) -> impl Iterator<Item = &str> {
        self.attributes()
            .filter(|(kind, _)| *kind == ALTERNATIVE_NAME)
            .filter_map(|(_, value)| str::from_utf8(value).ok())
    }

    /// The fingerprint of the sender's certificate.
    pub fn fingerprint(&self) -> Option<&str> {
        self.text(FINGERPRINT)
    }

    /// The name of the peer's host, where it is known.
    pub fn host_name(&self) -> Option<&str> {
        self.text(HOST_NAME)
    }

    /// The user of the shared key handshake.
    pub fn user(&self) -> Option<&str> {
        self.text(USER)
    }

    /// The key of a chunk before, whose acknowledgement the sender had when it sent this one; not every one is told.
    pub fn acknowledged(&self) -> Option<ChunkKey> {
        self.attribute(ACKNOWLEDGED).and_then(|key| array_at(key, 0)).map(u128::from_le_bytes)
    }

    /// Who sent it, for a chunk that is made of this one.
    pub fn to_sender(&self) -> Sender {
        Sender {
            identity: self.sender().to_owned(),
            address: self.source_address().and_then(|address| address.parse().ok()),
            certificate: self.subject().map(|subject| SenderCertificate {
                subject: subject.to_owned(),
                alternative_names: self.alternative_names().map(ToOwned::to_owned).collect(),
                fingerprint: self.fingerprint().unwrap_or_default().to_owned(),
            }),
            host_name: self.host_name().map(ToOwned::to_owned),
            user: self.user().map(ToOwned::to_owned),
        }
    }

    fn text(&self, kind: u8) -> Option<&str> {
        self.attribute(kind).and_then(|value| str::from_utf8(value).ok())
    }

    fn attribute(&self, kind: u8) -> Option<&[u8]> {
        self.attributes().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    fn attributes(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = &self.head[FIXED_LENGTH..];
        std::iter::from_fn(move || {
            let [kind, l0, l1, l2] = array_at(rest, 0)?;
            let length = u32::from_le_bytes([l0, l1, l2, 0]) as usize;
            let value = rest.get(4..4 + length)?;
            rest = &rest[4 + length..];
            Some((kind, value))
        })
    }
}

#[cfg(test)]
mod tests;
