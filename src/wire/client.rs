//! The sending side: what `hikyaku send` writes, and the acknowledgements that it reads.

use bytes::{Buf, Bytes, BytesMut};

use super::msgpack::{
    MsgpackError, ScanError, Scanner, Token, read, skip, write_array, write_bin_head, write_map, write_str,
    write_u64,
};
use crate::chunk::Encoding;

/// Longest answer of a server that is read, in bytes.
const MAX_ANSWER_SIZE: usize = 64 * 1024;

/// A PackedForward message to be.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    pub tag: &'a [u8],
    /// A run of entries.
    pub entries: &'a [u8],
    /// How many entries there are.
    pub count: u64,
    /// Asks for an acknowledgement with this id.
    pub chunk: Option<&'a [u8]>,
    /// Whether `entries` is gzip.
    pub gzip: bool,
}

/// The message as bytes, with the options that Fluentd sends.
pub fn encode_packed(message: &Packed<'_>) -> Vec<u8> {
    encode_packed_as(message, if message.gzip { Encoding::Gzip } else { Encoding::Plain })
}

/// As [`encode_packed`], whatever the entries are encoded in.
pub fn encode_packed_as(message: &Packed<'_>, encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.entries.len() + message.tag.len() + 128);
    write_packed_head(&mut out, message.tag, message.entries.len());
    out.extend_from_slice(message.entries);
    write_packed_options(&mut out, message.chunk, message.count, encoding);
    out
}

/// What a PackedForward message has before its entries. They follow as they are, and then the options
/// ([`write_packed_options`]), so that entries can be sent from where they lie.
pub fn write_packed_head(out: &mut Vec<u8>, tag: &[u8], entries_length: usize) {
    write_array(out, 3);
    write_str(out, tag);
    write_bin_head(out, entries_length);
}

/// What a PackedForward message has after its entries; see [`Packed`] for what they mean.
pub fn write_packed_options(out: &mut Vec<u8>, chunk: Option<&[u8]>, count: u64, encoding: Encoding) {
    write_map(out, if chunk.is_some() { 3 } else { 2 });
    if let Some(chunk) = chunk {
        write_str(out, b"chunk");
        write_str(out, chunk);
    }
    write_str(out, b"size");
    write_u64(out, count);
    write_str(out, b"compressed");
    write_str(
        out,
        match encoding {
            Encoding::Plain => b"text",
            Encoding::Gzip => b"gzip",
            Encoding::Zstd => b"zstd",
        },
    );
}

/// How a server that speaks TLS begins its answer to anything else: with a record of this type.
/// [RFC 8446, 5.1](https://www.rfc-editor.org/rfc/rfc8446#section-5.1)
const TLS_ALERT: u8 = 21;

/// Reads acknowledgements as their bytes arrive.
#[derive(Debug)]
pub struct AckReader {
    buffer: BytesMut,
    scanner: Scanner,
}

/// An answer that is no acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    #[error("the server answered with something that is no msgpack: {0}; does a forward input listen there?")]
    Msgpack(#[from] MsgpackError),
    #[error("the server's answer is larger than {MAX_ANSWER_SIZE} bytes; does a forward input listen there?")]
    TooLarge,
    #[error("the server asks for a shared key; give it with --shared-key")]
    Handshake,
    #[error(
        "the server speaks TLS, and this client does not: give its output a `tls`, or `hikyaku send` no --plain"
    )]
    Tls,
    #[error("the server's answer is no acknowledgement; does a forward input listen there?")]
    Shape,
}

impl Default for AckReader {
    fn default() -> Self {
        Self { buffer: BytesMut::new(), scanner: Scanner::new(MAX_ANSWER_SIZE) }
    }
}

