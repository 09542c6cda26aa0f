//! The messages that carry events, after the
//! [Forward Protocol Specification v1](https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1).
//!
//! ```text
//! Message        [tag, time, record, option?]
//! Forward        [tag, [[time, record], ...], option?]
//! PackedForward  [tag, str or bin of entries, option?]
//! ```

use bytes::Bytes;

use super::msgpack::{ENVELOPE_DEPTH, MAX_DEPTH, Token, read, skip_within};
use super::options::Options;
use super::refusal::Refusal;
use crate::chunk::Encoding;

/// Bytes of a tag at most; real ones have a few dozen. A tag is held in memory by every index that knows it.
pub const MAX_TAG_LENGTH: usize = 4096;

/// Bytes of a chunk id at most; Fluentd's and Fluent Bit's have 24 or 25.
pub const MAX_CHUNK_ID_LENGTH: usize = 1024;

/// One message, whatever its form: a tag and a run of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// As sent; usually UTF-8.
    pub tag: Bytes,
    /// The entries one after the other, as sent. Not looked into yet: see [`Message::contents`].
    pub entries: Bytes,
    /// How `entries` is encoded.
    pub encoding: Encoding,
    pub options: Options,
}

impl Message {
    /// Reads a whole message, as [`Framer`](super::framing::Framer) cuts them. Tag, entries and chunk id share the
    /// memory of `message`, but for the one entry of the Message form.
    ///
    /// # Errors
    ///
    /// Where it is none of the three forms, or past a limit.
    pub fn decode(message: &Bytes) -> Result<Self, Refusal> {
        let mut at = 0;
        let Token::Array(length) = read(message, &mut at)? else {
            return Err(Refusal::Shape("it is no array"));
        };
        if length == 0 {
            return Err(Refusal::Shape("the array is empty"));
        }
        let tag = match read(message, &mut at)? {
            Token::Str(tag) | Token::Bin(tag) => tag,
            _ => return Err(Refusal::Shape("the tag is no string")),
        };
        if tag.len() > MAX_TAG_LENGTH {
            return Err(Refusal::TagTooLong(tag.len()));
        }
        Body::read(message, length, at)
            .and_then(|body| {
                let options = match body.option {
                    Some(at) => Options::read(message, at)?,
                    None => Options::default(),
                };
                let encoding = if body.packed { options.encoding } else { Encoding::Plain };
                Ok(Self { tag: message.slice_ref(tag), entries: body.entries, encoding, options })
            })
            .map_err(|refusal| match refusal {
                // What speaks of a handshake and has no message's shape is one; a tag of that name still works.
                Refusal::Shape(_) if matches!(tag, b"PING" | b"PONG" | b"HELO") => Refusal::Handshake,
                refusal => refusal,
            })
    }
}

/// What stands behind the tag.
struct Body {
    entries: Bytes,
    packed: bool,
    /// Where the option is.
    option: Option<usize>,
}

impl Body {
    /// `length` is that of the whole array, `at` is behind the tag.
    fn read(message: &Bytes, length: u32, mut at: usize) -> Result<Self, Refusal> {
        if !(2..=4).contains(&length) {
            return Err(Refusal::Shape("the array has not two to four elements"));
        }
        let start = at;
        match read(message, &mut at)? {
            Token::Str(entries) | Token::Bin(entries) if length <= 3 => Ok(Self {
                entries: message.slice_ref(entries),
                packed: true,
                option: (length > 2).then_some(at),
            }),
            Token::Array(_) if length <= 3 => {
                let end = skip_within(message, start, MAX_DEPTH + ENVELOPE_DEPTH)?;
                Ok(Self {
                    entries: message.slice(at..end),
                    packed: false,
                    option: (length > 2).then_some(end),
                })
            }
            Token::Str(_) | Token::Bin(_) | Token::Array(_) => {
                Err(Refusal::Shape("there is something behind the option"))
            }
            Token::Map(_) => Err(Refusal::Shape("there is a map where time or entries should be")),
            _ if length == 2 => Err(Refusal::Shape("there is a time and no record")),
            _ => {
                let end = skip_within(message, at, MAX_DEPTH + ENVELOPE_DEPTH)?;
                let entry = [&[ENTRY], &message[start..end]].concat();
                Ok(Self { entries: entry.into(), packed: false, option: (length > 3).then_some(end) })
            }
        }
    }
}

