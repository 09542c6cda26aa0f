//! What is odd, and allowed.

use proptest::prelude::*;

use super::*;

const DATA: ContentType = ContentType::ApplicationData;
const ALERT: ContentType = ContentType::Alert;
const HANDSHAKE: ContentType = ContentType::Handshake;

#[test]
fn every_cipher_suite_carries_both_directions() {
    for suite in suites() {
        let (mut client, mut server) = established_with(suite);
        for round in 0..3 {
            let sent: Vec<u8> = (0..16_384).map(|at| (at * 7 + round) as u8).collect();
            let record = client.data(&sent);
            give(&mut server, &record);
            assert!(read(&mut server, 20_000) == (sent, Ok(())), "{suite:?}");
            assert_eq!(server.write(b"ack"), Ok(3));
            assert_eq!(client.received(&mut server), [(DATA, b"ack".to_vec())], "{suite:?}");
        }
    }
}

#[test]
fn padding_is_no_content() {
    for part in [40_000, 7] {
        let (mut client, mut server) = established();
        let long = vec![b'd'; 16_384];
        for (content, zeros) in [(&b"a\0"[..], 1), (b"", 20), (&long[1..], 1), (b"\0", 16_000), (b"", 16_384)]
        {
            let record = client.padded(23, content, zeros);
            give(&mut server, &record);
            assert!(read(&mut server, part) == (content.to_vec(), Ok(())), "{zeros}");
        }
    }
}

#[test]
fn up_to_the_limits_everything_may_be_repeated_and_content_begins_it_anew() {
    let (mut client, mut server) = established();
    for _ in 0..3 {
        for _ in 0..32 {
            give(&mut server, &client.data(b""));
            let update = client.record(HANDSHAKE, &[24, 0, 0, 1, 1]);
            give(&mut server, &update);
            client.take_next_key();
        }
        give(&mut server, &client.data(b"d"));
        assert_eq!(read(&mut server, 100), (b"d".to_vec(), Ok(())));
    }
    for _ in 0..4 {
        give(&mut server, &client.record(ALERT, &[1, 90]));
    }
    assert_eq!(read(&mut server, 100), (Vec::new(), Ok(())));
    // It was asked for other keys a hundred times while it was silent, and takes them once.
    server.write(b"ack").unwrap();
    server.write(b"ack").unwrap();
    let ack = || (DATA, b"ack".to_vec());
    assert_eq!(client.received(&mut server), [(HANDSHAKE, vec![24, 0, 0, 1, 0]), ack(), ack()]);
}

#[test]
fn a_key_update_may_come_in_parts() {
    for cut in 1..5 {
        let (mut client, mut server) = established();
        let message = [24, 0, 0, 1, 0];
        for part in [&message[..cut], &message[cut..]] {
            give(&mut server, &client.record(HANDSHAKE, part));
        }
        client.take_next_key();
        give(&mut server, &client.data(b"d"));
        assert_eq!(read(&mut server, 100), (b"d".to_vec(), Ok(())));
        server.write(b"ack").unwrap();
        assert_eq!(client.received(&mut server), [(DATA, b"ack".to_vec())], "nobody asked for other keys");
    }
}

#[test]
fn the_end_is_an_end_whatever_its_level_and_whatever_follows() {
    for level in [1, 2] {
        let (mut client, mut server) = established();
        give(&mut server, &client.data(b"last"));
        give(&mut server, &client.record(ALERT, &[level, 0]));
        give(&mut server, b"what is no record");
        assert_eq!(read(&mut server, 100), (b"last".to_vec(), Ok(())));
        assert!(server.peer_has_closed());
        // The other direction is open still, and is closed once.
        server.write(b"ack").unwrap();
        server.close().unwrap();
        server.close().unwrap();
        assert_eq!(client.received(&mut server), [(DATA, b"ack".to_vec()), (ALERT, vec![1, 0])]);
    }
}

