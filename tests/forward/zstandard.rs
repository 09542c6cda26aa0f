//! Zstandard, as Fluentd sends it since 1.19.

use hikyaku::chunk::Encoding;
use hikyaku::wire::compression::inflate;

use crate::support::client::{ENTRY, plain};
use crate::support::journal::ScriptedJournal;
use crate::support::server::Server;

fn frame(entries: &[u8]) -> Vec<u8> {
    zstd::encode_all(entries, 0).unwrap()
}

fn packed(compressed: &[u8]) -> Vec<u8> {
    let mut out = b"\x93\xa8test.tag\xc5".to_vec();
    out.extend_from_slice(&(compressed.len() as u16).to_be_bytes());
    out.extend_from_slice(compressed);
    out.extend_from_slice(b"\x82\xa5chunk\xa2id\xaacompressed\xa4zstd");
    out
}

#[tokio::test]
async fn several_frames_are_checked_kept_as_sent_and_acknowledged() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    // An entry may begin in one frame and end in the next.
    let frames = [frame(&ENTRY[..2]), frame(&ENTRY[2..]), frame(ENTRY)].concat();
    client.send(&packed(&frames)).await;
    let chunk = journal.next().await.durable();
    assert_eq!((chunk.encoding, chunk.entry_count, &chunk.entries[..]), (Encoding::Zstd, 2, &frames[..]));
    let mut inflated = Vec::new();
    inflate(chunk.encoding, &chunk.entries, 100, &mut inflated).unwrap();
    assert_eq!(inflated, [ENTRY, ENTRY].concat());
    assert_eq!(client.ack().await.unwrap(), b"id");
}

#[tokio::test]
async fn a_frame_that_is_cut_short_is_refused() {
    let journal = ScriptedJournal::new();
    let server = Server::plain(&journal);
    let mut client = plain(server.address).await;
    let frames = [frame(ENTRY), frame(ENTRY)].concat();
    client.send(&packed(&frames[..frames.len() - 1])).await;
    assert_eq!(client.ack().await, None);
    drop(client);
    assert_eq!(server.stop().await.rejected("corrupt_compression"), 1);
}
