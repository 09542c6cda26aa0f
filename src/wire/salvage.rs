//! What can be read of a message that is refused.

use bytes::Bytes;

use super::message::{MAX_CHUNK_ID_LENGTH, MAX_TAG_LENGTH};
use super::msgpack::{MsgpackError, Token, read, skip};
use super::options::ChunkId;

/// Enough to answer a sender that goes on repeating a message which nobody can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Empty where it does not read, or is longer than a tag may be.
    pub tag: Bytes,
    /// What the sender waits for.
    pub chunk: ChunkId,
}

/// Reads tag and chunk id of a whole message, whatever else is wrong with it. `None` where the sender asks for no
/// acknowledgement, or for one that can't be given; so the message has three elements at least.
pub fn salvage(message: &Bytes) -> Option<Salvaged> {
    let mut at = 0;
    let Ok(Token::Array(length @ 3..)) = read(message, &mut at) else { return None };
    let tag = match read(message, &mut at.clone()) {
        Ok(Token::Str(tag) | Token::Bin(tag)) if tag.len() <= MAX_TAG_LENGTH => message.slice_ref(tag),
        _ => Bytes::new(),
    };
    at = skip(message, at).ok()?;
    let run_of_entries =
        matches!(read(message, &mut at.clone()), Ok(Token::Str(_) | Token::Bin(_) | Token::Array(_)));
    at = skip(message, at).ok()?;
    if !run_of_entries {
        // Time and record, and the option only behind them.
        if length == 3 {
            return None;
        }
        at = skip(message, at).ok()?;
    }
    chunk(message, at).ok().flatten().map(|chunk| Salvaged { tag, chunk })
}

/// The chunk id of the option at `at`; of several the last one counts, as in a message that is taken.
fn chunk(message: &Bytes, mut at: usize) -> Result<Option<ChunkId>, MsgpackError> {
    let Token::Map(pairs) = read(message, &mut at)? else { return Ok(None) };
    let mut chunk = None;
    for _ in 0..pairs {
        let key = read(message, &mut at.clone())?;
        let start = skip(message, at)?;
        at = skip(message, start)?;
        if key.as_bytes() == Some(b"chunk") {
            chunk = match read(message, &mut start.clone())? {
                Token::Str(id) | Token::Bin(id) if id.len() <= MAX_CHUNK_ID_LENGTH => {
                    Some(ChunkId { id: message.slice_ref(id), encoded: message.slice(start..at) })
                }
                _ => None,
            };
        }
    }
    Ok(chunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::Message;
    use crate::wire::msgpack::{write_array, write_map, write_nil, write_str};

    fn salvaged(message: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let salvaged = salvage(&Bytes::copy_from_slice(message))?;
        Some((salvaged.tag.to_vec(), salvaged.chunk.encoded.to_vec()))
    }

    #[test]
    fn tag_and_chunk_id_read_in_every_form_whatever_else_is_wrong() {
        for (message, tag) in [
            (&b"\x93\xa1t\xa3abc\x81\xa5chunk\xa2id"[..], "t"),
            (b"\x93\xa1t\x91\x07\x82\xaacompressed\x07\xa5chunk\xa2id", "t"),
            (b"\x93\xc4\x01t\xc4\x00\x82\xa5chunk\xc0\xa5chunk\xa2id", "t"),
            (b"\x94\xa1t\x01\x07\x81\xa5chunk\xa2id", "t"),
            (b"\x94\x07\xa0\x81\xa5chunk\xa2id\xc0", ""),
            (b"\x93\x92\x01\x02\xa0\x83\x01\x02\x81\x03\x04\x05\xa5chunk\xa2id", ""),
        ] {
            assert_eq!(salvaged(message), Some((tag.into(), b"\xa2id".to_vec())), "{message:x?}");
        }
    }

    #[test]
    fn no_chunk_id_is_found_where_none_is() {
        for message in [
            // A record whose field is called chunk.
            &b"\x93\xa1t\x01\x81\xa5chunk\xa2id"[..],
            b"\x92\xa1t\x81\xa5chunk\xa2id",
            b"\x93\xa1t\xa0\xc0",
            b"\x93\xa1t\xa0\x80",
            b"\x93\xa1t\xa0\x81\xa5chunk\x07",
            b"\x93\xa1t\xa0\x82\xa5chunk\xa2id\xa5chunk\xc0",
            b"\x93\xa1t\xa0\x81\xa5chunk\xa9cut",
            b"\xc0",
            b"",
        ] {
            assert_eq!(salvaged(message), None, "{message:x?}");
        }
    }

    #[test]
    fn limits_hold_at_their_edge() {
        let message = |tag: usize, id: usize| {
            let mut message = Vec::new();
            write_array(&mut message, 3);
            write_str(&mut message, &vec![b't'; tag]);
            write_nil(&mut message);
            // Of the Message form: nil is no run of entries.
            message[0] = 0x94;
            write_nil(&mut message);
            write_map(&mut message, 1);
            write_str(&mut message, b"chunk");
            write_str(&mut message, &vec![b'i'; id]);
            Bytes::from(message)
        };
        let largest = salvage(&message(MAX_TAG_LENGTH, MAX_CHUNK_ID_LENGTH)).unwrap();
        assert_eq!((largest.tag.len(), largest.chunk.id.len()), (MAX_TAG_LENGTH, MAX_CHUNK_ID_LENGTH));
        assert!(salvage(&message(MAX_TAG_LENGTH + 1, 1)).unwrap().tag.is_empty());
        assert_eq!(salvage(&message(1, MAX_CHUNK_ID_LENGTH + 1)), None);
    }

    #[test]
    fn of_a_message_that_is_taken_it_is_what_was_taken() {
        let message =
            Bytes::from_static(b"\x93\xa1t\xa6\x92\x01\x81\xa1a\x01\x82\xa5chunk\xa2no\xa5chunk\xa2id");
        let taken = Message::decode(&message).unwrap();
        let salvaged = salvage(&message).unwrap();
        assert_eq!((Some(salvaged.chunk), salvaged.tag), (taken.options.chunk, taken.tag));
    }
}
