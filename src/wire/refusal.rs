//! Why a message is not taken.

use super::compression::InflateError;
use super::message::{MAX_CHUNK_ID_LENGTH, MAX_TAG_LENGTH};
use super::msgpack::MsgpackError;

/// A message that is refused without an acknowledgement. The sender is to blame for each of them, so a connection
/// that sent one is closed: behind such a message nothing can be trusted to begin where it seems to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the message is no msgpack: {0}")]
    Msgpack(#[from] MsgpackError),
    #[error("a message cannot begin with the byte {0:#04x}; is the peer a forward client?")]
    FirstByte(u8),
    #[error("the message is no message of the forward protocol: {0}")]
    Shape(&'static str),
    #[error(
        "the message is larger than max_message_size ({limit} bytes); send smaller chunks or raise the limit"
    )]
    TooLarge { limit: usize },
    #[error(
        "the message inflates to more than max_inflated_size ({limit} bytes); send smaller chunks or raise the limit"
    )]
    InflatesTooLarge { limit: u64 },
    #[error(
        "the message inflates to more than max_inflate_ratio ({limit}) times its size; raise the limit if it is \
         harmless"
    )]
    InflateRatio { limit: u64 },
    #[error(
        "an entry is larger than max_entry_size ({limit} bytes); send smaller records or raise the limit"
    )]
    EntryTooLarge { limit: usize },
    #[error("the message has more than 4,294,967,294 entries; send smaller chunks")]
    TooManyEntries,
    #[error("the message is large and its option has more than {limit} bytes")]
    OptionTooLarge { limit: usize },
    #[error(
        "a JSON message is larger than spool_above ({limit} bytes), and JSON is not taken in pieces; send smaller \
         ones, or msgpack, or raise the limit"
    )]
    JsonTooLarge { limit: usize },
    #[error("the message is larger than the journal can take; send smaller chunks")]
    TooLargeForJournal,
    #[error("the tag has {0} bytes, more than {MAX_TAG_LENGTH}")]
    TagTooLong(usize),
    #[error("the chunk id has {0} bytes, more than {MAX_CHUNK_ID_LENGTH}")]
    ChunkIdTooLong(usize),
    #[error("the compressed data is damaged: {0}")]
    CorruptCompression(String),
    #[error("compression {0:?} is not supported; set the sender to gzip, zstd or text")]
    UnsupportedCompression(String),
    #[error("the message is no JSON: {0}")]
    MalformedJson(String),
    #[error(
        "the message is JSON, which is not read where a shared key is asked for; set the sender to msgpack"
    )]
    Json,
    #[error(
        "the peer speaks TLS, and this input is plain TCP; give the input tls or switch it off at the sender"
    )]
    Tls,
    #[error(
        "the peer wants a shared key handshake, which this input does not speak; remove shared_key at the sender"
    )]
    Handshake,
}

impl Refusal {
    /// One word for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Msgpack(MsgpackError::TooDeep { .. }) => "too_deep",
            Self::Msgpack(_) | Self::MalformedJson(_) | Self::FirstByte(_) | Self::Shape(_) => "malformed",
            Self::TooLarge { .. }
            | Self::JsonTooLarge { .. }
            | Self::InflatesTooLarge { .. }
            | Self::TooLargeForJournal => "too_large",
            Self::TooManyEntries | Self::OptionTooLarge { .. } => "too_large",
            Self::EntryTooLarge { .. } => "entry_too_large",
            Self::InflateRatio { .. } => "inflate_ratio",
            Self::TagTooLong(_) | Self::ChunkIdTooLong(_) => "malformed",
            Self::CorruptCompression(_) => "corrupt_compression",
            Self::UnsupportedCompression(_) => "unsupported_compression",
            Self::Json => "json",
            Self::Tls => "tls",
            Self::Handshake => "handshake",
        }
    }
}

impl From<InflateError> for Refusal {
    fn from(error: InflateError) -> Self {
        match error {
            InflateError::TooLarge { limit } => Self::InflatesTooLarge { limit: limit as u64 },
            InflateError::Corrupt(reason) => Self::CorruptCompression(reason),
        }
    }
}
