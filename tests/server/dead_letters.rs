use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::Scene;

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
    assert_eq!(letter["index"], 1);
    assert_eq!(letter["tag"], "app.log");
    assert_eq!(letter["sender"], "127.0.0.1");
    assert!(letter["reason"].as_str().unwrap().contains("time"), "{letter}");
    assert_eq!(letter["msgpack"], "ktcAaOd4AHc1lACBoW4C");
}
