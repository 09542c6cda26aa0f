//! The option map at the end of a message.

use bytes::Bytes;

use super::message::MAX_CHUNK_ID_LENGTH;
use super::msgpack::{Token, read, skip};
use super::refusal::Refusal;
use crate::chunk::Encoding;

/// What a message says about itself. Keys that nobody knows are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `chunk`: the sender waits for an acknowledgement with this id.
    pub chunk: Option<ChunkId>,
    /// `size`: how many entries the sender counted. Nothing relies on it.
    pub size: Option<u64>,
    /// `compressed`: applies to packed entries only, as in Fluentd.
    pub encoding: Encoding,
    /// `fluent_signal`: what the entries are.
    pub signal: Signal,
}

/// The id of a chunk, and the way in which the sender wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkId {
    /// The id itself.
    pub id: Bytes,
    /// The id as msgpack, marker and length included: an acknowledgement repeats it byte for byte.
    pub encoded: Bytes,
}

/// What Fluent Bit sends over the forward protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Logs,
    /// Metrics (1), traces (2) or what may come later: no entries, but an encoding of their own.
    Other(u64),
}

impl Default for Options {
    fn default() -> Self {
        Self { chunk: None, size: None, encoding: Encoding::Plain, signal: Signal::Logs }
    }
}

impl Options {
    /// Reads the value at `at`: a map, or nil as old Docker daemons send it.
    pub(super) fn read(message: &Bytes, mut at: usize) -> Result<Self, Refusal> {
        let mut options = Self::default();
        let pairs = match read(message, &mut at)? {
            Token::Nil => 0,
            Token::Map(pairs) => pairs,
            _ => return Err(Refusal::Shape("the option is no map")),
        };
        for _ in 0..pairs {
            let key_end = skip(message, at)?;
            let key = read(message, &mut at)?;
            at = key_end;
            let value_start = at;
            let value = read(message, &mut at)?;
            at = skip(message, value_start)?;
            match key.as_bytes() {
                Some(b"chunk") => options.chunk = chunk(message, value, value_start..at)?,
                Some(b"size") => options.size = unsigned(value, "the option size is no count")?,
                Some(b"compressed") => options.encoding = encoding(value)?,
                Some(b"fluent_signal") => {
                    options.signal = match unsigned(value, "the option fluent_signal is no number")? {
                        None | Some(0) => Signal::Logs,
                        Some(other) => Signal::Other(other),
                    }
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

fn chunk(
    message: &Bytes,
    value: Token<'_>,
    range: std::ops::Range<usize>,
) -> Result<Option<ChunkId>, Refusal> {
    match value {
        Token::Nil => Ok(None),
        Token::Str(id) | Token::Bin(id) if id.len() > MAX_CHUNK_ID_LENGTH => {
            Err(Refusal::ChunkIdTooLong(id.len()))
        }
        Token::Str(id) | Token::Bin(id) => {
            Ok(Some(ChunkId { id: message.slice_ref(id), encoded: message.slice(range) }))
        }
        _ => Err(Refusal::Shape("the option chunk is no string")),
    }
}

fn unsigned(value: Token<'_>, otherwise: &'static str) -> Result<Option<u64>, Refusal> {
    match value {
        Token::Nil => Ok(None),
        Token::Unsigned(value) => Ok(Some(value)),
        _ => Err(Refusal::Shape(otherwise)),
    }
}

fn encoding(value: Token<'_>) -> Result<Encoding, Refusal> {
    match value {
        Token::Nil => Ok(Encoding::Plain),
        Token::Str(b"text" | b"") | Token::Bin(b"text" | b"") => Ok(Encoding::Plain),
        Token::Str(b"gzip") | Token::Bin(b"gzip") => Ok(Encoding::Gzip),
        Token::Str(b"zstd") | Token::Bin(b"zstd") => Ok(Encoding::Zstd),
        Token::Str(other) | Token::Bin(other) => {
            let start = &other[..other.len().min(MAX_QUOTED)];
            Err(Refusal::UnsupportedCompression(String::from_utf8_lossy(start).into_owned()))
        }
        _ => Err(Refusal::Shape("the option compressed is no string")),
    }
}

/// How much of what a peer sent is repeated in an error, in bytes.
const MAX_QUOTED: usize = 32;
