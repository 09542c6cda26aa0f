//! The names of senders' hosts.

use hikyaku::config::InputConfig;

use crate::support::client::{message, plain};
use crate::support::journal::ScriptedJournal;
use crate::support::server::{Server, config};

/// The first in the alphabet of the names that this machine's hosts file gives its loopback address.
fn expected() -> Option<String> {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let lines = hosts.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter_map(|line| line.trim().strip_prefix("127.0.0.1"))
        .flat_map(str::split_whitespace)
        .map(str::to_lowercase)
        .min()
}

#[tokio::test]
async fn a_sender_has_the_name_that_its_address_resolves_to_where_the_input_looks_it_up() {
    let Some(expected) = expected() else { return };
    for resolve_hostname in [true, false] {
        let journal = ScriptedJournal::new();
        let server = Server::start(&InputConfig { resolve_hostname, ..config(None) }, &journal);
        // The second connection is answered from memory.
        for id in ["first", "second"] {
            let mut client = plain(server.address).await;
            client.send(&message(id)).await;
            let chunk = journal.next().await.durable();
            assert_eq!(chunk.sender.host_name, resolve_hostname.then(|| expected.clone()));
            assert_eq!(chunk.sender.identity, "127.0.0.1");
        }
    }
}
