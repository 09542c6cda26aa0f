//! Looking into a message before it is taken: what is acknowledged must be readable later.

use super::compression::inflate;
use super::entry::{Entries, Item};
use super::message::Message;
use super::refusal::Refusal;
use crate::chunk::Encoding;

/// What a message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contents {
    /// Events and bad entries; group marks are neither.
    pub entries: u32,
    /// Entries that are whole msgpack values and yet no events.
    pub bad_entries: u32,
    /// Whether at least one entry carries metadata, or is a group mark.
    pub has_metadata: bool,
}

impl Message {
    /// Walks over the entries once, inflating them into `scratch` first where they are compressed.
    ///
    /// # Errors
    ///
    /// Where the entries cannot be told apart, the compression is damaged, or they inflate to more than
    /// `max_inflated_size` bytes.
    pub fn contents(&self, max_inflated_size: usize, scratch: &mut Vec<u8>) -> Result<Contents, Refusal> {
        let run = match self.encoding {
            Encoding::Plain => &self.entries[..],
            encoding => {
                inflate(encoding, &self.entries, max_inflated_size, scratch)?;
                scratch
            }
        };
        let mut contents = Contents::default();
        for item in Entries::new(run) {
            match item? {
                Item::Event(entry) => contents.has_metadata |= entry.metadata.is_some(),
                Item::Mark(_) => {
                    contents.has_metadata = true;
                    continue;
                }
                Item::Bad(_) => contents.bad_entries += 1,
            }
            contents.entries = contents
                .entries
                .checked_add(1)
                .ok_or(Refusal::InflatesTooLarge { limit: max_inflated_size })?;
        }
        Ok(contents)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bytes::Bytes;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;
    use crate::wire::client::{Packed, encode_packed};
    use crate::wire::framing::Framer;

    fn contents(entries: &[u8], gzip: bool) -> Result<Contents, Refusal> {
        let bytes = encode_packed(&Packed { tag: b"t", entries, count: 0, chunk: None, gzip });
        Message::decode(&Bytes::from(bytes)).unwrap().contents(1 << 20, &mut Vec::new())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bad_entries_are_counted_and_kept() {
        let run = b"\x92\x01\x80\x01\x92\xd7\x00\0\0\0\x01\x77\x35\x94\x00\x80\x92\x01\xc0";
        assert_eq!(contents(run, false), Ok(Contents { entries: 4, bad_entries: 3, has_metadata: false }));
        assert_eq!(
            contents(&gzip(run), true),
            Ok(Contents { entries: 4, bad_entries: 3, has_metadata: false })
        );
        assert_eq!(contents(b"", false), Ok(Contents::default()));
    }

    #[test]
    fn group_marks_are_no_entries_and_tell_of_metadata() {
        let start = b"\x92\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x80\x80";
        let end = b"\x92\x92\xd7\x00\xff\xff\xff\xfe\0\0\0\0\x80\x80";
        let run = [&start[..], b"\x92\x01\x80\x92\x02\x80", end].concat();
        assert_eq!(contents(&run, false), Ok(Contents { entries: 2, bad_entries: 0, has_metadata: true }));
        let marks = [&start[..], end].concat();
        assert_eq!(contents(&marks, false), Ok(Contents { entries: 0, bad_entries: 0, has_metadata: true }));
    }

    #[test]
    fn a_run_that_cannot_be_told_apart_is_refused() {
        for run in [&b"\x92\x01\x80\x92\x01"[..], b"\x92\x01\x80\xc1", b"\x92\x01\x80\xdb\xff\xff\xff\xff"] {
            assert_eq!(contents(run, false).unwrap_err().label(), "malformed", "{run:x?}");
            assert_eq!(contents(&gzip(run), true).unwrap_err().label(), "malformed", "{run:x?}");
        }
        let deep = [vec![0x91; 100_000], vec![0x01]].concat();
        assert_eq!(contents(&deep, false).unwrap_err().label(), "malformed");
    }

    #[test]
    fn damaged_and_huge_compression_is_refused() {
        let whole = gzip(b"\x92\x01\x80");
        assert_eq!(contents(&whole[..whole.len() - 3], true).unwrap_err().label(), "corrupt_compression");
        assert_eq!(contents(b"\x92\x01\x80", true).unwrap_err().label(), "corrupt_compression");
        assert_eq!(contents(&gzip(&vec![0xc0; 1 << 20]), true).map(|contents| contents.entries), Ok(1 << 20));
        assert_eq!(contents(&gzip(&vec![0xc0; (1 << 20) + 1]), true).unwrap_err().label(), "too_large");
    }

    proptest! {
        #[test]
        fn no_bytes_of_a_peer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), head in 0..4usize) {
            let start: &[u8] = [&b""[..], b"\x92\xa1t", b"\x93\xa1t\x91", b"\x93\xa1t\xa3abc"][head];
            let mut framer = Framer::new(1 << 16);
            framer.buffer().extend_from_slice(start);
            framer.buffer().extend_from_slice(&bytes);
            while let Ok(Some(message)) = framer.next_message() {
                if let Ok(message) = Message::decode(&message) {
                    let _ = message.contents(1 << 16, &mut Vec::new());
                }
            }
            let _ = contents(&bytes, head % 2 == 0);
        }
    }
}
