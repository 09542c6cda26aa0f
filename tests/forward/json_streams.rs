//! JSON instead of msgpack: known by its first byte, acknowledged in JSON, kept as msgpack.

use tokio::io::AsyncReadExt;

use crate::support::client::{ENTRY, message, plain};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

#[tokio::test]
async fn both_forms_are_kept_as_msgpack_and_acknowledged_in_json() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    for text in [
        "[\"test.tag\", 1, {\"a\": 1}, {\"chunk\": \"an id\\n\"}]",
        "\n[\"test.tag\", [[1, {\"a\": 1}]], {\"chunk\": \"an id\\n\"}]",
    ] {
        client.send(text.as_bytes()).await;
        let taken = journal.next().await;
        client.no_ack().await;
        let chunk = taken.durable();
        assert_eq!((&chunk.tag[..], chunk.id.as_deref()), (&b"test.tag"[..], Some(&b"an id\n"[..])));
        assert_eq!(chunk.entries, ENTRY);
        let mut answer = [0; 17];
        client.stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"{\"ack\":\"an id\\n\"}");
    }
    drop(client);
    let samples = server.stop().await;
    assert_eq!((samples.input("records_total"), samples.input("in_flight_bytes")), (2, 0));
}

#[tokio::test]
async fn heartbeats_stand_between_messages_and_bad_entries_are_kept() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    client.send(b"[\"t\", [[1, {}], [1], [\"x\", {}], 5]]null [\"t\", []] null").await;
    let chunk = journal.next().await.durable();
    assert!(chunk.has_bad_entries);
    assert_eq!(chunk.entries, &b"\x92\x01\x80\x91\x01\x92\xa1x\x80\x05"[..]);
    assert_eq!(chunk.entry_count, 4);
    drop(client);
    assert_eq!(server.stop().await.input("bad_entries_total"), 3);
}

#[tokio::test]
async fn the_first_byte_decides_for_the_whole_connection() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut json = plain(server.address).await;
    json.send(&[&b"[\"t\",1,{}]"[..], &message("m")].concat()).await;
    journal.next().await.durable();
    assert_eq!(json.ack().await, None);
    let mut msgpack = plain(server.address).await;
    msgpack.send(b"\xc0[\"t\",1,{}]").await;
    assert_eq!(msgpack.ack().await, None);
    journal.nothing_comes().await;
    assert_eq!(server.stop().await.rejected("malformed"), 2);
}

#[tokio::test]
async fn a_message_past_the_limit_is_refused_before_its_end() {
    let journal = ScriptedJournal::new();
    let mut limited = config(None);
    limited.max_message_size = 1000;
    let server = Server::start(&limited, &journal);
    let text = |length: usize| format!("[\"t\",1,{{\"a\":\"{}\"}}]", "x".repeat(length - 16));
    let mut client = plain(server.address).await;
    client.send(text(1000).as_bytes()).await;
    journal.next().await.durable();
    client.send(&text(1002).as_bytes()[..1001]).await;
    assert_eq!(client.ack().await, None);
    assert_eq!(server.stop().await.rejected("too_large"), 1);
}