#[test]
fn nothing_is_sent_behind_the_end_not_even_what_is_wrong() {
    let (mut client, mut server) = established();
    server.close().unwrap();
    give(&mut server, &client.data(b"d"));
    give(&mut server, &client.record(HANDSHAKE, b"no message"));
    let (read, result) = read(&mut server, 100);
    assert!(read == b"d" && result.is_err());
    assert_eq!(client.received(&mut server), [(ALERT, vec![1, 0])]);
}

#[test]
fn no_key_seals_more_records_than_its_cipher_suite_is_good_for() {
    let limits = [1 << 24, 1 << 24, u64::MAX];
    assert_eq!(suites().map(|suite| suite.tls13().unwrap().common.confidentiality_limit), limits);
    let (mut client, mut server) = established();
    let records = server.records().unwrap();
    assert_eq!(records.confidentiality_limit, 1 << 24);
    // Tickets were sealed with this key as well.
    records.confidentiality_limit = records.sealing.sequence() + 3;
    let mut kinds = Vec::new();
    for number in 1..=5 {
        server.write(b"ack").unwrap();
        kinds.extend(client.received(&mut server).into_iter().map(|(kind, _)| kind));
        if number == 2 {
            server.records().unwrap().confidentiality_limit = 3;
        }
    }
    // Of three records each, the last one is the one that says so.
    assert_eq!(kinds, [DATA, DATA, HANDSHAKE, DATA, DATA, HANDSHAKE, DATA]);
    server.write(b"ack").unwrap();
    server.close().unwrap();
    let kinds = client.received(&mut server).into_iter().map(|(kind, _)| kind);
    assert!(kinds.eq([DATA, ALERT]), "which leaves room for the end");
}

#[test]
fn no_nonce_comes_twice() {
    let (mut client, mut server) = established();
    for key in [&mut client.sealing, &mut server.records().unwrap().opening] {
        key.set_sequence(u64::MAX - 1);
    }
    give(&mut server, &client.data(b"last"));
    assert_eq!(read(&mut server, 100), (b"last".to_vec(), Ok(())));
    let mut out = Vec::new();
    assert_eq!(client.sealing.seal(DATA, b"one more", &mut out), Err(rustls::Error::EncryptError));
    assert!(out.is_empty());
    give(&mut server, &[&[23, 3, 3, 0, 20][..], &[7; 20]].concat());
    assert_eq!(read(&mut server, 100), (Vec::new(), Err(rustls::Error::EncryptError)));
    assert_eq!(client.received(&mut server), [(ALERT, vec![2, 80])]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_stream_of_everything_is_read_wherever_it_is_cut(
        steps in prop::collection::vec((0u8..5, 0usize..16_384, 1usize..200), 1..20),
        cuts in prop::collection::vec(prop_oneof![1usize..50, 1usize..30_000], 1..8),
        part in prop_oneof![Just(20_000usize), 100usize..20_000],
    ) {
        prop_assume!(cuts.iter().sum::<usize>() / cuts.len() > 8);
        let (mut client, mut server) = established();
        let (mut sent, mut stream) = (Vec::new(), Vec::new());
        for (kind, length, zeros) in steps {
            let length = length.min(16_384 - zeros);
            let content: Vec<u8> = (0..length).map(|at| (at * 31 % 251) as u8).collect();
            match kind {
                0 => stream.extend(client.data(b"")),
                1 => {
                    stream.extend(client.record(HANDSHAKE, &[24, 0, 0, 1, (length % 2) as u8]));
                    client.take_next_key();
                }
                2 => stream.extend(client.padded(23, &content, zeros)),
                _ => stream.extend(client.data(&content)),
            }
            if matches!(kind, 2..) {
                sent.extend_from_slice(&content);
            }
        }
        let mut got = Vec::new();
        let mut rest = &stream[..];
        for cut in cuts.iter().cycle() {
            let count = rest.len().min(*cut);
            give(&mut server, &rest[..count]);
            rest = &rest[count..];
            let (read, result) = read(&mut server, part);
            prop_assert_eq!(result, Ok(()));
            got.extend(read);
            server.rest();
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(got == sent);
    }
}
