//! `tag` and `add_tag_prefix`.

use hikyaku::config::InputConfig;

use crate::support::client::{message, plain};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

#[tokio::test]
async fn the_journal_and_the_metrics_have_the_tag_that_the_input_gives() {
    let journal = ScriptedJournal::new();
    let tags =
        InputConfig { tag: Some("app".to_owned()), add_tag_prefix: Some("edge".to_owned()), ..config(None) };
    let server = Server::start(&tags, &journal);
    let mut client = plain(server.address).await;
    client.send(&message("id")).await;
    let chunk = journal.next().await.durable();
    assert_eq!(&chunk.tag[..], b"edge.app");
    assert_eq!(chunk.id.as_deref(), Some(&b"test.tag\0id"[..]), "equal ids under two tags stay two");
    assert_eq!(client.ack().await.unwrap(), b"id");
    drop(client);
    let samples = server.stop().await;
    let sample = "fluentd_input_status_num_records_total{hostname=\"test\",tag=\"edge.app\"}";
    assert_eq!((samples.get(sample), samples.of_tag()), (1, 0));
}

#[tokio::test]
async fn a_tag_that_gets_too_long_is_refused() {
    let journal = ScriptedJournal::new();
    let tags = InputConfig { add_tag_prefix: Some("x".repeat(1024)), ..config(None) };
    let server = Server::start(&tags, &journal);
    for (length, is_taken) in [(4096 - 1025, true), (4096 - 1024, false)] {
        let mut client = plain(server.address).await;
        client.send(&[&b"\x93\xda"[..], &(length as u16).to_be_bytes(), &vec![b't'; length]].concat()).await;
        client.send(b"\x01\x80").await;
        if is_taken {
            assert_eq!(journal.next().await.durable().tag.len(), 4096);
        } else {
            assert_eq!(client.ack().await, None);
        }
    }
    assert_eq!(server.stop().await.rejected("malformed"), 1);
}
