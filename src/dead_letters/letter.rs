//! One letter, as its line says it. The fields are listed in `docs/formats.md`.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Names a letter: the first 8 bytes of the SHA-256 of its line without the newline; 16 hex digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterId(u64);

impl LetterId {
    /// Of a line without its newline.
    pub fn of(line: &[u8]) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&digest(&SHA256, line).as_ref()[..8]);
        Self(u64::from_be_bytes(first))
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u64::from_str_radix(text, 16).ok().filter(|_| digits);
        id.map(Self)
            .ok_or_else(|| "expected 16 hex digits, as `letter` in hikyaku dead-letter cat".to_owned())
    }
}

/// A dead letter. Fields of later versions are passed over.
#[derive(Debug, Clone, Deserialize)]
pub struct Letter {
    /// Where the chunk lay in the journal: `SEGMENT:OFFSET`.
    pub position: String,
    /// What is wrong, in words.
    pub reason: String,
    /// The identity of the sender.
    pub sender: String,
    /// With U+FFFD in place of what is no UTF-8.
    pub tag: String,
    #[serde(deserialize_with = "time")]
    pub received_at: jiff::Timestamp,
    /// The chunk id, in base64.
    pub chunk: Option<String>,
    /// Of a single entry: its number in the chunk.
    pub index: Option<u32>,
    /// The output that gave it up; none where it was never meant for one.
    pub output: Option<String>,
    /// The `id` of the input that took it; letters of the first version have none.
    pub input: Option<String>,
    /// The id under which an output sent it.
    pub message_id: Option<String>,
    /// Of a single entry: its bytes, in base64.
    msgpack: Option<String>,
    /// Of a refused message: all of it, in base64.
    message: Option<String>,
    /// Of a refused message that was too large for memory: a piece of its entries, in base64.
    part: Option<String>,
    /// Of what an output gave up: the entries as it would have sent them, in base64.
    entries: Option<String>,
}

/// What a letter holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Contents {
    /// An entry that is no event.
    Entry(Vec<u8>),
    /// A message that was refused.
    Message(Vec<u8>),
    /// A piece of the entries of a message that was refused.
    Part(Vec<u8>),
    /// A run of entries that an output gave up, encoded as the line says.
    Entries(Vec<u8>),
}

impl Contents {
    /// The bytes, whatever they are.
    pub fn bytes(&self) -> &[u8] {
        let (Self::Entry(bytes) | Self::Message(bytes) | Self::Part(bytes) | Self::Entries(bytes)) = self;
        bytes
    }
}

impl Letter {
    /// From a line; `None` where it is no letter.
    pub fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// The bytes that the letter keeps; `None` where it holds none that can be read.
    pub fn contents(&self) -> Option<Contents> {
        let decode = |text: &Option<String>| BASE64_STANDARD.decode(text.as_ref()?).ok();
        (decode(&self.msgpack).map(Contents::Entry))
            .or_else(|| decode(&self.message).map(Contents::Message))
            .or_else(|| decode(&self.part).map(Contents::Part))
            .or_else(|| decode(&self.entries).map(Contents::Entries))
    }

    /// The day of receipt: `YYYY-MM-DD`.
    pub fn day(&self) -> String {
        self.received_at.strftime("%Y-%m-%d").to_string()
    }
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<jiff::Timestamp, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"position":"1:64","index":3,"offset":310,"reason":"the time is no time","sender":"CN=a",
        "tag":"nginx.access","received_at":"2026-02-17T01:00:00.000000000Z","chunk":null,"msgpack":"gA==","new":1}"#;

    #[test]
    fn a_line_of_the_first_version_is_read_and_what_a_later_one_adds_is_passed_over() {
        let letter = Letter::parse(LINE.as_bytes()).unwrap();
        assert_eq!(
            (letter.position.as_str(), letter.index, letter.day().as_str()),
            ("1:64", Some(3), "2026-02-17")
        );
        assert_eq!(letter.contents(), Some(Contents::Entry(vec![0x80])));
        assert!(Letter::parse(b"{\"position\":").is_none() && Letter::parse(b"{}").is_none());
    }

    #[test]
    fn an_id_is_the_same_in_every_version_and_reads_back() {
        let id = LetterId::of(b"abc");
        assert_eq!(id.to_string(), "ba7816bf8f01cfea");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "ba7816bf8f01cfe", "ba7816bf8f01cfeaa", "+a7816bf8f01cfea", "ga7816bf8f01cfea"] {
            assert!(text.parse::<LetterId>().is_err(), "{text}");
        }
    }
}
