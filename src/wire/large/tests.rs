use std::io::Write;

use proptest::prelude::*;

use super::*;
use crate::wire::client::{Packed, encode_packed};
use crate::wire::message::Message;

const LIMITS: ContentLimits = ContentLimits::NONE;

/// The message in parts of this length: what it is, its entries, and how much of the bytes it took.
fn in_parts(bytes: &[u8], length: usize) -> Result<(LargeEnd, Vec<u8>, usize), Refusal> {
    let mut parts = bytes.chunks(length);
    let mut buffer = Vec::new();
    let (mut message, mut at) = loop {
        if let Some(begun) = LargeMessage::begin(&buffer, 1 << 20, &LIMITS)? {
            break begun;
        }
        buffer.extend_from_slice(parts.next().ok_or(MsgpackError::Incomplete)?);
    };
    let mut entries = message.prefix().to_vec();
    loop {
        let taken = message.take(&buffer[at..])?;
        entries.extend_from_slice(&buffer[at..at + taken]);
        at += taken;
        if message.is_complete() {
            break;
        }
        buffer.extend_from_slice(parts.next().ok_or(MsgpackError::Incomplete)?);
    }
    loop {
        if let Some((mut end, length)) = message.end(&buffer[at..])? {
            match end.contents {
                LargeContents::Good(_) => {}
                LargeContents::Unknown => {
                    let mut checker = message.checker(end.encoding);
                    entries.chunks(5).try_for_each(|part| checker.take(part).map(drop))?;
                    end.contents = LargeContents::Good(checker.finish()?);
                }
                LargeContents::Refused(refusal) => return Err(refusal),
            }
            return Ok((end, entries, at + length));
        }
        buffer.extend_from_slice(parts.next().ok_or(MsgpackError::Incomplete)?);
    }
}

fn packed(entries: &[u8], compressed: &str) -> Vec<u8> {
    let message = Packed { tag: b"t", entries, count: 1, chunk: Some(b"id"), gzip: true };
    let gzip = encode_packed(&message);
    let without = &gzip[..gzip.len() - 5];
    [without, &[0xa0 | compressed.len() as u8], compressed.as_bytes()].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const RUN: &[u8] = b"\x92\x01\x81\xa1a\xa5hello\x07\x92\x02\x80";

fn messages() -> Vec<Vec<u8>> {
    vec![
        packed(RUN, "text"),
        packed(&gzip(RUN), "gzip"),
        packed(&zstd::stream::encode_all(RUN, 1).unwrap(), "zstd"),
        packed(b"", "gzip"),
        // Looks like gzip and is the integer 31 and a map.
        packed(b"\x1f\x8b\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16", "text"),
        packed(&gzip(RUN), "text"),
        packed(RUN, "gzip"),
        packed(RUN, "brotli"),
        [b"\x92\xa1t\xaf", RUN].concat(),
        [b"\x93\xa1t\x93", RUN, b"\x81\xa5chunk\xa2id"].concat(),
        [b"\x93\xa1t\x93", RUN, b"\xc0"].concat(),
        b"\x92\xa1t\x90".to_vec(),
        b"\x94\xa1t\x01\x81\xa1a\xa5hello\x81\xa5chunk\xa2id".to_vec(),
        b"\x93\xa1t\xd7\x00\0\0\0\x01\0\0\0\x02\x80".to_vec(),
        b"\x93\xa1t\x01\x02".to_vec(),
        b"\x92\xa1t\x01".to_vec(),
        b"\x94\xa1t\x90\xc0\xc0".to_vec(),
        b"\x92\xa1t\x80".to_vec(),
        b"\x92\xc0\x90".to_vec(),
        [b"\x93\xa1t\x92", RUN, b"\xc0"].concat(),
    ]
}

#[test]
fn messages_in_parts_are_what_they_are_in_memory() {
    for bytes in messages() {
        let whole = Message::decode(&Bytes::from(bytes.clone()))
            .and_then(|message| message.contents(&LIMITS).map(|contents| (message, contents)));
        for length in 1..=bytes.len() {
            let parts = in_parts(&[&bytes[..], b"\xc0\xc0"].concat(), length);
            let (Ok((message, contents)), Ok((end, entries, taken))) = (&whole, &parts) else {
                assert!(whole.is_err() && parts.is_err(), "{bytes:x?}\n{whole:?}\n{parts:?}");
                continue;
            };
            assert_eq!(*taken, bytes.len(), "{bytes:x?}");
            assert_eq!(
                (&end.tag, &end.options, end.encoding),
                (&message.tag, &message.options, message.encoding)
            );
            assert_eq!(
                (&entries[..], end.contents.clone()),
                (&message.entries[..], LargeContents::Good(*contents))
            );
        }
    }
}

#[test]
fn packed_entries_that_are_refused_come_to_their_end() {
    let cut = &gzip(RUN)[..20];
    for (bytes, encoding) in [
        (packed(b"\x92\x01\xc1", "text"), Encoding::Plain),
        (packed(&RUN[..RUN.len() - 1], "text"), Encoding::Plain),
        (packed(RUN, "gzip"), Encoding::Gzip),
        (packed(cut, "gzip"), Encoding::Gzip),
    ] {
        let (mut message, mut at) = LargeMessage::begin(&bytes, 1 << 20, &LIMITS).unwrap().unwrap();
        at += message.take(&bytes[at..]).unwrap();
        assert!(message.is_complete());
        let (end, length) = message.end(&bytes[at..]).unwrap().unwrap();
        assert_eq!(at + length, bytes.len());
        assert_eq!((&end.options.chunk.unwrap().id[..], end.encoding), (&b"id"[..], encoding));
        assert!(!matches!(end.contents, LargeContents::Good(_)), "{:?}", end.contents);
    }
}

#[test]
fn what_is_too_long_is_refused_by_its_head() {
    let refusal = |bytes: &[u8]| LargeMessage::begin(bytes, 1 << 20, &LIMITS).unwrap_err();
    assert_eq!(refusal(b"\x92\xdb\x00\x00\x10\x01"), Refusal::TagTooLong(4097));
    let mut option = packed(RUN, "text");
    option.truncate(option.len() - 32);
    option.extend_from_slice(b"\x81\xa1x\xc6\x00\x00\xff\xf8");
    let cut = in_parts(&option, 100);
    assert_eq!(cut.unwrap_err(), Refusal::Msgpack(MsgpackError::Incomplete), "65536 bytes are allowed");
    *option.last_mut().unwrap() += 1;
    assert_eq!(in_parts(&option, 100).unwrap_err(), Refusal::OptionTooLarge { limit: 65536 });
}

proptest! {
    #[test]
    fn no_bytes_of_a_peer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), head in 0..5usize, length in 1..50usize) {
        let start: &[u8] = [&b""[..], b"\x92\xa1t", b"\x93\xa1t\x91", b"\x93\xa1t\xa3abc", b"\x93\xa1t\xc4\x20\x1f\x8b\x08"][head];
        let _ = in_parts(&[start, &bytes].concat(), length);
    }
}
