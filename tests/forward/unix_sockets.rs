//! Processes of the same machine.

use std::path::Path;

use hikyaku::config::{InputConfig, ListenAddress};
use hikyaku::input::forward::{BindError, ForwardInput};
use tokio::net::UnixStream;

use crate::support::client::{Client, message};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

fn on(path: &Path) -> InputConfig {
    InputConfig { listen: ListenAddress::Unix(path.to_owned()), ..config(None) }
}

#[tokio::test]
async fn a_process_is_known_by_its_user_and_served_as_any_sender() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forward.sock");
    let journal = ScriptedJournal::new();
    let server = Server::start(&on(&path), &journal);
    let mut client = Client::new(UnixStream::connect(&path).await.unwrap());
    client.send(&message("first")).await;
    let chunk = journal.next().await.durable();
    let user = format!("unix:uid={}", rustix::process::geteuid().as_raw());
    assert_eq!((&chunk.sender.identity, chunk.sender.address), (&user, None));
    assert_eq!(client.ack().await.unwrap(), b"first");
    drop(client);
    let samples = server.stop().await;
    assert_eq!(samples.input("accepted_connections_total"), 1);
    assert!(!path.exists(), "the file goes with the server");
}

#[tokio::test]
async fn max_connections_holds_here_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forward.sock");
    let journal = ScriptedJournal::new();
    let server = Server::start(&InputConfig { max_connections: 1, ..on(&path) }, &journal);
    let mut first = Client::new(UnixStream::connect(&path).await.unwrap());
    first.send(&message("first")).await;
    journal.next().await.durable();
    let mut second = Client::new(UnixStream::connect(&path).await.unwrap());
    assert_eq!(second.ack().await, None);
    assert_eq!(first.ack().await.unwrap(), b"first");
    drop((first, second));
    assert_eq!(server.stop().await.refused("max_connections"), 1);
}

#[tokio::test]
async fn an_input_says_why_it_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forward.sock");
    let _first = ForwardInput::bind(&on(&path)).unwrap();
    for (path, part) in [
        (path, "another process listens there"),
        (folder.path().join("missing/forward.sock"), "make its folder"),
    ] {
        let error = ForwardInput::bind(&on(&path)).unwrap_err();
        assert!(matches!(error, BindError::Listen { .. }));
        assert!(error.to_string().contains(part), "{error}");
    }
}
