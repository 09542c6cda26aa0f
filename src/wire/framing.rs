//! Where a message ends and the next begins.
//!
//! A connection carries msgpack values without anything between them: arrays are messages, nil is a heartbeat. If its
//! first byte is a bracket, it carries a JSON stream instead, to its end.

use bytes::{Buf, Bytes, BytesMut};

use super::json::JsonScanner;
use super::msgpack::{ENVELOPE_DEPTH, MAX_DEPTH, ScanError, Scanner};
use super::refusal::Refusal;

/// Messages up to this many bytes get an allocation of their own, larger ones keep the buffer that they arrived in.
/// Without that, a short message that somebody holds on to would keep a whole read buffer alive.
pub const COPY_BELOW: usize = 8 * 1024;

/// Cuts what a connection sends into messages.
#[derive(Debug)]
pub struct Framer {
    limit: usize,
    buffer: BytesMut,
    scanner: Scanner,
    json: JsonStream,
}

/// Whether a connection is a JSON stream.
#[derive(Debug)]
enum JsonStream {
    /// Its first byte is to decide.
    Undecided,
    Yes(JsonScanner),
    No,
    /// It must not be one.
    Refused,
}

impl Framer {
    /// For messages of at most `max_message_size` bytes.
    pub fn new(max_message_size: usize) -> Self {
        Self {
            limit: max_message_size,
            buffer: BytesMut::new(),
            scanner: Scanner::with_depth(max_message_size, MAX_DEPTH + ENVELOPE_DEPTH),
            json: JsonStream::Undecided,
        }
    }

    /// Refuses JSON: a peer of a shared key handshake speaks msgpack from its first byte on.
    pub fn without_json(self) -> Self {
        Self { json: JsonStream::Refused, ..self }
    }

    /// Whether messages are JSON text, for [`Message::decode_json`](super::message::Message::decode_json).
    pub fn is_json(&self) -> bool {
        matches!(self.json, JsonStream::Yes(_))
    }

    /// What has arrived and belongs to no message yet. Append to it, and do nothing else.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The bytes that wait for the rest of their message.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// How many bytes the message under way surely has, as far as its heads told: 0 between messages.
    pub fn known_length(&self) -> usize {
        match &self.json {
            JsonStream::Yes(scanner) => scanner.known_length(),
            _ => self.scanner.known_length(),
        }
    }

    /// The next whole message, `None` while it is not there yet. Heartbeats are passed over.
    ///
    /// # Errors
    ///
    /// As soon as the bytes can be no message, or one that is too large. The framer is of no use afterwards, but for
    /// [`Framer::hand_out`].
    pub fn next_message(&mut self) -> Result<Option<Bytes>, Refusal> {
        if matches!(self.json, JsonStream::Undecided) {
            self.json = match self.buffer.first() {
                None => return Ok(None),
                Some(b'{' | b'[') => JsonStream::Yes(JsonScanner::default()),
                Some(_) => JsonStream::No,
            };
        }
        if let JsonStream::Yes(scanner) = &mut self.json {
            if scanner.known_length() == 0 && !pass_json_heartbeats(&mut self.buffer)? {
                return Ok(None);
            }
            let length = scanner.advance(&self.buffer);
            if length.unwrap_or(scanner.known_length()) > self.limit {
                return Err(Refusal::TooLarge { limit: self.limit });
            }
            return Ok(length.map(|length| self.take(length)));
        }
        if self.scanner.known_length() == 0 {
            let heartbeats = self.buffer.iter().take_while(|byte| **byte == NIL).count();
            self.buffer.advance(heartbeats);
            match self.buffer.first() {
                None => return Ok(None),
                Some(0x90..=0x9f | 0xdc | 0xdd) => {}
                Some(b'{' | b'[') if matches!(self.json, JsonStream::Refused) => return Err(Refusal::Json),
                Some(&TLS_HANDSHAKE) => return Err(Refusal::Tls),
                Some(&byte) => return Err(Refusal::FirstByte(byte)),
            }
        }
        let length = self.scanner.advance(&self.buffer).map_err(|error| match error {
            ScanError::Msgpack(error) => Refusal::Msgpack(error),
            ScanError::TooLarge => Refusal::TooLarge { limit: self.limit },
        })?;
        Ok(length.map(|length| self.take(length)))
    }

    /// Hands out the buffer with the message under way, for whoever reads that to its end otherwise.
    pub fn hand_out(&mut self) -> BytesMut {
        self.scanner = Scanner::with_depth(self.limit, MAX_DEPTH + ENVELOPE_DEPTH);
        std::mem::take(&mut self.buffer)
    }

    /// Goes on with what came behind the message that was handed out.
    pub fn take_back(&mut self, buffer: BytesMut) {
        self.buffer = buffer;
    }

    fn take(&mut self, length: usize) -> Bytes {
        if length > COPY_BELOW {
            return self.buffer.split_to(length).freeze();
        }
        let message = Bytes::copy_from_slice(&self.buffer[..length]);
        self.buffer.advance(length);
        message
    }
}

/// Passes over what may stand between the arrays of a JSON stream; whether an array follows.
fn pass_json_heartbeats(buffer: &mut BytesMut) -> Result<bool, Refusal> {
    loop {
        let blanks = buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
        buffer.advance(blanks);
        match buffer.first() {
            None => return Ok(false),
            Some(b'[') => return Ok(true),
            Some(b'{') => return Err(Refusal::Shape("a JSON object is no message; a message is an array")),
            Some(_) if buffer.starts_with(NULL) => buffer.advance(NULL.len()),
            Some(_) if NULL.starts_with(buffer) => return Ok(false),
            Some(&byte) => return Err(Refusal::FirstByte(byte)),
        }
    }
}

