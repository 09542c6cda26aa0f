//! What real clients and servers sent, byte for byte: see `fixtures/captures/README.md`.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use bytes::Bytes;
use hikyaku::chunk::Encoding;
use hikyaku::wire::ack::encode_ack;
use hikyaku::wire::client::AckReader;
use hikyaku::wire::compression::inflate;
use hikyaku::wire::entry::Entries;
use hikyaku::wire::framing::Framer;
use hikyaku::wire::handshake::{Access, Denial, Salt, ServerHandshake};
use hikyaku::wire::limits::ContentLimits;
use hikyaku::wire::message::Message;
use hikyaku::wire::msgpack::{Token, read, skip};
use hikyaku::wire::options::Signal;
use hikyaku::wire::refusal::Refusal;

const LIMIT: usize = 1 << 20;

const NGINX: &str = "nginx.access";
const APP: &str = "app.log";

fn capture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures");
    std::fs::read(folder.join(format!("{name}.bin"))).unwrap()
}

/// All messages, the bytes arriving in these parts.
fn messages<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Message>, Refusal> {
    let mut framer = Framer::new(LIMIT);
    let mut messages = Vec::new();
    for part in parts {
        framer.buffer().extend_from_slice(part);
        while let Some(message) = framer.next_message()? {
            messages.push(Message::decode(&message)?);
        }
    }
    assert_eq!(framer.buffered(), 0, "something is left over");
    Ok(messages)
}

fn client(name: &str) -> Vec<Message> {
    messages([&capture(&format!("{name}.client"))[..]]).unwrap()
}

fn plain(message: &Message) -> Vec<u8> {
    match message.encoding {
        Encoding::Plain => message.entries.to_vec(),
        encoding => {
            let mut out = Vec::new();
            inflate(encoding, &message.entries, LIMIT, &mut out).unwrap();
            out
        }
    }
}

/// The value of a field of a record, still encoded.
fn field<'a>(record: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut at = 0;
    let Token::Map(pairs) = read(record, &mut at).unwrap() else { panic!("the record is no map") };
    for _ in 0..pairs {
        let key = read(record, &mut at).unwrap();
        let end = skip(record, at).unwrap();
        if key == Token::Str(name.as_bytes()) {
            return Some(&record[at..end]);
        }
        at = end;
    }
    None
}

fn text<'a>(record: &'a [u8], name: &str) -> Option<&'a str> {
    read(field(record, name)?, &mut 0).unwrap().as_bytes().map(|bytes| std::str::from_utf8(bytes).unwrap())
}

struct Expected {
    name: &'static str,
    tag: &'static str,
    messages: usize,
    entries: u32,
    encoding: Encoding,
    acks: bool,
    nanoseconds: bool,
    metadata: bool,
}

const fn expect(name: &'static str, tag: &'static str, messages: usize, entries: u32) -> Expected {
    Expected {
        name,
        tag,
        messages,
        entries,
        encoding: Encoding::Plain,
        acks: false,
        nanoseconds: true,
        metadata: false,
    }
}

const EXPECTED: &[Expected] = &[
    Expected { acks: true, ..expect("fluentd-packed-ack", NGINX, 1, 12) },
    Expected { acks: true, encoding: Encoding::Gzip, ..expect("fluentd-gzip-ack", NGINX, 1, 12) },
    Expected { nanoseconds: false, ..expect("fluentd-integer-time", NGINX, 1, 12) },
    Expected { acks: true, metadata: true, ..expect("fluentbit-metadata-ack", NGINX, 3, 7) },
    Expected { metadata: true, ..expect("fluentbit-metadata-noack", NGINX, 3, 7) },
    Expected { acks: true, ..expect("fluentbit-compat-ack", NGINX, 3, 7) },
    Expected {
        acks: true,
        metadata: true,
        encoding: Encoding::Gzip,
        ..expect("fluentbit-gzip-ack", NGINX, 3, 7)
    },
    Expected { nanoseconds: false, ..expect("fluentbit-integer-time", NGINX, 3, 7) },
    expect("python-message", APP, 3, 3),
    Expected { nanoseconds: false, ..expect("python-message-integer-time", APP, 1, 1) },
    Expected { acks: true, nanoseconds: false, ..expect("node-Message", APP, 3, 3) },
    Expected { acks: true, nanoseconds: false, ..expect("node-Forward", APP, 1, 3) },
    Expected { acks: true, nanoseconds: false, ..expect("node-PackedForward", APP, 1, 3) },
    Expected {
        acks: true,
        nanoseconds: false,
        encoding: Encoding::Gzip,
        ..expect("node-CompressedPackedForward", APP, 1, 3)
    },
];

