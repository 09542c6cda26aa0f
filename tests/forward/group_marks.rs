//! Fluent Bit's group marks: kept as they were sent, and no events.

use hikyaku::wire::client::{Packed, encode_packed};

use crate::support::client::{ENTRY, plain};
use crate::support::journal::ScriptedJournal;
use crate::support::server::Server;

const START: &[u8] = b"\x92\x92\xd7\x00\xff\xff\xff\xff\0\0\0\0\x80\x81\xa8resource\x80";
const END: &[u8] = b"\x92\x92\xd7\x00\xff\xff\xff\xfe\0\0\0\0\x80\x80";

fn packed(entries: &[u8], id: &str) -> Vec<u8> {
    let id = Some(id.as_bytes());
    encode_packed(&Packed { tag: b"test.tag", entries, count: 0, chunk: id, gzip: false })
}

#[tokio::test]
async fn marks_are_kept_and_not_counted() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    let grouped = [START, ENTRY, ENTRY, END].concat();
    client.send(&packed(&grouped, "grouped")).await;
    let chunk = journal.next().await.durable();
    assert_eq!(chunk.entries, grouped);
    assert_eq!((chunk.entry_count, chunk.has_metadata, chunk.has_bad_entries), (2, true, false));
    client.send(&packed(&[START, END].concat(), "marks alone")).await;
    for id in [&b"grouped"[..], b"marks alone"] {
        assert_eq!(client.ack().await.unwrap(), id);
    }
    journal.nothing_comes().await;
    drop(client);
    let samples = server.stop().await;
    assert_eq!((samples.of_tag(), samples.input("bad_entries_total")), (2, 0));
}
