//! `verify_connection_at_startup`

use hikyaku::output::forward::OpenError;
use hikyaku::server::StartError;

use crate::support::relay::{Relay, config, start};
use crate::support::upstream::Upstream;

const VERIFY: &str = "verify_connection_at_startup = true";

#[tokio::test(flavor = "multi_thread")]
async fn a_start_fails_where_no_server_can_be_reached() {
    let upstream = Upstream::start().await;
    let servers = [upstream.server()];
    let address = upstream.address.to_string();
    drop(upstream);
    let folder = tempfile::tempdir().unwrap();
    let error = start(folder.path(), &config(folder.path(), &servers, VERIFY, "")).await.unwrap_err();
    assert!(matches!(error, StartError::ForwardOutput(OpenError::Unreachable { .. })));
    let text = error.to_string();
    assert!(
        text.contains("output up") && text.contains(&address) && text.contains("cannot connect"),
        "{text}"
    );
    Relay::restart(folder, &servers, "").await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_that_can_be_reached_is_enough() {
    let (up, down) = (Upstream::start().await, Upstream::start().await);
    let servers = [down.server(), up.server()];
    drop(down);
    let relay = Relay::start(&servers, VERIFY).await;
    up.accept().await.given_up().await;
    relay.stop().await;
}
