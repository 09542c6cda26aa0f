//! Messages that are refused: unacknowledged, counted, and nobody else's matter.

use hikyaku::journal::AppendError;
use hikyaku::wire::client::{Packed, encode_packed};
use hikyaku::wire::message::{MAX_CHUNK_ID_LENGTH, MAX_TAG_LENGTH};

use crate::support::client::{ENTRY, message, plain};
use crate::support::journal::ScriptedJournal;
use crate::support::server::Server;

const REFUSED: &[(&[u8], &str)] = &[
    (b"\xc1", "malformed"),
    (b"GET / HTTP/1.1\r\n\r\n", "malformed"),
    (b"\x93\xa1t\xa3\x92\x01\xc1\x81\xa5chunk\xa1i", "malformed"),
    (b"\x93\xa1t\xa2\x92\x01\x81\xa5chunk\xa1i", "malformed"),
    (b"\x92\xa1t\xdb\xff\xff\xff\xff", "too_large"),
    (b"\x92\xa1t\xdd\xff\xff\xff\xff", "too_large"),
    (b"\x93\xa1t\xa3abc\x82\xa5chunk\xa1i\xaacompressed\xa4gzip", "corrupt_compression"),
    (b"\x93\xa1t\xa3abc\x82\xa5chunk\xa1i\xaacompressed\xa4zstd", "corrupt_compression"),
    (b"\x93\xa1t\xa3abc\x82\xa5chunk\xa1i\xaacompressed\xa3lz4", "unsupported_compression"),
    (b"{\"tag\":1}", "malformed"),
    (b"[\"t\",1,{]}", "malformed"),
    (b"[\"t\",\"packed\"]", "malformed"),
    (b"\x16\x03\x01\x00\x05hello", "tls"),
    (b"\x96\xa4PING\xa1h\xa1s\xa1d\xa0\xa0", "handshake"),
];

#[tokio::test]
async fn a_refused_message_is_not_acknowledged_and_ends_its_connection_only() {
    for (bytes, reason) in REFUSED {
        let journal = ScriptedJournal::new();
        let server = Server::plain(&journal);
        let mut good = plain(server.address).await;
        good.send(&message("before")).await;
        journal.next().await.durable();
        assert_eq!(good.ack().await.unwrap(), b"before");

        let mut bad = plain(server.address).await;
        bad.send(bytes).await;
        assert_eq!(bad.ack().await, None, "{bytes:x?}");
        drop(bad);

        good.send(&message("after")).await;
        journal.next().await.durable();
        assert_eq!(good.ack().await.unwrap(), b"after");
        drop(good);
        assert_eq!(server.stop().await.rejected(reason), 1, "{bytes:x?}");
    }
}

#[tokio::test]
async fn what_came_before_a_refused_message_is_still_acknowledged() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(&[&message("good")[..], b"\xc1", &message("never")].concat()).await;
    let good = journal.next().await;
    client.no_ack().await;
    good.durable();
    assert_eq!(client.ack().await.unwrap(), b"good");
    assert_eq!(client.ack().await, None);
    journal.nothing_comes().await;
}

#[tokio::test]
async fn names_that_are_too_long_and_messages_that_no_segment_holds_are_refused() {
    let with = |tag: usize, id: usize| {
        encode_packed(&Packed {
            tag: &vec![b't'; tag],
            entries: ENTRY,
            count: 1,
            chunk: Some(&vec![b'i'; id]),
            gzip: false,
        })
    };
    for (bytes, journal, reason) in [
        (with(MAX_TAG_LENGTH + 1, 1), ScriptedJournal::new(), "malformed"),
        (with(1, MAX_CHUNK_ID_LENGTH + 1), ScriptedJournal::new(), "malformed"),
        (with(1, 1), ScriptedJournal::refusing(AppendError::TooLarge), "too_large"),
    ] {
        let server = Server::plain(&journal);
        let mut client = plain(server.address).await;
        client.send(&bytes).await;
        assert_eq!(client.ack().await, None);
        drop(client);
        assert_eq!(server.stop().await.rejected(reason), 1);
    }
}
