use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::support::{HIKYAKU, Scene, Server};

#[test]
fn entries_that_are_no_events_become_dead_letters_and_the_good_ones_go_on() {
    let scene = Scene::new();
    let server = scene.start();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port("containers"))).unwrap();
    // Forward mode: an event, an entry with a time of two billion nanoseconds, an event; chunk "id".
    let mut message = b"\x93\xa7app.log\x93".to_vec();
    message.extend_from_slice(b"\x92\xce\x68\xe7\x78\x00\x81\xa1n\x01");
    message.extend_from_slice(b"\x92\xd7\x00\x68\xe7\x78\x00\x77\x35\x94\x00\x81\xa1n\x02");
    message.extend_from_slice(b"\x92\xce\x68\xe7\x78\x00\x81\xa1n\x03");
    message.extend_from_slice(b"\x81\xa5chunk\xa2id");
    stream.write_all(&message).unwrap();
    let mut ack = [0; 8];
    stream.read_exact(&mut ack).unwrap();
    assert_eq!(&ack, b"\x81\xa3ack\xa2id");

    server.until_metric("hikyaku_output_dead_letters_total", 1.0);
    assert!(server.stop().success());
    let numbers: Vec<_> = scene.lines("unmatched").iter().map(|event| event["n"].clone()).collect();
    assert_eq!(numbers, [1, 3]);
    let [letter] = &scene.lines("data/dead-letters")[..] else { panic!() };
    assert_eq!((&letter["index"], &letter["offset"]), (&1.into(), &10.into()));
    assert_eq!(letter["tag"], "app.log");
    assert_eq!(letter["sender"], "127.0.0.1");
    assert!(letter["reason"].as_str().unwrap().contains("time"), "{letter}");
    assert_eq!(letter["msgpack"], "ktcAaOd4AHc1lACBoW4C");
}

/// A good entry: a time and `{"n": number}`.
fn good(number: u8) -> Vec<u8> {
    vec![0x92, 0xce, 0x68, 0xe7, 0x78, 0x00, 0x81, 0xa1, b'n', number]
}

#[test]
fn every_kind_of_bad_entry_becomes_a_dead_letter_with_its_place_whatever_the_compression() {
    let bad: [(&[u8], &str); 7] = [
        (b"\x07", "no array"),
        (b"\x80", "no array"),
        (b"\x93\x01\x80\x80", "no array"),
        (b"\x92\xa3now\x80", "time"),
        (b"\x92\xd7\x00\x68\xe7\x78\x00\x77\x35\x94\x00\x80", "time"),
        (b"\x92\x01\x90", "record"),
        (b"\x92\x92\x01\x80\xc0", "record"),
    ];
    let mut entries = good(0);
    let mut offsets = Vec::new();
    for (number, (bytes, _)) in bad.iter().enumerate() {
        offsets.push(entries.len());
        entries.extend_from_slice(bytes);
        entries.extend_from_slice(&good(number as u8 + 1));
    }
    let scene = Scene::new();
    let server = scene.start();
    let mut stream = TcpStream::connect(("127.0.0.1", server.port("containers"))).unwrap();
    for compression in ["text", "gzip", "zstd"] {
        let run = match compression {
            "gzip" => {
                let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                gzip.write_all(&entries).unwrap();
                gzip.finish().unwrap()
            }
            "zstd" => zstd::encode_all(&entries[..], 3).unwrap(),
            _ => entries.clone(),
        };
        let mut message = b"\x93\xa7app.log\xc4".to_vec();
        message.push(u8::try_from(run.len()).unwrap());
        message.extend_from_slice(&run);
        message.extend_from_slice(b"\x82\xa5chunk\xa4");
        message.extend_from_slice(compression.as_bytes());
        message.extend_from_slice(b"\xaacompressed\xa4");
        message.extend_from_slice(compression.as_bytes());
        stream.write_all(&message).unwrap();
        let mut ack = [0; 10];
        stream.read_exact(&mut ack).unwrap();
        assert_eq!(ack, *[&b"\x81\xa3ack\xa4"[..], compression.as_bytes()].concat());
    }
    let count = (3 * bad.len()) as f64;
    assert_eq!(server.metric("hikyaku_input_bad_entries_total"), count);
    server.until_metric("hikyaku_output_dead_letters_total", count);
    let metrics = server.get("metrics", "/metrics").1;
    for (reason, count) in [("entry_shape", 9), ("entry_time", 6), ("entry_record", 6)] {
        let sample = format!(
            "hikyaku_output_dead_letters_total{{output=\"@dead-letters\",reason=\"{reason}\"}} {count}\n"
        );
        assert!(metrics.contains(&sample), "no {sample} in {metrics}");
    }
    assert!(server.stop().success());

    let mut numbers: Vec<_> =
        scene.lines("unmatched").iter().map(|event| event["n"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..=7).flat_map(|number| [number; 3]).collect::<Vec<_>>());
    let letters = scene.lines("data/dead-letters");
    assert_eq!(letters.len(), 3 * bad.len());
    for (number, letter) in letters.iter().enumerate() {
        let (bytes, reason) = bad[number % bad.len()];
        assert!(letter["reason"].as_str().unwrap().contains(reason), "{letter}");
        assert_eq!(letter["msgpack"], BASE64_STANDARD.encode(bytes));
        assert_eq!(letter["index"], 2 * (number % bad.len()) + 1);
        assert_eq!(letter["offset"], offsets[number % bad.len()]);
        assert_eq!((&letter["tag"], &letter["sender"]), (&"app.log".into(), &"127.0.0.1".into()));
    }
}

