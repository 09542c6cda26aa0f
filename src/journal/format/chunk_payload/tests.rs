use std::sync::Arc;

use super::*;
use crate::chunk::{AckProof, Chunk};

fn chunk() -> Chunk {
    let certificate = SenderCertificate {
        subject: "CN=engine-1".into(),
        alternative_names: vec!["DNS:engine-1.example.com".into(), "IP:192.0.2.7".into()],
        fingerprint: "00ff".into(),
    };
    Chunk {
        sender: Arc::new(Sender::from_certificate([192, 0, 2, 7].into(), certificate)),
        input: "edge".into(),
        tag: Bytes::from_static(b"nginx.access"),
        id: Some(Bytes::from_static(b"chunk\n")),
        received_at: EventTime::from_unix_nanoseconds(1_760_000_000_000_000_001),
        entry_count: 2,
        has_bad_entries: true,
        has_metadata: true,
        refusal: None,
        proof: AckProof::default(),
        memory: None,
        handed_over: None,
        encoding: Encoding::Gzip,
        entries: Bytes::from_static(b"\x1f\x8b..."),
    }
}

fn encoded(chunk: &Chunk) -> Bytes {
    let mut out = Vec::new();
    write_chunk_head(&mut out, chunk, None);
    out.extend_from_slice(kept_entries(chunk, None));
    out.into()
}

#[test]
fn a_chunk_reads_back() {
    let chunk = chunk();
    assert_eq!(encoded(&chunk).len() as u64, chunk_payload_length(&chunk, None));
    let read = ChunkPayload::decode(encoded(&chunk)).unwrap();
    assert_eq!(read.received_at(), chunk.received_at);
    assert_eq!(read.entry_count(), 2);
    assert!(read.has_bad_entries() && !read.is_refused());
    assert_eq!(read.encoding(), Encoding::Gzip);
    assert_eq!(read.entries(), b"\x1f\x8b...");
    assert_eq!(read.tag(), b"nginx.access");
    assert_eq!(read.sender(), "CN=engine-1;DNS:engine-1.example.com;IP:192.0.2.7");
    assert_eq!(read.id(), Some(&b"chunk\n"[..]));
    assert_eq!(read.input(), "edge");
    assert_eq!(read.source_address(), Some("192.0.2.7"));
    assert_eq!(read.subject(), Some("CN=engine-1"));
    assert_eq!(read.alternative_names().collect::<Vec<_>>(), ["DNS:engine-1.example.com", "IP:192.0.2.7"]);
    assert_eq!(read.fingerprint(), Some("00ff"));
}

#[test]
fn a_refused_message_reads_back_and_is_one_bad_entry_to_whoever_does_not_know_of_it() {
    let message = Bytes::from_static(b"\x93\xa1t\xa3abc\x81\xa5chunk\xa2id");
    let chunk = Chunk {
        entry_count: 1,
        encoding: Encoding::Plain,
        refusal: Some("it is cut".into()),
        handed_over: None,
        entries: message.clone(),
        ..chunk()
    };
    assert_eq!(encoded(&chunk).len() as u64, chunk_payload_length(&chunk, None));
    let read = ChunkPayload::decode(encoded(&chunk)).unwrap();
    assert!(read.is_refused() && read.has_bad_entries());
    assert_eq!((read.refusal(), read.entries()), (Some("it is cut"), &message[..]));
    let mut entries = crate::wire::entry::Entries::new(read.entries());
    assert!(matches!(entries.next(), Some(Ok(crate::wire::entry::Item::Bad(bad))) if bad.bytes == message));
    assert!(entries.next().is_none());
}

#[test]
fn what_is_absent_reads_as_absent() {
    let chunk = Chunk {
        sender: Arc::new(Sender::from_address([127, 0, 0, 1].into())),
        id: None,
        has_bad_entries: false,
        has_metadata: false,
        refusal: None,
        proof: AckProof::default(),
        handed_over: None,
        encoding: Encoding::Plain,
        ..chunk()
    };
    let read = ChunkPayload::decode(encoded(&chunk)).unwrap();
    assert_eq!((read.id(), read.subject(), read.fingerprint()), (None, None, None));
    assert!(!read.has_bad_entries());
    assert_eq!(read.sender(), "127.0.0.1");
}

#[test]
fn any_cut_and_any_byte_is_taken_without_a_panic() {
    let bytes = encoded(&chunk());
    for length in 0..bytes.len() {
        for flipped in 0..length {
            let mut cut = bytes[..length].to_vec();
            cut[flipped] ^= 0xff;
            if let Ok(read) = ChunkPayload::decode(cut.into()) {
                let _ = (read.tag(), read.sender(), read.id(), read.entries().len());
                assert!(read.alternative_names().count() < 100);
            }
        }
    }
}
