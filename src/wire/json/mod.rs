//! JSON streams: what a connection carries whose first byte is `[`, as Fluentd reads them.
//!
//! ```text
//! ["tag", time, {record}, {option}?]
//! ["tag", [[time, {record}], ...], {option}?]
//! null                                          a heartbeat
//! ```
//!
//! One value after the other, white space between them or not. The journal keeps msgpack alone, so each message becomes
//! the msgpack message of the same shape, and an acknowledgement is JSON: `{"ack":"id"}`.
//!
//! | JSON | msgpack |
//! | --- | --- |
//! | `null`, `true`, `false` | nil, true, false |
//! | an integer from -2⁶³ to 2⁶⁴-1 | an integer |
//! | any other number | a float of 64 bits; one that is too large for it is refused |
//! | a string | a str; half of a surrogate pair becomes U+FFFD |
//! | an array | an array |
//! | an object | a map; keys that repeat are kept, in their order |
//!
//! A string in place of the entries is refused: packed entries are bytes, which JSON cannot carry.

mod convert;
mod scan;
mod surrogates;

use std::io;

use bytes::Bytes;

use super::message::Message;
use super::msgpack::{Token, read, skip};
use super::options::ChunkId;
use super::refusal::Refusal;
pub use convert::{MAX_JSON_DEPTH, to_msgpack};
pub(super) use scan::JsonScanner;

impl Message {
    /// Reads one array of a JSON stream, as [`Framer`](super::framing::Framer) cuts them.
    ///
    /// # Errors
    ///
    /// Where it is no JSON or no message, or where it or its msgpack is larger than `max_message_size` bytes.
    pub fn decode_json(text: &[u8], max_message_size: usize) -> Result<Self, Refusal> {
        let message = Bytes::from(convert::to_msgpack(text, max_message_size)?);
        let mut at = 0;
        if matches!(read(&message, &mut at), Ok(Token::Array(2..))) {
            at = skip(&message, at)?;
            if matches!(read(&message, &mut at)?, Token::Str(_)) {
                return Err(Refusal::Shape("JSON cannot carry packed entries"));
            }
        }
        Self::decode(&message)
    }
}

/// The acknowledgement of a chunk that came as JSON; without a line feed, as Fluentd writes it.
///
/// Each must go out in one write of its own, as those in msgpack.
pub fn encode_json_ack(chunk: &ChunkId) -> Vec<u8> {
    let mut out = b"{\"ack\":".to_vec();
    let id = String::from_utf8_lossy(&chunk.id);
    let written: Result<(), io::Error> = serde_json::to_writer(&mut out, &*id).map_err(io::Error::from);
    written.expect("writing a string to memory does not fail");
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::Encoding;

    fn decode(text: &str) -> Result<Message, Refusal> {
        Message::decode_json(text.as_bytes(), 1 << 20)
    }

    #[test]
    fn both_forms_give_the_entries_that_msgpack_would() {
        for text in [
            r#"["a.b", 1, {"a": 1}]"#,
            r#"["a.b", 1, {"a": 1}, null]"#,
            r#"["a.b", [[1, {"a": 1}]]]"#,
            r#"["a.b", [[1, {"a": 1}]], {}]"#,
        ] {
            let message = decode(text).unwrap();
            assert_eq!(&message.tag[..], b"a.b");
            assert_eq!(&message.entries[..], b"\x92\x01\x81\xa1a\x01", "{text}");
            assert_eq!((message.encoding, message.options.chunk), (Encoding::Plain, None));
        }
    }

    #[test]
    fn the_id_goes_back_as_json() {
        for id in ["an id", "\"\\", "", "飛\n\u{1}"] {
            let text = serde_json::json!(["t", [], { "chunk": id }]).to_string();
            let ack = encode_json_ack(&decode(&text).unwrap().options.chunk.unwrap());
            assert_eq!(
                serde_json::from_slice::<serde_json::Value>(&ack).unwrap(),
                serde_json::json!({ "ack": id })
            );
        }
        let chunk = ChunkId { id: Bytes::from_static(b"id="), encoded: Bytes::new() };
        assert_eq!(encode_json_ack(&chunk), b"{\"ack\":\"id=\"}");
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "[]",
            "[1]",
            r#"["t"]"#,
            r#"["t", 1]"#,
            r#"["t", "\u0092\u0001\u0080"]"#,
            r#"["t", "", {}]"#,
            r#"["t", {}, {}]"#,
            r#"["t", [], 1]"#,
            r#"["t", 1, {}, {}, 1]"#,
            r#"["t", 1, {}"#,
            r#"["t", 1, {}]]"#,
            r#"["t", 1, {]}"#,
            r#"["t", 1e999, {}]"#,
            r#"["t", 01, {}]"#,
            "[\"t\", 1, {\"a\": \"\u{1}\"}]",
        ] {
            assert_eq!(decode(text).unwrap_err().label(), "malformed", "{text}");
        }
        assert_eq!(
            Message::decode_json(b"[\"t\", 1, {\"a\": \"\xff\"}]", 100).unwrap_err().label(),
            "malformed"
        );
    }
}