#[test]
fn every_client_decodes_to_what_the_readme_says() {
    for expected in EXPECTED {
        let name = expected.name;
        let messages = client(name);
        assert_eq!(messages.len(), expected.messages, "{name}");
        let mut entries = 0;
        for message in &messages {
            assert_eq!(message.tag, expected.tag, "{name}");
            assert_eq!(message.encoding, expected.encoding, "{name}");
            assert_eq!(message.options.chunk.is_some(), expected.acks, "{name}");
            assert_eq!(message.options.signal, Signal::Logs, "{name}");
            let contents = message.contents(&ContentLimits::NONE).unwrap();
            assert_eq!(contents.bad_entries, 0, "{name}");
            if let Some(size) = message.options.size {
                assert_eq!(size, u64::from(contents.entries), "{name}");
            }
            entries += contents.entries;
        }
        assert_eq!(entries, expected.entries, "{name}");
    }
}

#[test]
fn every_record_and_time_reads() {
    for expected in EXPECTED {
        let name = expected.name;
        for run in client(name).iter().map(plain) {
            for entry in Entries::new(&run) {
                let entry = entry.unwrap().event().unwrap();
                let time = entry.time.unwrap();
                assert!((1_795_000_000..1_796_000_000).contains(&time.seconds()), "{name}: {time:?}");
                assert_eq!(time.nanoseconds() != 0, expected.nanoseconds, "{name}: {time:?}");
                assert_eq!(entry.metadata, expected.metadata.then_some(&b"\x80"[..]), "{name}");
                if expected.tag == NGINX {
                    assert_eq!(text(entry.record, "log"), Some("GET /api/v1/users 200"), "{name}");
                    assert_eq!(text(entry.record, "customer_name"), Some("acme"), "{name}");
                    assert_eq!(text(entry.record, "fqdn"), Some("www.example.com"), "{name}");
                    assert_eq!(text(entry.record, "上流"), Some("応答"), "{name}");
                    let status = read(field(entry.record, "status").unwrap(), &mut 0).unwrap();
                    assert_eq!(status, Token::Unsigned(200), "{name}");
                }
            }
        }
    }
}

#[test]
fn nil_floats_lists_and_japanese_text_read() {
    let messages = client("python-message");
    let entry = Entries::new(&messages[0].entries).next().unwrap().unwrap().event().unwrap();
    assert_eq!(text(entry.record, "message"), Some("起動しました"));
    assert_eq!(field(entry.record, "pi"), Some(&b"\xcb\x40\x09\x1e\xb8\x51\xeb\x85\x1f"[..]));
    assert_eq!(field(entry.record, "none"), Some(&b"\xc0"[..]));
    assert_eq!(field(entry.record, "list"), Some(&b"\x92\x01\xc3"[..]));
}

#[test]
fn any_cut_of_the_stream_gives_the_same_messages() {
    for expected in EXPECTED {
        let bytes = capture(&format!("{}.client", expected.name));
        let whole = messages([&bytes[..]]).unwrap();
        assert_eq!(messages(bytes.chunks(1)).unwrap(), whole, "{}", expected.name);
        for cut in 0..bytes.len() {
            let (start, end) = bytes.split_at(cut);
            assert_eq!(messages([start, end]).unwrap(), whole, "{} cut at {cut}", expected.name);
        }
    }
}

#[test]
fn gzip_of_several_members_is_inflated_to_its_end() {
    let message = &client("fluentd-gzip-ack")[0];
    let members = message.entries.windows(3).filter(|bytes| *bytes == b"\x1f\x8b\x08").count();
    assert!(members > 1);
    assert_eq!(message.contents(&ContentLimits::NONE).unwrap().entries, 12);
}

