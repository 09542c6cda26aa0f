//! What Fluent Bit sends beside logs.

use crate::support::client::{message, plain};
use crate::support::journal::ScriptedJournal;
use crate::support::server::Server;

/// A message of this signal with the id `s`.
fn signal(number: u8) -> Vec<u8> {
    [&b"\x93\xa1t\xc4\x03\x81\xa1a\x82\xa5chunk\xa1s\xadfluent_signal"[..], &[number]].concat()
}

#[tokio::test]
async fn each_signal_is_counted_by_its_name_and_never_mixed_into_logs() {
    let capture = include_bytes!("../fixtures/captures/fluentbit-metrics-signal.client.bin").to_vec();
    for (bytes, name) in [
        (capture, "signal_metrics"),
        (signal(1), "signal_metrics"),
        (signal(2), "signal_traces"),
        (signal(3), "signal_other"),
    ] {
        let journal = ScriptedJournal::new();
        let server = Server::plain(&journal);
        let mut client = plain(server.address).await;
        client.send(&[bytes, message("logs")].concat()).await;
        assert_eq!(journal.next().await.durable().id.unwrap(), "logs");
        while client.ack().await.unwrap() != b"logs" {}
        drop(client);
        let samples = server.stop().await;
        assert!(samples.rejected(name) >= 1, "{name}");
        assert_eq!(samples.input("records_total"), 1, "{name}");
    }
}