/// The head of an entry, an array of two.
const ENTRY: u8 = 0x92;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::msgpack::{write_array, write_bin, write_map, write_nil, write_str, write_u64};
    use crate::wire::options::{ChunkId, Signal};

    const ENTRY_BYTES: &[u8] = b"\x92\x01\x81\xa1a\x01";

    fn decode(bytes: &[u8]) -> Result<Message, Refusal> {
        Message::decode(&Bytes::copy_from_slice(bytes))
    }

    fn packed(option: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_array(&mut bytes, 3);
        write_str(&mut bytes, b"a.b");
        write_bin(&mut bytes, ENTRY_BYTES);
        option(&mut bytes);
        bytes
    }

    #[test]
    fn the_three_forms_give_the_same_run_of_entries() {
        for bytes in [
            &b"\x93\xa3a.b\x01\x81\xa1a\x01"[..],
            b"\x94\xa3a.b\x01\x81\xa1a\x01\xc0",
            b"\x92\xa3a.b\x91\x92\x01\x81\xa1a\x01",
            b"\x93\xa3a.b\xdd\0\0\0\x01\x92\x01\x81\xa1a\x01\x80",
            b"\x92\xa3a.b\xa6\x92\x01\x81\xa1a\x01",
            b"\x93\xa3a.b\xc4\x06\x92\x01\x81\xa1a\x01\xc0",
            b"\xdc\x00\x02\xc4\x03a.b\xc4\x06\x92\x01\x81\xa1a\x01",
        ] {
            let message = decode(bytes).unwrap();
            assert_eq!(&message.tag[..], b"a.b");
            assert_eq!(&message.entries[..], ENTRY_BYTES, "{bytes:x?}");
            assert_eq!((message.encoding, message.options), (Encoding::Plain, Options::default()));
        }
    }

    #[test]
    fn packed_and_forward_entries_share_the_memory_of_the_message() {
        for bytes in [&b"\x92\xa3a.b\x91\x92\x01\x81\xa1a\x01"[..], b"\x92\xa3a.b\xa6\x92\x01\x81\xa1a\x01"] {
            let bytes = Bytes::copy_from_slice(bytes);
            let message = Message::decode(&bytes).unwrap();
            assert_eq!(message.entries.as_ptr(), bytes[6..].as_ptr());
        }
    }

    #[test]
    fn options_read_and_unknown_ones_are_passed_over() {
        let message = decode(&packed(|out| {
            write_map(out, 6);
            write_str(out, b"chunk");
            write_str(out, b"id\n");
            write_str(out, b"size");
            write_u64(out, 7);
            write_str(out, b"compressed");
            write_str(out, b"gzip");
            write_str(out, b"fluent_signal");
            write_u64(out, 2);
            write_map(out, 1);
            write_nil(out);
            write_nil(out);
            write_map(out, 0);
            write_str(out, b"future");
            out.extend_from_slice(b"\x92\x01\x80");
        }));
        let message = message.unwrap();
        assert_eq!(message.options.size, Some(7));
        assert_eq!(message.options.signal, Signal::Other(2));
        assert_eq!(message.encoding, Encoding::Gzip);
        let chunk = ChunkId { id: Bytes::from_static(b"id\n"), encoded: Bytes::from_static(b"\xa3id\n") };
        assert_eq!(message.options.chunk, Some(chunk));
    }

    #[test]
    fn compression_applies_to_packed_entries_only() {
        let message = decode(b"\x93\xa1t\x91\x92\x01\x80\x81\xaacompressed\xa4gzip").unwrap();
        assert_eq!(message.encoding, Encoding::Plain);
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let with_tag = |length: usize| {
            let mut bytes = vec![0x92];
            write_str(&mut bytes, &vec![b't'; length]);
            write_bin(&mut bytes, ENTRY_BYTES);
            decode(&bytes).map(|message| message.tag.len())
        };
        assert_eq!(with_tag(MAX_TAG_LENGTH), Ok(MAX_TAG_LENGTH));
        assert_eq!(with_tag(MAX_TAG_LENGTH + 1), Err(Refusal::TagTooLong(MAX_TAG_LENGTH + 1)));
        assert_eq!(with_tag(1 << 20), Err(Refusal::TagTooLong(1 << 20)));
        let with_id = |length: usize| {
            let bytes = packed(|out| {
                write_map(out, 1);
                write_str(out, b"chunk");
                write_bin(out, &vec![b'i'; length]);
            });
            decode(&bytes).map(|message| message.options.chunk.unwrap().id.len())
        };
        assert_eq!(with_id(MAX_CHUNK_ID_LENGTH), Ok(MAX_CHUNK_ID_LENGTH));
        assert_eq!(with_id(MAX_CHUNK_ID_LENGTH + 1), Err(Refusal::ChunkIdTooLong(MAX_CHUNK_ID_LENGTH + 1)));
    }

    #[test]
    fn hostile_messages_are_refused_with_their_reason() {
        for (bytes, label) in [
            (&b"\x90"[..], "malformed"),
            (b"\x91\xa1t", "malformed"),
            (b"\x92\x01\x01", "malformed"),
            (b"\x92\xc0\x90", "malformed"),
            (b"\x92\xa1t\x01", "malformed"),
            (b"\x92\xa1t\x80", "malformed"),
            (b"\x95\xa1t\x01\x80\xc0\xc0", "malformed"),
            (b"\x94\xa1t\xa1x\xc0\xc0", "malformed"),
            (b"\x94\xa1t\x90\xc0\xc0", "malformed"),
            (b"\x93\xa1t\xa1x\x01", "malformed"),
            (b"\x93\xa1t\xa1x\x90", "malformed"),
            (b"\x94\xa1t\x01\x80\x01", "malformed"),
            (b"\x93\xa1t\xa1x\x81\xa5chunk\x01", "malformed"),
            (b"\x93\xa1t\xa1x\x81\xa5chunk\x80", "malformed"),
            (b"\x93\xa1t\xa1x\x81\xa4size\xff", "malformed"),
            (b"\x93\xa1t\xa1x\x81\xadfluent_signal\xa10", "malformed"),
            (b"\x93\xa1t\xa1x\x81\xaacompressed\x01", "malformed"),
            (b"\x93\xa1t\xa1x\x81\xaacompressed\xa3lz4", "unsupported_compression"),
            (b"\x96\xa4PING\xa0\xa0\xa0\xa0\xa0", "handshake"),
            (b"\x92\xa4HELO\x80", "handshake"),
            (b"\x95\xa4PONG\xc3\xa0\xa0\xa0", "handshake"),
        ] {
            assert_eq!(decode(bytes).unwrap_err().label(), label, "{bytes:x?}");
        }
        assert!(decode(b"\x92\xa4PING\xa0").is_ok(), "a tag may have any name");
    }
}
