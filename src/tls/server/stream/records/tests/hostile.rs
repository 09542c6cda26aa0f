//! What ends a connection, with what error, and what the client is told.

use rustls::AlertDescription as Told;
use rustls::{AlertDescription, ContentType, Error, HandshakeType, InvalidMessage, PeerMisbehaved};

use super::*;

const DATA: ContentType = ContentType::ApplicationData;
const ALERT: ContentType = ContentType::Alert;
const HANDSHAKE: ContentType = ContentType::Handshake;

/// Sends what `hostile` makes behind a good record, and looks at what comes of it: whether the plaintext has room where it
/// goes, or has not.
fn check(name: &str, hostile: impl Fn(&mut Client) -> Vec<u8>, error: impl Into<Error>, told: Option<Told>) {
    let error = error.into();
    for part in [40_000, 7] {
        let (mut client, mut server) = established();
        let good = client.data(b"good");
        give(&mut server, &good);
        give(&mut server, &hostile(&mut client));
        let (read, result) = super::read(&mut server, part);
        assert_eq!(&read[..4], b"good", "{name}");
        assert_eq!(result, Err(error.clone()), "{name}");
        assert!(read[4..].iter().all(|byte| *byte == b'd'), "{name}: only what was before it");
        let alert = told.map(|told| (ALERT, vec![2, told.into()]));
        assert_eq!(client.received(&mut server), Vec::from_iter(alert), "{name}");
        // Nothing gets it going again, and nothing is said twice.
        give(&mut server, &client.data(b"more"));
        assert_eq!(super::read(&mut server, part), (Vec::new(), Err(error.clone())), "{name}");
        assert_eq!(server.write(b"ack"), Err(error.clone()), "{name}");
        server.close().unwrap();
        assert_eq!(client.received(&mut server), [], "{name}");
    }
}

fn inappropriate(got_type: impl Into<ContentType>) -> Error {
    Error::InappropriateMessage { expect_types: vec![DATA], got_type: got_type.into() }
}

#[test]
fn records_that_are_no_sealed_records_are_refused_by_their_first_bytes() {
    for kind in [20u8, 21, 22, 24, 0, 99, b'G'] {
        check("type", |_| vec![kind], inappropriate(kind), Some(Told::UnexpectedMessage));
    }
    let version = InvalidMessage::UnknownProtocolVersion;
    for major in [0u8, 2, 4, 0xfe] {
        check("version", |_| vec![23, major], version, Some(Told::DecodeError));
    }
    let too_long = 16_384 + 256 + 1;
    for length in [too_long, 20_000, 65_535u16] {
        let header = |_: &mut Client| [&[23, 3, 3][..], &length.to_be_bytes()].concat();
        check("length", header, Error::PeerSentOversizedRecord, Some(Told::RecordOverflow));
    }
}

#[test]
fn records_that_nobody_with_the_key_sealed_in_turn_are_refused() {
    let told = Some(Told::BadRecordMac);
    for length in [0u8, 1, 15, 16, 17] {
        let short = |_: &mut Client| [&[23, 3, 3, 0, length][..], &vec![7; length.into()]].concat();
        check("short", short, Error::DecryptError, told);
    }
    let longest = |_: &mut Client| [&[23, 3, 3, 0x41, 0][..], &[7; 16_640]].concat();
    check("the longest", longest, Error::DecryptError, told);
    // A bit of the minor version, the ciphertext, and the tag.
    for at in [2, 5, 100, 105, 120] {
        let changed = |client: &mut Client| {
            let mut record = client.data(&[1; 100]);
            record[at] ^= 1;
            record
        };
        check("changed", changed, Error::DecryptError, told);
    }
    let repeated = |client: &mut Client| client.data(b"d").repeat(2);
    check("repeated", repeated, Error::DecryptError, told);
    let left_out = |client: &mut Client| {
        client.data(b"lost");
        client.data(b"next")
    };
    check("left out", left_out, Error::DecryptError, told);
    let other_key = |client: &mut Client| {
        client.take_next_key();
        client.data(b"without a notice")
    };
    check("another key", other_key, Error::DecryptError, told);
    let old_key = |client: &mut Client| {
        let update = client.record(HANDSHAKE, &[24, 0, 0, 1, 0]);
        [update, client.data(b"with the old key")].concat()
    };
    check("the old key", old_key, Error::DecryptError, told);
}

