//! A sender whose ids are a hash of the content, as Fluent Bit's are, and that has the same to say again.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hikyaku::wire::client::{AckReader, Packed, encode_packed};

use crate::support::{PATIENCE, Scene, Server};

/// Waits for each acknowledgement before it sends the next chunk.
struct FluentBit {
    stream: TcpStream,
    acks: AckReader,
}

impl FluentBit {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port("containers"))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, acks: AckReader::default() }
    }

    /// Sends one entry with this number.
    fn send(&mut self, number: u8) {
        let entries = [&b"\x92\xce\x68\xe7\x78\x00\x81\xa6number"[..], &[number]].concat();
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA512, &entries);
        let id = STANDARD.encode(&hash.as_ref()[..16]);
        let chunk = Some(id.as_bytes());
        let message = Packed { tag: b"app.log", entries: &entries, count: 1, chunk, gzip: false };
        self.stream.write_all(&encode_packed(&message)).unwrap();
        let acknowledged = loop {
            if let Some(acknowledged) = self.acks.next_ack().unwrap() {
                break acknowledged;
            }
            let mut answer = [0; 512];
            let length = self.stream.read(&mut answer).unwrap();
            assert!(length > 0, "the server closed");
            self.acks.buffer().extend_from_slice(&answer[..length]);
        };
        assert_eq!(acknowledged, id.as_bytes());
    }
}

#[test]
fn equal_chunks_of_an_honest_sender_all_arrive_also_around_a_kill_and_resends_do_not() {
    let scene = Scene::new();
    let mut server = scene.start();
    let mut sender = FluentBit::connect(&server);
    for number in [1, 1, 2, 1] {
        sender.send(number);
    }
    // Its connection breaks, and it has had no acknowledgement of the last.
    let mut sender = FluentBit::connect(&server);
    sender.send(1);
    assert_eq!(server.metric("hikyaku_journal_equal_chunks_total"), 2.0);
    assert_eq!(server.metric("hikyaku_journal_doubtful_resends_total"), 1.0);
    sender.send(3);
    server.child.kill().unwrap();
    server.child.wait().unwrap();

    let server = scene.start();
    let mut sender = FluentBit::connect(&server);
    // It repeats what may not be acknowledged, and goes on with what it has said before.
    for number in [3, 1, 2] {
        sender.send(number);
    }
    assert_eq!(server.metric("hikyaku_journal_duplicate_chunks_total"), 1.0);
    assert_eq!(server.metric("hikyaku_journal_equal_chunks_total"), 2.0);
    assert!(server.stop().success());
    let mut numbers: Vec<_> =
        scene.lines("unmatched").iter().map(|event| event["number"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 1, 1, 1, 2, 2, 3]);
}