#[test]
fn acks_are_what_the_servers_answered() {
    for expected in EXPECTED.iter().filter(|expected| expected.acks) {
        let name = expected.name;
        let chunks: Vec<_> = client(name).into_iter().map(|message| message.options.chunk.unwrap()).collect();
        let ours = chunks.iter().flat_map(encode_ack).collect::<Vec<u8>>();
        // What was answered in Message mode was not recorded.
        if name == "node-Message" {
            continue;
        }
        let theirs = capture(&format!("{name}.server"));
        assert_eq!(ours, theirs, "{name}");
        let mut reader = AckReader::default();
        reader.buffer().extend_from_slice(&theirs);
        for chunk in chunks {
            assert_eq!(reader.next_ack().unwrap(), Some(chunk.id), "{name}");
        }
        assert_eq!(reader.next_ack().unwrap(), None::<Bytes>, "{name}");
    }
}

#[test]
fn a_fluentd_chunk_id_keeps_its_newline() {
    let id = client("fluentd-packed-ack").remove(0).options.chunk.unwrap().id;
    assert_eq!(id, &b"ZgwZhXUXaGHvudwBgpX67g==\n"[..]);
}

#[test]
fn handshakes_are_refused_by_name() {
    for name in [
        "fluentd-auth",
        "fluentbit-auth-to-fluentd",
        "fluentbit-auth-to-fluentbit",
        "fluentbit-auth-wrong-key",
    ] {
        for side in ["client", "server"] {
            let refusal = messages([&capture(&format!("{name}.{side}"))[..]]).unwrap_err();
            assert_eq!(refusal, Refusal::Handshake, "{name}.{side}");
        }
    }
}

/// The first whole value, and what follows it.
fn split_value(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(skip(bytes, 0).unwrap())
}

/// Nonce and auth of a HELO.
fn challenge(hello: &[u8]) -> [Salt; 2] {
    let (_, options) = hello.split_at(6);
    ["nonce", "auth"].map(|name| {
        let value = field(options, name).unwrap();
        read(value, &mut 0).unwrap().as_bytes().unwrap().try_into().unwrap()
    })
}

#[test]
fn real_handshakes_are_answered_as_real_servers_did() {
    for (name, key, server_name, host_name) in [
        ("fluentd-auth", "sekrit", "logserver-1", "edge-1"),
        ("fluentbit-auth-to-fluentd", "sekrit", "logserver-1", "edge-2"),
        ("fluentbit-auth-to-fluentbit", "sekrit", "server-b", "edge-2"),
    ] {
        let (client, server) = (capture(&format!("{name}.client")), capture(&format!("{name}.server")));
        let (hello, rest) = split_value(&server);
        let (ping, _) = split_value(&client);
        let (pong, _) = split_value(rest);
        let [nonce, auth] = challenge(hello);
        let users = [("engine".to_owned(), "pa55".to_owned())];
        let access = Access { shared_key: Some(key.as_bytes()), users: Some(&users) };
        let handshake = ServerHandshake::new(access, server_name, nonce, auth);
        let accepted = handshake.answer(ping).unwrap();
        assert_eq!(accepted.pong, pong, "{name}");
        assert_eq!(
            (accepted.host_name.as_str(), accepted.user.as_deref()),
            (host_name, Some("engine")),
            "{name}"
        );
        if name.ends_with("fluentd") {
            assert_eq!(handshake.hello(true), hello, "{name}");
        }
    }
}

#[test]
fn a_wrong_key_is_answered_as_fluentd_did() {
    let (client, server) =
        (capture("fluentbit-auth-wrong-key.client"), capture("fluentbit-auth-wrong-key.server"));
    let (hello, pong) = split_value(&server);
    let [nonce, auth] = challenge(hello);
    let users = [("engine".to_owned(), "pa55".to_owned())];
    let access = Access { shared_key: Some(b"sekrit"), users: Some(&users) };
    let denied =
        ServerHandshake::new(access, "logserver-1", nonce, auth).answer(split_value(&client).0).unwrap_err();
    assert_eq!(denied.reason, Denial::SharedKey);
    assert_eq!(denied.pong, pong);
}

#[test]
fn metrics_are_told_from_logs() {
    let messages = client("fluentbit-metrics-signal");
    assert!(!messages.is_empty());
    for message in messages {
        assert_eq!(message.options.signal, Signal::Other(1));
        assert_eq!(message.tag, "internal");
    }
}