#[test]
fn records_without_a_type_or_with_too_much_are_refused() {
    let empty = PeerMisbehaved::IllegalTlsInnerPlaintext;
    for zeros in [1, 100, 16_384] {
        let padding = |client: &mut Client| client.record(0, &vec![0; zeros - 1]);
        check("only zeros", padding, empty.clone(), Some(Told::UnexpectedMessage));
    }
    for (zeros, length) in [(1, 16_385), (1, 16_600), (200, 16_400), (2, 16_384), (16_385, 1), (16_600, 0)] {
        let long = |client: &mut Client| client.padded(23, &vec![b'd'; length], zeros);
        check("too much", long, Error::PeerSentOversizedRecord, Some(Told::RecordOverflow));
    }
    for kind in [24u8, 25, 1, 255] {
        let unknown = |client: &mut Client| client.record(kind, b"content");
        let error =
            Error::InappropriateMessage { expect_types: vec![DATA, HANDSHAKE], got_type: kind.into() };
        check("unknown", unknown, error, Some(Told::UnexpectedMessage));
    }
    let change = |client: &mut Client| client.record(20, &[1]);
    let error = PeerMisbehaved::IllegalMiddleboxChangeCipherSpec;
    check("change of the cipher spec", change, error, Some(Told::UnexpectedMessage));
    for kind in [ALERT, HANDSHAKE] {
        let empty = |client: &mut Client| client.record(kind, b"");
        check("empty", empty, InvalidMessage::InvalidEmptyPayload, Some(Told::UnexpectedMessage));
    }
}

#[test]
fn alerts_end_the_connection_but_for_the_few_that_mean_nothing() {
    for alert in [&[1][..], &[2, 0, 0], &[1, 0, 1, 0]] {
        let error = InvalidMessage::TrailingData("Alert");
        check("length", |client| client.record(ALERT, alert), error, Some(Told::DecodeError));
    }
    let received = |alert: u8| Error::AlertReceived(AlertDescription::from(alert));
    for alert in [10u8, 20, 40, 80, 90, 255] {
        check("fatal", |client| client.record(ALERT, &[2, alert]), received(alert), None);
    }
    // Whoever says so is gone, at whatever level it was said.
    for alert in [10u8, 41, 100, 255] {
        check("warning", |client| client.record(ALERT, &[1, alert]), received(alert), None);
    }
    for level in [0u8, 3, 255] {
        let error = received(40);
        check("level", |client| client.record(ALERT, &[level, 40]), error, Some(Told::IllegalParameter));
    }
    let warnings = |client: &mut Client| (0..5).flat_map(|_| client.record(ALERT, &[1, 90])).collect();
    let error = PeerMisbehaved::TooManyWarningAlertsReceived;
    check("the fifth warning", warnings, error, Some(Told::UnexpectedMessage));
}

#[test]
fn a_server_takes_no_handshake_message_but_key_updates() {
    // ClientHello, NewSessionTicket, EndOfEarlyData, Certificate, CertificateVerify, Finished, and one of nobody.
    for kind in [1u8, 4, 5, 11, 15, 20, 77] {
        let got_type = HandshakeType::from(kind);
        let error =
            Error::InappropriateHandshakeMessage { expect_types: vec![HandshakeType::KeyUpdate], got_type };
        let message = |client: &mut Client| client.record(HANDSHAKE, &[kind, 0, 0, 1, 0]);
        check("another message", message, error.clone(), Some(Told::UnexpectedMessage));
        check(
            "its beginning",
            |client| client.record(HANDSHAKE, &[kind]),
            error,
            Some(Told::UnexpectedMessage),
        );
    }
    for head in [&[24, 0, 0, 2][..], &[24, 0, 1], &[24, 1], &[24, 0, 0, 0]] {
        let error = InvalidMessage::InvalidKeyUpdate;
        check("length", |client| client.record(HANDSHAKE, head), error, Some(Told::DecodeError));
    }
    for value in [2u8, 255] {
        let update = |client: &mut Client| client.record(HANDSHAKE, &[24, 0, 0, 1, value]);
        check("value", update, InvalidMessage::InvalidKeyUpdate, Some(Told::IllegalParameter));
    }
}

#[test]
fn nothing_comes_with_a_key_update_or_between_its_parts() {
    let followed = |client: &mut Client| client.record(HANDSHAKE, &[24, 0, 0, 1, 0, 24]);
    let error = PeerMisbehaved::KeyEpochWithPendingFragment;
    check("more in its record", followed, error, Some(Told::UnexpectedMessage));
    for (kind, content) in [(DATA, &b"d"[..]), (ALERT, &[1, 0]), (DATA, b"")] {
        let cut =
            |client: &mut Client| [client.record(HANDSHAKE, &[24, 0]), client.record(kind, content)].concat();
        let error = PeerMisbehaved::MessageInterleavedWithHandshakeMessage;
        check("cut", cut, error, Some(Told::UnexpectedMessage));
    }
}

#[test]
fn what_a_peer_repeats_without_sending_anything_has_a_limit() {
    let empty = |client: &mut Client| (0..33).flat_map(|_| client.data(b"")).collect();
    check("empty records", empty, PeerMisbehaved::TooManyEmptyFragments, Some(Told::UnexpectedMessage));
    let updates = |client: &mut Client| {
        let update = |client: &mut Client| {
            let record = client.record(HANDSHAKE, &[24, 0, 0, 1, 1]);
            client.take_next_key();
            record
        };
        // Empty records are nothing either.
        (0..33).flat_map(|_| [update(client), client.data(b"")].concat()).collect()
    };
    let error = PeerMisbehaved::TooManyKeyUpdateRequests;
    check("key updates", updates, error, Some(Told::UnexpectedMessage));
}