impl AckReader {
    /// What has arrived. Append to it, and do nothing else.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The id of the next chunk that is acknowledged; `None` while it is not all there.
    ///
    /// # Errors
    ///
    /// Where the server answers something else. Nothing more can be read afterwards.
    pub fn next_ack(&mut self) -> Result<Option<Bytes>, AckError> {
        if self.buffer.first() == Some(&TLS_ALERT) {
            return Err(AckError::Tls);
        }
        let length = self.scanner.advance(&self.buffer).map_err(|error| match error {
            ScanError::Msgpack(error) => AckError::Msgpack(error),
            ScanError::TooLarge => AckError::TooLarge,
        })?;
        let Some(length) = length else { return Ok(None) };
        let answer = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        ack_of(&answer).map(Some)
    }
}

fn ack_of(answer: &Bytes) -> Result<Bytes, AckError> {
    let mut at = 0;
    let pairs = match read(answer, &mut at)? {
        Token::Map(pairs) => pairs,
        Token::Array(_) if read(answer, &mut at)? == Token::Str(b"HELO") => return Err(AckError::Handshake),
        _ => return Err(AckError::Shape),
    };
    for _ in 0..pairs {
        let key_end = skip(answer, at)?;
        let key = read(answer, &mut at)?;
        at = key_end;
        let value_end = skip(answer, at)?;
        if key.as_bytes() == Some(b"ack") {
            let id = read(answer, &mut at)?;
            return id.as_bytes().map(|id| answer.slice_ref(id)).ok_or(AckError::Shape);
        }
        at = value_end;
    }
    Err(AckError::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::message::Message;

    fn acks(bytes: &[u8]) -> Result<Vec<Bytes>, AckError> {
        let mut reader = AckReader::default();
        let mut acks = Vec::new();
        for byte in bytes {
            reader.buffer().extend_from_slice(&[*byte]);
            acks.extend(reader.next_ack()?);
        }
        Ok(acks)
    }

    #[test]
    fn messages_decode_to_what_was_encoded() {
        let packed =
            Packed { tag: b"a.b", entries: b"\x92\x01\x80", count: 1, chunk: Some(b"id"), gzip: false };
        let message = Message::decode(&encode_packed(&packed).into()).unwrap();
        assert_eq!((&message.tag[..], &message.entries[..]), (&b"a.b"[..], &b"\x92\x01\x80"[..]));
        assert_eq!(message.options.size, Some(1));
        assert_eq!(message.options.chunk.unwrap().encoded, &b"\xa2id"[..]);
        let gzip = Packed { chunk: None, gzip: true, ..packed };
        let message = Message::decode(&encode_packed(&gzip).into()).unwrap();
        assert_eq!((message.encoding, message.options.chunk), (Encoding::Gzip, None));
    }

    #[test]
    fn acks_read_a_byte_at_a_time() {
        assert_eq!(acks(b"\x81\xa3ack\xa2id\x82\x80\x01\xa3ack\xc4\x01\xff").unwrap(), [&b"id"[..], b"\xff"]);
    }

    #[test]
    fn answers_that_are_no_acks_are_told_apart() {
        assert_eq!(acks(b"\x92\xa4HELO\x80"), Err(AckError::Handshake));
        assert_eq!(acks(b"\x15\x03\x03\0\x02\x02\x32"), Err(AckError::Tls));
        assert_eq!(acks(b"\x80"), Err(AckError::Shape));
        assert_eq!(acks(b"\x81\xa3ack\x01"), Err(AckError::Shape));
        assert_eq!(acks(b"H"), Err(AckError::Shape));
        assert_eq!(acks(b"\xdb\xff\xff\xff\xff"), Err(AckError::TooLarge));
        assert_eq!(acks(b"\xc1"), Err(AckError::Msgpack(MsgpackError::Reserved { at: 0 })));
    }

    #[test]
    fn an_answer_has_a_limit() {
        let answer = |length: usize| {
            let mut answer = b"\x82\xa3ack\xa2id\xa1x\xda".to_vec();
            let rest = length - answer.len() - 2;
            answer.extend_from_slice(&(rest as u16).to_be_bytes());
            answer.resize(length, b'x');
            answer
        };
        assert_eq!(acks(&answer(MAX_ANSWER_SIZE)).unwrap(), [&b"id"[..]]);
        assert_eq!(acks(&answer(MAX_ANSWER_SIZE + 1)), Err(AckError::TooLarge));
    }
}
