//! The record layer behind a handshake of TLS 1.3 against rustls' own: the same client, which has the keys and keeps to no
//! rule, says the same to both, and both have to make the same of it.

mod client;
mod script;
mod server;

use self::client::Client;
use self::script::{Script, Step};
use self::server::{End, Server, configs};

/// What came of a script with one of the two.
#[derive(Debug)]
struct Outcome {
    /// What the client sent in order, as far as it kept to the rules.
    sent: Vec<u8>,
    /// The client broke its stream, which the two may find out at different times, and rustls not at all.
    is_broken: bool,
    read: Vec<u8>,
    end: End,
    /// What the server sent, and whether it said that this was all.
    answers: Vec<u8>,
    has_closed: bool,
}

pub(crate) fn check(bytes: &[u8]) {
    let [records, rustls] = configs().map(|config| play(bytes, config));
    for outcome in [&records, &rustls] {
        assert!(outcome.sent.starts_with(&outcome.read), "nothing but what was sent, in order");
        if outcome.end == End::Open && !outcome.is_broken {
            assert!(outcome.read == outcome.sent, "all that was sent");
        }
    }
    if records.end == End::TooMany {
        // Empty records don't count as content here, with rustls they do.
        assert!(rustls.read.starts_with(&records.read));
        return;
    }
    if records.is_broken {
        // What can't become a record is refused by its first bytes here, and as a whole by rustls.
        assert!(records.end != End::Open || rustls.end == End::Open, "{records:?} {rustls:?}");
        assert!(records.end != End::Closed || rustls.end == End::Closed, "{records:?} {rustls:?}");
        return;
    }
    assert_eq!(records.end, rustls.end);
    assert!(records.read == rustls.read);
    assert!(records.answers == rustls.answers);
    assert_eq!(records.has_closed, rustls.has_closed);
}

fn play(bytes: &[u8], config: &server::Config) -> Outcome {
    let mut script = Script::new(bytes);
    let (mut server, mut client) = Server::shake_hands(config, script.suite());
    let (mut sent, mut is_broken, mut cut) = (Vec::new(), false, usize::MAX);
    let mut pending: Vec<u8> = Vec::new();
    let mut part = 20_000;
    let mut written = Vec::new();
    for step in script {
        match step {
            Step::Data { content, zeros } => {
                pending.extend(client.record(23, &content, zeros));
                sent.extend(content);
            }
            Step::Record { kind, content } => {
                // rustls lets handshake records without anything in them go by, which RFC 8446 forbids (section 5.4).
                is_broken |= kind == 22 && content.is_empty();
                pending.extend(client.record(kind, &content, 0));
                is_broken |= kind == 22 && !client.may_have_updated(&content);
                if kind == 23 {
                    sent.extend(content);
                }
            }
            Step::Changed { content, at } => {
                let mut record = client.record(23, &content, 0);
                let at = 5 + at % (record.len() - 5);
                record[at] ^= 1;
                pending.extend(record);
                is_broken = true;
            }
            Step::LeftOut => {
                client.record(23, b"never sent", 0);
                is_broken = true;
            }
            Step::Junk(junk) => {
                is_broken |= !junk.is_empty();
                pending.extend(junk);
            }
            Step::Cut(length) => cut = length,
            Step::Part(length) => part = length,
            Step::Deliver => deliver(&mut server, &mut pending, cut, part),
            Step::Write(content) => {
                deliver(&mut server, &mut pending, cut, part);
                if server.write(&content) {
                    written.extend(content);
                }
            }
            Step::Close => {
                deliver(&mut server, &mut pending, cut, part);
                server.close();
                // What comes behind it may be wrong, which rustls would tell, and must not where assertions are built in.
                break;
            }
        }
    }
    deliver(&mut server, &mut pending, cut, part);
    let (answers, has_closed) = client.decipher(&server.sent());
    assert!(answers == written, "what the server wrote, in order, under the right keys");
    let (read, end) = server.end();
    Outcome { sent, is_broken, read, end, answers, has_closed }
}

fn deliver(server: &mut Server, pending: &mut Vec<u8>, cut: usize, part: usize) {
    for piece in pending.chunks(cut) {
        server.receive(piece, part);
    }
    pending.clear();
}
