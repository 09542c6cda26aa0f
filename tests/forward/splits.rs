//! How a stream is cut into reads makes no difference.

use bytes::Bytes;
use hikyaku::chunk::Encoding;
use hikyaku::wire::framing::Framer;
use hikyaku::wire::message::Message;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::client::{ENTRY, plain, sized_message};
use crate::support::journal::ScriptedJournal;
use crate::support::server::Server;

const LIMIT: usize = 1 << 20;

/// All messages of a stream that arrives in these parts.
fn messages<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<Message> {
    let mut framer = Framer::new(LIMIT);
    let mut messages = Vec::new();
    for part in parts {
        framer.buffer().extend_from_slice(part);
        while let Some(message) = framer.next_message().unwrap() {
            messages.push(match framer.is_json() {
                true => Message::decode_json(&message, LIMIT).unwrap(),
                false => Message::decode(&message).unwrap(),
            });
        }
    }
    assert_eq!(framer.buffered(), 0, "something is left over");
    messages
}

/// Entries with strings of all forms, nested containers, EventTime and metadata.
fn entries() -> impl Strategy<Value = Vec<u8>> {
    let entry = prop_oneof![
        Just(ENTRY.to_vec()),
        Just(b"\x92\xd7\0\0\0\0\x01\0\0\0\x02\x80".to_vec()),
        Just(
            b"\x92\x92\xc7\x08\0\0\0\0\x01\0\0\0\x02\x80\xde\0\x01\xa1k\x92\xc0\xcb\0\0\0\0\0\0\0\0".to_vec()
        ),
        (0..400usize).prop_map(|length| {
            [&b"\x92\x01\x81\xa1t\xda"[..], &(length as u16).to_be_bytes(), &vec![b'['; length]].concat()
        }),
    ];
    vec(entry, 1..4).prop_map(|entries| entries.concat())
}

/// One message or heartbeat in msgpack.
fn msgpack() -> impl Strategy<Value = Vec<u8>> {
    let sized = |head: u8, bytes: &[u8]| [&[head][..], &(bytes.len() as u16).to_be_bytes(), bytes].concat();
    prop_oneof![
        1 => Just(vec![0xc0]),
        1 => Just([b"\x93\xa1t", &ENTRY[1..]].concat()),
        1 => Just([b"\x93\xa1t\x91", ENTRY, b"\x81\xa5chunk\xa1i"].concat()),
        2 => (entries(), 0..2usize).prop_map(move |(run, form)| {
            [b"\x92\xa1t", &sized([0xc5, 0xda][form], &run)[..]].concat()
        }),
        1 => entries().prop_map(move |run| {
            let run = zstd::encode_all(&run[..], 0).unwrap();
            [b"\x93\xa1t", &sized(0xc5, &run)[..], b"\x81\xaacompressed\xa4zstd"].concat()
        }),
    ]
}

fn record() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[\\[\\]{}\"\\\\]{0,20}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            ("[a-c\"]", inner).prop_map(|(key, value)| json!({ key: value }))
        ]
    });
    value.prop_map(|value| json!({ "value": value }))
}

/// One message or heartbeat in JSON.
fn json() -> impl Strategy<Value = Vec<u8>> {
    let space = "[ \t\r\n]{0,2}";
    prop_oneof![
        1 => Just("null".to_owned()),
        2 => record().prop_map(|record| json!(["t", 1, record]).to_string()),
        2 => (vec(record(), 0..3), "[a-z\"]{1,5}").prop_map(|(records, id)| {
            let entries: Vec<_> = records.into_iter().map(|record| json!([1, record])).collect();
            serde_json::to_string_pretty(&json!(["t", entries, { "chunk": id }])).unwrap()
        }),
    ]
    .prop_flat_map(move |text| (Just(text), space))
    .prop_map(|(text, space)| [text, space].concat().into_bytes())
}

/// The stream cut at these places.
fn cut<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn any_split_of_a_msgpack_stream_gives_the_same_messages(
        parts in vec(msgpack(), 1..8),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream = parts.concat();
        let apart: Vec<_> = parts.iter().flat_map(|part| messages([&part[..]])).collect();
        prop_assert_eq!(&messages(cut(&stream, &cuts)), &apart);
        prop_assert_eq!(&messages(stream.chunks(1)), &apart);
    }

    #[test]
    fn any_split_of_a_json_stream_gives_the_same_messages(
        parts in vec(json(), 1..8),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        // What begins with a heartbeat is known for JSON by an empty message in front.
        let first = b"[\"t\",[]]";
        let stream = [&first[..], &parts.concat()].concat();
        let apart: Vec<_> = parts
            .iter()
            .flat_map(|part| messages([&[&first[..], part].concat()[..]]).into_iter().skip(1))
            .collect();
        let whole = messages([&stream[..]]);
        prop_assert_eq!(&whole[1..], &apart);
        prop_assert_eq!(&messages(cut(&stream, &cuts)), &whole);
        prop_assert_eq!(&messages(stream.chunks(1)), &whole);
    }
}

#[tokio::test]
async fn a_writer_of_single_bytes_and_one_of_a_megabyte_end_the_same() {
    let large = sized_message("large", 40_000);
    let msgpack = [&b"\xc0"[..], &sized_message("first", 3), b"\xc0", &large, b"\xc0"].concat();
    let records = vec![json!([1, { "a": 1 }]); 200];
    let json = json!(["test.tag", records, { "chunk": "large" }]).to_string();
    let json =
        format!("{}\nnull{json}", json!(["test.tag", 1, { "a": 1 }, { "chunk": "first" }])).into_bytes();
    for (stream, is_json) in [(&msgpack[..], false), (&json, true)] {
        let mut outcomes = Vec::new();
        for size in [1, 1 << 20] {
            let journal = ScriptedJournal::new();
            let server = Server::plain(&journal);
            let mut client = plain(server.address).await;
            client.stream.set_nodelay(true).unwrap();
            // Single bytes for as long as a test may take; the rest in odd pieces.
            let (start, rest) = stream.split_at(stream.len().min(if size == 1 { 3_000 } else { 0 }));
            for part in start.chunks(1).chain(rest.chunks(if size == 1 { 8_191 } else { size })) {
                client.send(part).await;
            }
            let chunks = [journal.next().await.durable(), journal.next().await.durable()]
                .map(|chunk| (chunk.tag, chunk.id, chunk.entry_count, chunk.encoding, chunk.entries));
            if !is_json {
                assert_eq!(client.ack().await.unwrap(), b"first");
                assert_eq!(client.ack().await.unwrap(), b"large");
            }
            client.stream.shutdown().await.unwrap();
            drop(client);
            let samples = server.stop().await;
            outcomes.push((chunks, samples.of_tag(), samples.input("bytes_total")));
        }
        assert_eq!(outcomes[0], outcomes[1]);
        let [_, (_, id, _, encoding, _)] = &outcomes[0].0;
        assert_eq!((id, *encoding), (&Some(Bytes::from_static(b"large")), Encoding::Plain));
    }
}