/// A heartbeat of a JSON stream.
const NULL: &[u8] = b"null";

const NIL: u8 = 0xc0;

/// The first byte of a TLS ClientHello's record. No forward message begins with an integer.
const TLS_HANDSHAKE: u8 = 0x16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::msgpack::{write_array, write_str};

    fn message(length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_array(&mut bytes, 2);
        write_str(&mut bytes, b"tag");
        write_str(&mut bytes, &vec![b'x'; length]);
        bytes
    }

    fn messages(framer: &mut Framer, bytes: &[u8]) -> Result<Vec<Bytes>, Refusal> {
        framer.buffer().extend_from_slice(bytes);
        std::iter::from_fn(|| framer.next_message().transpose()).collect()
    }

    #[test]
    fn messages_are_found_wherever_the_stream_is_cut() {
        let parts = [message(3), message(300), message(70_000)];
        let stream = [&b"\xc0"[..], &parts[0], b"\xc0\xc0", &parts[1], &parts[2], b"\xc0"].concat();
        for cut in (0..400).chain(stream.len() - 5..=stream.len()) {
            let mut framer = Framer::new(1 << 20);
            let mut found = messages(&mut framer, &stream[..cut]).unwrap();
            found.extend(messages(&mut framer, &stream[cut..]).unwrap());
            assert!(found == parts, "cut at {cut}");
            assert_eq!(framer.buffered(), 0);
        }
    }

    #[test]
    fn a_message_of_exactly_the_limit_passes() {
        let bytes = message(500);
        assert_eq!(messages(&mut Framer::new(bytes.len()), &bytes).unwrap(), [&bytes]);
        let limit = bytes.len() - 1;
        assert_eq!(messages(&mut Framer::new(limit), &bytes), Err(Refusal::TooLarge { limit }));
    }

    #[test]
    fn a_length_of_four_gigabytes_is_refused_by_its_head_and_reserves_nothing() {
        let mut framer = Framer::new(1 << 26);
        let refusal = messages(&mut framer, b"\x92\xa1t\xdb\xff\xff\xff\xff");
        assert_eq!(refusal, Err(Refusal::TooLarge { limit: 1 << 26 }));
        assert!(framer.buffer().capacity() < 1024);
    }

    #[test]
    fn what_is_no_message_is_told_by_its_first_byte() {
        for (bytes, label) in [
            (&b"{\"tag\":1}"[..], "malformed"),
            (b"[1] {", "malformed"),
            (b"[1]nul,", "malformed"),
            (b"[1],[2]", "malformed"),
            (b"\xc0[1]", "malformed"),
            (b" [1]", "malformed"),
            (b"\x16\x03\x01\x02\x00\x01", "tls"),
            (b"GET / HTTP/1.1\r\n", "malformed"),
            (b"\x80", "malformed"),
            (b"\xa3tag", "malformed"),
            (b"\xc1", "malformed"),
            (b"\xc0\xc0\x00", "malformed"),
        ] {
            let refusal = messages(&mut Framer::new(1 << 20), bytes).unwrap_err();
            assert_eq!(refusal.label(), label, "{bytes:x?}");
        }
    }

    #[test]
    fn json_is_framed_wherever_the_stream_is_cut_and_known_by_its_first_byte() {
        let parts = [&br#"["t", 1, {"]": "[\""}]"#[..], b"[]", b"[[[2]]]"];
        let stream = [parts[0], b"\n null\r\nnull", parts[1], parts[2], b"\tnull\n"].concat();
        for cut in 0..=stream.len() {
            let mut framer = Framer::new(100);
            let mut found = messages(&mut framer, &stream[..cut]).unwrap();
            found.extend(messages(&mut framer, &stream[cut..]).unwrap());
            assert!(found == parts, "cut at {cut}");
            assert!(framer.is_json());
            assert_eq!((framer.buffered(), framer.known_length()), (0, 0));
        }
        let mut framer = Framer::new(100);
        assert_eq!(messages(&mut framer, b"\xc0").unwrap(), [&b""[..]; 0]);
        assert!(!framer.is_json());
    }

    #[test]
    fn a_json_message_of_exactly_the_limit_passes() {
        let bytes = br#"["t",1,{}]"#;
        assert_eq!(messages(&mut Framer::new(bytes.len()), bytes).unwrap(), [&bytes[..]]);
        let limit = bytes.len() - 1;
        assert_eq!(messages(&mut Framer::new(limit), bytes), Err(Refusal::TooLarge { limit }));
        assert_eq!(messages(&mut Framer::new(limit), &bytes[..limit]).unwrap(), [&b""[..]; 0]);
    }

    #[test]
    fn json_is_refused_where_a_shared_key_is_asked_for() {
        for bytes in [&b"["[..], b"{", b"\xc0["] {
            let refusal = messages(&mut Framer::new(100).without_json(), bytes);
            assert_eq!(refusal, Err(Refusal::Json));
        }
        let bytes = message(3);
        assert_eq!(messages(&mut Framer::new(100).without_json(), &bytes).unwrap(), [&bytes]);
    }

    #[test]
    fn a_large_message_is_not_copied_and_a_small_one_does_not_hold_the_buffer() {
        let (small, large) = (message(COPY_BELOW - 20), message(COPY_BELOW));
        let mut framer = Framer::new(1 << 20);
        framer.buffer().extend_from_slice(&[&large[..], &small].concat());
        let start = framer.buffer().as_ptr();
        assert_eq!(framer.next_message().unwrap().unwrap().as_ptr(), start);
        let behind = framer.buffer().as_ptr();
        assert_ne!(framer.next_message().unwrap().unwrap().as_ptr(), behind);
    }
}