#[test]
fn a_message_that_nobody_can_take_ends_in_the_dead_letters_once_and_its_sender_goes_on() {
    const BAD: &[u8] = b"\x93\xa7app.log\xa3\x92\x01\xc1\x81\xa5chunk\xa2id";
    let send = |server: &Server| {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port("containers"))).unwrap();
        stream.write_all(BAD).unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).is_ok_and(|()| &answer == b"\x81\xa3ack\xa2id")
    };
    let scene = Scene::new();
    let server = scene.start();
    assert_eq!([(); 4].map(|()| send(&server)), [false, false, true, true]);
    let refused = server.line_with("refused a message");
    assert_eq!((&refused["reason"], &refused["sender"]), (&"malformed".into(), &"127.0.0.1".into()));
    assert!(refused["peer"].as_str().unwrap().starts_with("127.0.0.1:"), "{refused}");
    let taken = server.line_with("took a message");
    assert_eq!((&taken["reason"], &taken["sender"]), (&"malformed".into(), &"127.0.0.1".into()));
    server.until_metric("hikyaku_output_dead_letters_total", 1.0);
    assert_eq!(server.metric("hikyaku_input_dead_messages_total"), 1.0);
    assert!(server.stop().success());
    // What was counted is forgotten, and the chunk id is not.
    let server = scene.start();
    assert_eq!([(); 3].map(|()| send(&server)), [false, false, true]);
    assert!(server.stop().success());

    let cat = Command::new(HIKYAKU)
        .args(["journal", "cat", "--data-dir"])
        .arg(scene.path("data"))
        .output()
        .unwrap();
    let cat: serde_json::Value = serde_json::from_slice(&cat.stdout).unwrap();
    assert!(cat["bad"].as_str().unwrap().contains("0xc1"), "{cat}");
    assert_eq!(scene.lines("unmatched").len(), 0);
    let [letter] = &scene.lines("data/dead-letters")[..] else { panic!() };
    assert_eq!(letter["message"], BASE64_STANDARD.encode(BAD));
    assert_eq!(letter["chunk"], BASE64_STANDARD.encode("id"));
    assert_eq!((&letter["tag"], &letter["sender"]), (&"app.log".into(), &"127.0.0.1".into()));
    assert!(letter["reason"].as_str().unwrap().contains("0xc1"), "{letter}");
    assert_eq!(letter.get("msgpack"), None);
}
